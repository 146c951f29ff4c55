"""Commands about MCP: the servers that agents have, and tools that are served."""
