"""The phone script of a contact of follow-up: its questions, what is kept of a call, and what came of it."""
