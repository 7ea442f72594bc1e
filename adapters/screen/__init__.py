"""Population screening: who of many needs what, decided in parts that any number of workers share. Makes no tasks."""
