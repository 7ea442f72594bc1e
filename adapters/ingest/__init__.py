"""Ingestion: the doors through which records come by themselves, and the list of what could not be read."""
