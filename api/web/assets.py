"""The files of the page, as they are served: one digest in their path names them all."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from posixpath import dirname, join, normpath

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""What is served, by the end of the file's name; other files stay in the folder."""
VIEWS = {
    "/": "views/runs/page.js",
    "/runs": "views/runs/page.js",
    "/runs/{run_id}": "views/run/page.js",
    "/inbox": "views/inbox.js",
    "/agents": "views/agents.js",
    "/system": "views/system.js",
    **dict.fromkeys(
        (
            "/schedules",
            "/schedules/{schedule_id}",
            "/batches",
            "/batches/{batch_id}",
            "/webhooks",
            "/webhooks/{webhook_id}",
            "/keys",
            "/audit",
        ),
        "views/admin/pages.js",
    ),
}
"""The paths of the page, each with the module that shows it."""
SIGN_IN = "views/sign_in.js"
"""Shown in the place of all others to those who are not signed in, and where they come back to."""
INDEX, START = "index.html", "main.js"
STYLE = "style/all.css"
"""All stylesheets in one file, in the order in which `index.html` names them."""
FOLDER = "/ui"
_ROOT, _MODULES = "%ROOT%", "%MODULES%"
"""What `index.html` has in place of the folder's path, and of the links that load modules early."""
_STYLES = re.compile(r'<link rel="stylesheet" href="%ROOT%/([^"]+)">\n')
_IMPORTS = re.compile(rb'\b(?:from|import)\s*"(\.[^"]+)"')
"""What a module loads with it; `import(…)` loads later."""


@dataclass(frozen=True)
class Asset:
    """One file."""

    body: bytes
    packed: bytes | None
    """The body with gzip; None where that saves nothing."""
    media_type: str


@dataclass(frozen=True)
class Page:
    """The page: what its paths answer, and the files that they load."""

    digest: str
    """Of all files together: another one is another page."""
    indexes: Mapping[str, Asset]
    """By the module that shows the path: they differ in what they load early."""
    assets: Mapping[str, Asset]
    """By their path below `FOLDER`, which begins with the digest."""


@cache
def page() -> Page:
    """The page of this installation, read once."""
    found = dict(sorted(_files(files("relayline") / "web")))
    sums = sha256()
    for name, body in found.items():
        sums.update(b"%s\0%d\0%s" % (name.encode(), len(body), body))
    digest = sums.hexdigest()[:16]
    template = _with_one_style(found.pop(INDEX).decode(), found)
    assets = {
        f"{digest}/{name}": _asset(body, TYPES[kind])
        for name, body in found.items()
        if (kind := _kind(name)) in TYPES
    }
    root = f"{FOLDER}/{digest}"
    indexes = {
        view: _asset(
            _index(template, root, _loaded(found, START, view)), "text/html; charset=utf-8"
        )
        for view in {*VIEWS.values(), SIGN_IN}
    }
    return Page(digest, indexes, assets)


def _with_one_style(template: str, found: dict[str, bytes]) -> str:
    """The template with one link for all stylesheets, which become one file."""
    names = _STYLES.findall(template)
    found[STYLE] = b"".join(found.pop(name) for name in names)
    before, after = template.split(f'<link rel="stylesheet" href="%ROOT%/{names[0]}">\n')
    return f'{before}<link rel="stylesheet" href="%ROOT%/{STYLE}">\n{_STYLES.sub("", after)}'


def _loaded(found: Mapping[str, bytes], *starts: str) -> list[str]:
    """These modules and all that they import, in the order in which they are met."""
    names = [*starts]
    for name in names:
        for target in _IMPORTS.findall(found[name]):
            path = normpath(join(dirname(name), target.decode()))
            if path not in names:
                names.append(path)
    return names


def _index(template: str, root: str, modules: list[str]) -> bytes:
    links = (f'<link rel="modulepreload" href="{root}/{name}">' for name in modules)
    return template.replace(_MODULES, "\n".join(links)).replace(_ROOT, root).encode()


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()


def _kind(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


def _asset(body: bytes, media_type: str) -> Asset:
    packed = gzip.compress(body, mtime=0)
    return Asset(body, packed if len(packed) < 0.9 * len(body) else None, media_type)
