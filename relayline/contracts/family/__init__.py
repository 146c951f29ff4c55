"""Runs within runs: what a run, the activities and a run below it tell each other."""
