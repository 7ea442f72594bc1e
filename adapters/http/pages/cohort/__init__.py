"""Who was treated before this service began, and what they lack."""
