"""MCP servers as users declare them, and the lock file of their tools."""
