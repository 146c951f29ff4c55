"""Writes the tables that pages take from the code: `make docs`.

Each table stands between `<!-- NAME: generated -->` and `<!-- /NAME -->`; the rest of its page is
written by hand.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.docs.event_types import events
from tests.docs.pages import ROOT
from tests.docs.scopes import scopes
from tests.docs.variables import settings

COMMAND = "make docs"
log = logging.getLogger(__name__)


class Table(NamedTuple):
    """A table and its place."""

    page: Path
    name: str
    """Of the markers around it."""
    make: Callable[[], Iterator[str]]
    """Its lines."""

    def written_into(self, text: str) -> str:
        """The page's text with the table as the code has it now.

        Raises:
            ValueError: the page does not have the two markers, once each and in order.
        """
        begin, end = f"<!-- {self.name}: generated -->", f"<!-- /{self.name} -->"
        if not re.fullmatch(rf"(?s).*?{begin}.*{end}.*", text) or text.count(begin) > 1:
            raise ValueError(f"{self.page}: put the table between {begin} and {end}")
        before, rest = text.split(begin, 1)
        _, after = rest.split(end, 1)
        return "\n".join([before + begin, "", *self.make(), "", end + after])


TABLES = (
    Table(ROOT / "docs" / "clients.md", "events", events),
    Table(ROOT / "docs" / "operate" / "settings.md", "settings", settings),
    Table(ROOT / "docs" / "operate" / "security.md", "scopes", scopes),
)


def main() -> None:
    """Write every table into its page."""
    for table in TABLES:
        text = table.page.read_text()
        written = table.written_into(text)
        table.page.write_text(written)
        log.info("%s: %s", table.page.name, "as it was" if written == text else "written")


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    main()
