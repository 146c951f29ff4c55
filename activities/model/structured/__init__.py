"""Answers that must be JSON and fit a schema."""
