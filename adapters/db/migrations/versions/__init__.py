"""One module for each change of the tables, never edited after its release."""
