"""A patient: verdicts by vertebra, what decides, what is missing, what is open."""
