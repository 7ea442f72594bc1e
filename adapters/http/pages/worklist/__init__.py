"""The work list: what is open for whom, by when and why, and what a person may do about it."""
