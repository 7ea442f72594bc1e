"""The HTTP side: FHIR API, CDS Hooks, decisions, start page. Views parse, call and render; nothing is decided here."""
