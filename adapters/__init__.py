"""Everything that touches the outside: FHIR, HTTP, the database, the command line."""
