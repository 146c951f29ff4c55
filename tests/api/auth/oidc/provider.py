"""An issuer where people sign in: authorization code flow with PKCE for a public client."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import urlencode

from tests.api.auth.oidc.issuer import Answer, Issuer, Request

CLIENT = "page"
_ASKED = ("response_type", "scope", "state", "code_challenge", "code_challenge_method")


class Provider(Issuer):
    """Whoever comes is signed in at once, as `signed_in` says, and sent back.

    Its token endpoint takes a code once, from the client that it was made for, with the verifier of
    its challenge; pages of that client may read what it answers.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.page = ""
        """The origin whose pages are its client."""
        self.signed_in: dict[str, Any] = {}
        """Claims of the next token."""
        self.changes: dict[str, str] = {}
        """What the page is sent back with instead; empty: without it."""
        self.codes: dict[str, dict[str, str]] = {}
        self.allows_page = True
        """False: no page may read what the token endpoint answers."""

    def answer(self, asked: Request) -> Answer:
        """What it answers; its documents as every issuer."""
        if asked.path == "/authorize":
            return self._authorize(asked.query)
        if asked.path == "/token":
            headers = {"Access-Control-Allow-Origin": self.page} if self.allows_page else {}
            return self._token(asked)._replace(headers=headers)
        return super().answer(asked)

    def _authorize(self, query: dict[str, str]) -> Answer:
        back = f"{self.page}/signed-in"
        ours = (query.get("client_id"), query.get("redirect_uri")) == (CLIENT, back)
        if not ours or {*_ASKED} - {*query} or query["code_challenge_method"] != "S256":
            return Answer(400, b"this is no request of the client")
        code = secrets.token_urlsafe()
        self.codes[code] = query
        told = {"code": code, "state": query["state"], "iss": self.url, **self.changes}
        sent = urlencode({name: value for name, value in told.items() if value})
        return Answer(302, headers={"Location": f"{back}?{sent}"})

    def _token(self, asked: Request) -> Answer:
        form = asked.form
        begun = self.codes.pop(form.get("code", ""), {})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        wanted = {"grant_type": "authorization_code", "client_id": CLIENT}
        wanted["redirect_uri"] = begun.get("redirect_uri", "")
        fits = {*wanted.items()} <= {*form.items()} and challenge == begun.get("code_challenge")
        if not (fits and asked.method == "POST" and asked.origin == self.page):
            return Answer(400, json.dumps({"error": "invalid_grant"}).encode())
        given = {"access_token": self.token(**self.signed_in), "token_type": "Bearer"}
        return Answer(200, json.dumps(given).encode())
