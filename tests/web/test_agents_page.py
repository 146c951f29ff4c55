"""The page of agents, with what is known of their MCP servers."""

from __future__ import annotations

from playwright.async_api import Page, Route, expect

TOOL = {
    "name": "notes_add",
    "description": "Add a note.",
    "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    "timeout_s": 60,
    "retries": 2,
    "effects": "unsafe",
    "approval": "always",
    "asks": False,
}
SERVERS = [
    {"server": "notes", "tools": [TOOL], "missing": None},
    {"server": "mail", "tools": [], "missing": "no answer within 10 s"},
    {"server": "files", "tools": None, "missing": None},
]


async def test_agents_show_their_servers_and_what_is_known_of_them(page: Page) -> None:
    async def answer(route: Route) -> None:
        real = await route.fetch()
        agents = (await real.json())["agents"]
        agents[0]["mcp"] = SERVERS
        await route.fulfill(response=real, json={"agents": agents})

    await page.route("**/v1/agents", answer)
    await page.goto("/agents")
    agent = page.locator(".agent").first
    await expect(agent).to_contain_text("MCP server notes")
    await expect(agent).to_contain_text("MCP server mail · missing: no answer within 10 s")
    await expect(agent).to_contain_text("MCP server files · no run has listed it yet")
    tool = agent.locator(".tool", has_text="notes_add")
    await expect(tool).to_contain_text("changes the world")
    await expect(tool).to_contain_text("always asks")
    await tool.locator("summary").click()
    await expect(tool.locator(".body")).to_contain_text("text: {")
