"""What the Temporal Web UI shows of a run: one line in its lists, a few on its page."""

from __future__ import annotations

from relayline.contracts.runs import RunInput

SUMMARY_BYTES = 200
PREVIEW_CHARS = 500


def summary(run: RunInput) -> str:
    """`agent: prompt`, cut to what Temporal shows in a list."""
    line = f"{run.agent.name}: {' '.join(run.input[:SUMMARY_BYTES].split())}"
    encoded = line.encode()
    if len(encoded) <= SUMMARY_BYTES:
        return line
    return encoded[: SUMMARY_BYTES - 3].decode(errors="ignore") + "…"


def details(run: RunInput) -> str:
    """Markdown for the Temporal Web UI; the prompt is quoted line by line."""
    text = run.input[:PREVIEW_CHARS] + ("…" if len(run.input) > PREVIEW_CHARS else "")
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    return f"agent **{run.agent.name}** · model `{run.agent.model}`\n\n{quoted}"
