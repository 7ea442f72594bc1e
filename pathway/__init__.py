"""The core: facts in, decision out. Plain Python; nothing here knows the web, a database or FHIR models."""

__version__ = "0.5.0"
