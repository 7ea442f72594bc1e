"""What came and could not be read: a list that a person works through."""
