"""The past of a run: how it comes into its journal."""
