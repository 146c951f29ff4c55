"""Files of clients: taken, given back, and made parts of what a run is told."""
