"""Composition root of a worker process."""
