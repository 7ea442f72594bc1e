"""Alembic's scripts, found inside the installed package. They only go forward: the way back is a backup."""
