"""The console script `relayline`."""
