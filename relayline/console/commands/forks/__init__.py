"""The commands that make another run of one that there is."""
