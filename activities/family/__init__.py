"""The activities that begin and end a call which is a run of another agent."""
