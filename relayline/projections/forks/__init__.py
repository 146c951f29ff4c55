"""Forks: what of a run can be another's past, and that past as facts of the other."""
