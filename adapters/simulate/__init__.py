"""A patient's time to come, gone through in seconds by the same code, in a database of its own that is thrown away."""
