"""The stand-in server."""

from __future__ import annotations

from tests.client.stand_in import stand_in

__all__ = ["stand_in"]
