"""Files on their way between storage, models and tools."""
