"""FHIR R4 in and out: reading it strictly, checking it, and knowing its codes."""
