"""The client of the HTTP API."""

from relayline.client.client import ApiClient as AsyncClient

Client = AsyncClient

__all__ = ["AsyncClient", "Client"]
