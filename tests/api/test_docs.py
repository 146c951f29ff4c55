"""`/docs` without the internet: page, scripts and styles come from this server."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest

from tests.api.serving import Api

_LINK = re.compile(r'(?:src|href)="([^"]*)"')


async def test_the_page_has_everything_from_this_server(api: Api) -> None:
    page = await api.http.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    links = _LINK.findall(page.text)
    assert [link.rpartition("/")[2] for link in links] == [
        "favicon-32x32.png",
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "start.js",
    ]
    found = [await api.http.get(urljoin("/docs", link)) for link in links]
    assert [answer.status_code for answer in found] == [200] * 4
    kinds = [answer.headers["content-type"].partition(";")[0] for answer in found]
    assert kinds == ["image/png", "text/css", "text/javascript", "text/javascript"]
    icon, styles, bundle, start = found
    assert icon.content.startswith(b"\x89PNG")
    assert ".swagger-ui" in styles.text
    assert "SwaggerUIBundle" in bundle.text
    document = re.search(r'url: "([^"]*)"', start.text)
    assert document
    described = await api.http.get(urljoin("/docs", document[1]))
    assert described.json()["info"]["title"] == "Relayline"


async def test_the_page_names_no_other_host_and_lets_none_in(api: Api) -> None:
    page = await api.http.get("/docs")
    for text in (page.text, (await api.http.get("/docs/start.js")).text):
        assert "//" not in text
        assert "script>\n" not in text.replace("></script>\n", "")
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*", page.headers["content-security-policy"])


@pytest.mark.parametrize(
    "path", ["/redoc", "/docs/oauth2-redirect", "/docs/main.py", "/docs/..%2Fmain.py"]
)
async def test_nothing_else_is_served_there(api: Api, path: str) -> None:
    answer = await api.http.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:relayline:problem:not-found"
