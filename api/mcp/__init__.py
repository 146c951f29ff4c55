"""The path `/mcp`: Relayline as an MCP server, for whoever may use the API."""
