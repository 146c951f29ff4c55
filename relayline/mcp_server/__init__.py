"""Relayline as an MCP server: other people's agents start runs, watch and steer them."""
