"""What could not be sent: a failed write to another server is a banner and a page, not a secret."""
