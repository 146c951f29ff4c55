"""Runs that a run starts: their calls, what they report, and what they are told."""
