"""The start page: leads everyone to the desk of their role."""
