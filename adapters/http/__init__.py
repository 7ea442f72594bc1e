"""The HTTP side: FHIR API, CDS Hooks, decisions, pages. Views parse, call and render; nothing is decided here."""
