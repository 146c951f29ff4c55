"""How many examples a property is tried with, by the profile that is loaded."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

PROFILES = {"quick": 25, "thorough": 100, "soak": 2000}
"""Examples of each property without a number of its own: `pytest --hypothesis-profile NAME`."""
_OF = 100


def register() -> None:
    """Make the profiles known; `thorough` is loaded where pytest is not told otherwise."""
    for name, count in PROFILES.items():
        health = [HealthCheck.too_slow]
        settings.register_profile(
            name, max_examples=count, deadline=None, suppress_health_check=health
        )
    settings.load_profile("thorough")


def examples(thorough: int, **more: Any) -> settings:
    """For a property that wants more examples than others, or fewer.

    Args:
        thorough: How many in that profile; in others in proportion.
        more: Of `hypothesis.settings`.
    """
    return settings(max_examples=thorough * settings().max_examples // _OF, **more)
