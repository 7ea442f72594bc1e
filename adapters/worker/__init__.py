"""The workers: celery carries bells and nothing else; what is to be done stands in the database."""
