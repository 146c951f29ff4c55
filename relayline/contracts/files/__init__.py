"""Files, and the parts of a message."""
