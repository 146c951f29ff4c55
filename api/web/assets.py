"""The files of the page, as they are served: one digest in their path names them all."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""What is served, by the end of the file's name; other files stay in the folder."""
INDEX = "index.html"
FOLDER = "/ui"
_ROOT, _MODULES = "%ROOT%", "%MODULES%"
"""What `index.html` has in place of the folder's path, and of the links that load modules early."""
_FIRST = "theme.js"
"""The one script that is no module: it runs before the first paint."""


@dataclass(frozen=True)
class Asset:
    """One file."""

    body: bytes
    packed: bytes | None
    """The body with gzip; None where that saves nothing."""
    media_type: str


@dataclass(frozen=True)
class Page:
    """The page: what `/` answers, and the files that it loads."""

    digest: str
    """Of all files together: another one is another page."""
    index: bytes
    assets: Mapping[str, Asset]
    """By their path below `FOLDER`, which begins with the digest."""


@cache
def page() -> Page:
    """The page of this installation, read once."""
    found = dict(sorted(_files(files("relayline") / "web")))
    template = found.pop(INDEX).decode()
    sums = sha256(template.encode())
    for name, body in found.items():
        sums.update(b"%s\0%d\0%s" % (name.encode(), len(body), body))
    digest = sums.hexdigest()[:16]
    assets = {
        f"{digest}/{name}": _asset(body, TYPES[kind])
        for name, body in found.items()
        if (kind := _kind(name)) in TYPES
    }
    root = f"{FOLDER}/{digest}"
    modules = "\n".join(
        f'<link rel="modulepreload" href="{root}/{name}">'
        for name in found
        if _kind(name) == ".js" and name != _FIRST
    )
    index = template.replace(_MODULES, modules).replace(_ROOT, root)
    return Page(digest, index.encode(), assets)


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
