"""Forks: runs that begin with another run's past."""
