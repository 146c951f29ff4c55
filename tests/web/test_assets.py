"""How the page is served: to everybody, under a strict policy, and nothing beside it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from relayline.api.web.assets import FOLDER, STYLE, TYPES, page
from tests.api.serving import Api
from tests.web.page_files import STYLES, WEB

LINK = re.compile(r'(?:src|href)="(/ui/[^"]*)"')
PATHS = ["/", "/runs", "/runs/run_0123456789abcdef", "/inbox?item=a%2Fb", "/agents?any=thing"]
PATHS += [
    "/schedules",
    "/schedules/daily",
    "/batches/batch_1",
    "/webhooks/wh_1",
    "/keys",
    "/audit",
    "/system",
]
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
AT = f"{FOLDER}/{page().digest}"
FONTS = [f"{AT}/fonts/{path.name}" for path in sorted(WEB.glob("fonts/*.woff2"))]
MAX_FONTS = 53_000
START, LIST, OTHERS = (50_000, 22), (60_000, 25), (85_000, 45)
"""Bytes and files of code until the frame is drawn, the list of runs is, any other page is."""


async def linked(served: Api, path: str) -> set[str]:
    """The files that a page names, each once."""
    links = LINK.findall((await served.http.get(path)).text)
    assert len(links) == len({*links}) + 1  # the start is a module that is also loaded early
    return {*links}


async def transferred(served: Api, path: str) -> int:
    """The bytes of an answer's body, as a browser gets them."""
    async with served.http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        return sum([len(piece) async for piece in answer.aiter_raw()])


@pytest.mark.parametrize("path", PATHS)
async def test_the_page_is_open_and_bound_to_this_server(keyed_page: Api, path: str) -> None:
    answer = await keyed_page.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"].split("; ")
    assert dict(part.partition(" ")[::2] for part in policy) == POLICY
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "%" not in answer.text


@pytest.mark.slow
async def test_everything_that_a_page_loads_is_there_for_good(keyed_page: Api) -> None:
    for link in set.union(*[await linked(keyed_page, path) for path in PATHS]):
        answer = await keyed_page.http.get(link)
        assert answer.status_code == 200, link
        assert answer.headers["content-type"] == TYPES[Path(link).suffix]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        if not link.endswith(STYLE):
            assert answer.content == (WEB / link.removeprefix(f"{AT}/")).read_bytes()


async def test_the_stylesheets_come_as_one_in_the_order_of_the_page(keyed_page: Api) -> None:
    named = re.findall(r'href="%ROOT%/(style/[^"]*)"', (WEB / "index.html").read_text())
    served = (await keyed_page.http.get(f"{AT}/{STYLE}")).content
    assert served == b"".join((WEB / name).read_bytes() for name in named)
    assert len(named) == len(STYLES)


@pytest.mark.slow
async def test_a_first_visit_is_small(keyed_page: Api) -> None:
    """What every page loads is what draws the frame; the rest is of the view alone."""
    visits = {path: {path, *await linked(keyed_page, path)} for path in PATHS}
    sizes = {each: await transferred(keyed_page, each) for each in set.union(*visits.values())}
    assert sum([await transferred(keyed_page, font) for font in FONTS]) <= MAX_FONTS
    fonts = {*FONTS}
    start = {"/", *set.intersection(*visits.values())} - fonts
    within(START, {each: sizes[each] for each in start})
    for path, visit in visits.items():
        most = LIST if path in {"/", "/runs"} else OTHERS
        within(most, {each: sizes[each] for each in visit - fonts})


def within(most: tuple[int, int], sizes: dict[str, int]) -> None:
    """That many bytes, and that many scripts and stylesheets, at most; fonts are counted apart."""
    assert sum(sizes.values()) <= most[0], sizes
    code = [path for path in sizes if path.endswith((".js", ".css"))]
    assert len(code) <= most[1], sorted(code)


async def test_text_is_packed_for_those_who_take_it(keyed_page: Api) -> None:
    path = f"{AT}/main.js"
    packed = await keyed_page.http.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await keyed_page.http.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert packed.content == plain.content == (WEB / "main.js").read_bytes()
    assert gzip.decompress(page().assets[f"{page().digest}/main.js"].packed or b"") == plain.content


async def test_head_has_the_headers_of_get(keyed_page: Api) -> None:
    for path in ("/", f"{AT}/main.js"):
        head, get = await keyed_page.http.head(path), await keyed_page.http.get(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "cache-control"):
            assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        f"{AT}/index.html",
        f"{AT}/vendor/README.md",
        f"{AT}/../index.html",
        f"{AT}/..%2f..%2fapi%2fapp.py",
        f"{AT}/%2e%2e/%2e%2e/pyproject.toml",
        f"{AT}//etc/passwd",
        f"{AT}/main.js%00.css",
        f"{AT}/",
        f"{FOLDER}/0000000000000000/main.js",
        f"{FOLDER}/",
        "/runs/run_1/more",
        "/inbox/",
    ],
)
async def test_nothing_else_is_served(keyed_page: Api, path: str) -> None:
    answer = await keyed_page.http.get(path)
    assert answer.status_code in {401, 404}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_page_takes_no_other_method(keyed_page: Api) -> None:
    assert (await keyed_page.http.post("/")).status_code == 405


def test_another_page_has_another_digest() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", page().digest)
    assert page() is page()
