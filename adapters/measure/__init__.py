"""Measures over the stored charts: counted patient by patient, on demand, as a report or as a job. Makes no tasks."""
