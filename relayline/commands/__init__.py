"""Composition roots of commands that need what workers are made of."""
