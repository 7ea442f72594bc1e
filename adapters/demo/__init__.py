"""Synthetic patients of our own making: for the demo, and for tests that need a chart."""
