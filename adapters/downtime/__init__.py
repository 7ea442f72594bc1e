"""For the hours without the service: what is open, on paper."""
