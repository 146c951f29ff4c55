"""docker-compose.yml, Dockerfile and nginx.conf as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
OURS = ("migrate", "first-key", "api", "worker")
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+):-([^}]*)\})")
_SECONDS = re.compile(r"(\d+)s")


def compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """docker-compose.yml with its variables filled in, by default with their defaults."""
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    filled: dict[str, Any] = _filled_in(whole, variables or {})
    return filled


def _filled_in(node: Any, variables: Mapping[str, str]) -> Any:
    """As Compose does it: in every text, after the file has been read."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] else variables.get(found[2], found[3])

    match node:
        case dict():
            return {key: _filled_in(child, variables) for key, child in node.items()}
        case list():
            return [_filled_in(child, variables) for child in node]
        case str():
            return _VARIABLE.sub(value, node)
        case _:
            return node


def defaults() -> dict[str, str]:
    """Each variable of docker-compose.yml and its default; the same wherever it is used."""
    found: dict[str, str] = {}
    for dollar, name, default in _VARIABLE.findall((ROOT / "docker-compose.yml").read_text()):
        if not dollar:
            assert found.setdefault(name, default) == default, f"{name} has two defaults"
    return found


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """Of a service, without what it passes on from the host."""
    given: Mapping[str, object] = service.get("environment", {})
    return {name: str(value) for name, value in given.items() if value is not None}


def seconds(duration: str) -> int:
    """`150s` as a number."""
    found = _SECONDS.fullmatch(duration)
    assert found, f"{duration!r}: write it in seconds"
    return int(found[1])


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, each a keyword and the rest on one line; arguments filled in."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]
    arguments = dict(rest.split("=", 1) for word, rest in found if word == "ARG")
    for name, value in arguments.items():
        found = [(word, rest.replace(f"${{{name}}}", value)) for word, rest in found]
    return found


def instruction(keyword: str) -> str:
    """The only instruction of that kind."""
    [rest] = [rest for word, rest in dockerfile() if word == keyword]
    return rest


def command_line(service: Mapping[str, Any]) -> list[str]:
    """What Docker starts for one of our services."""
    entrypoint: list[str] = json.loads(instruction("ENTRYPOINT"))
    command: list[str] = service["command"]
    return entrypoint + command


def nginx(name: str = "nginx.conf") -> dict[str, list[str]]:
    """A configuration in deploy/: each directive by its path, e.g. `http/server/listen`.

    With its arguments; a block's own are part of the path: `http/server/location //proxy_pass`.
    Those in a template are not filled in.
    """
    text = re.sub(r"#.*", "", (ROOT / "deploy" / name).read_text())
    pieces = iter(re.findall(r'"[^"]*"|\$\{\w+\}|[{};]|[^\s{};]+', text))
    return dict(_directives(pieces, ""))


def _directives(pieces: Iterator[str], path: str) -> Iterator[tuple[str, list[str]]]:
    words: list[str] = []
    for piece in pieces:
        if piece == "{":
            yield from _directives(pieces, f"{path}{' '.join(words)}/")
            words = []
        elif piece == ";":
            name, *arguments = words
            named = name == "proxy_set_header"  # many of them, each with a name of its own
            yield (f"{path}{name} {arguments.pop(0)}" if named else f"{path}{name}"), arguments
            words = []
        elif piece == "}":
            return
        else:
            words.append(piece)
