"""The command `relayline`: says what to install where the extra `server` is missing."""

from importlib.util import find_spec

NEEDED = (
    "alembic",
    "asyncpg",
    "cryptography",
    "fastapi",
    "fastapi_swagger",
    "genai_prices",
    "griffe",
    "httpx2",
    "jwt",
    "mcp",
    "prometheus_client",
    "pydantic_ai",
    "puremagic",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "temporalio",
    "typer",
    "uvicorn",
    "uvloop",
    "watchfiles",
    "websockets",
)
"""What the extra `server` installs, as it is imported."""


def main() -> None:
    """Run the command line, see `relayline.cli`; exit 1 with one line where it can't run."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SystemExit(
            "relayline: the command needs more than the library: `pip install 'relayline[server]'` "
            f"(missing: {', '.join(missing)})"
        )
    from relayline.cli import main as run_command_line  # noqa: PLC0415  it needs the extra

    run_command_line()


if __name__ == "__main__":
    main()
