"""The SQL of lists and counts, the same for every adapter. Pure.

Each query follows one index in the order of the list, and checks the rest row by row: the words
if their prefix is rare, else metadata, else the statuses, else whatever the database finds best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relayline.contracts.envelope import microseconds
from relayline.contracts.runs import TERMINAL, RunStatus
from relayline.journal.columns import OPEN, SUMS, TOTALS, indexed, words_of
from relayline.journal.table import EveryTenant, Position, RunFilter, Tenant
from relayline.journal.tenants.data_key import DataKey
from relayline.journal.tenants.labels import OF_CONVERSATIONS, Label, label_of

FEW_ENTRIES = 2000
"""The matches of a prefix that are sorted; where there are more, its words are followed."""
FEW_WORDS = 8
"""The words with a prefix that are followed in the order of the list; where there are more, enough
runs match that the list itself is."""


class Dialect(NamedTuple):
    """Where the adapters differ."""

    schema: str
    """Prefix of the tables."""
    find: str
    """The function that finds a text in another."""


class Query(NamedTuple):
    """A statement with `?` for each argument."""

    sql: str
    arguments: list[object]


class Rare(NamedTuple):
    """What the table of words has under the longest prefix that was asked for."""

    prefix: str
    words: Sequence[str] | None
    """The words that begin with it, None for a range of few entries."""


_BOUND = "\U0010ffff"
"""Comes after every character that a word can have."""


def wanted_words(wanted: RunFilter) -> list[str]:
    """The prefixes to find, the longest first."""
    found = {word for text in wanted.words for word in words_of(text)}
    return sorted(found, key=lambda word: (-len(word), word))


def wanted_statuses(wanted: RunFilter) -> frozenset[RunStatus] | None:
    """Any of these; None for all."""
    statuses = wanted.statuses or frozenset(RunStatus)
    if wanted.open is not None:
        statuses &= OPEN if wanted.open else TERMINAL
    return None if len(statuses) == len(RunStatus) else statuses


class Filters:
    """Builds the queries of one filter."""

    def __init__(
        self, dialect: Dialect, tenant: Tenant, wanted: RunFilter, keys: Sequence[DataKey] = ()
    ) -> None:
        self._dialect = dialect
        self._tenant = None if isinstance(tenant, EveryTenant) else indexed(tenant)
        self._wanted = wanted
        self.prefixes = wanted_words(wanted)
        self._statuses = wanted_statuses(wanted)
        self.labels = [label_of(*it, keys) for it in wanted.metadata.items()]
        self.labels += [OF_CONVERSATIONS] if wanted.conversation else []
        """The first is followed, the others are checked; see `rank_labels`."""

    def label_entries(self) -> list[Query]:
        """Count the entries of each label, up to one more than `FEW_ENTRIES`."""
        return [
            Query(
                f"SELECT count(*) FROM (SELECT 1 FROM {self._table('run_labels')}"  # noqa: S608
                f" WHERE {where} LIMIT {FEW_ENTRIES + 1}) AS few",
                arguments,
            )
            for where, arguments in (label.where() for label in self.labels)
        ]

    def rank_labels(self, entries: Sequence[int]) -> None:
        """Follow the label with the fewest entries; they are in the order of `labels`."""
        ranked = sorted(zip(entries, self.labels, strict=True))
        self.labels = [label for _, label in ranked]

    def entries(self) -> Query:
        """Counts the entries under the longest prefix, up to one more than `FEW_ENTRIES`."""
        prefix = self.prefixes[0]
        return Query(
            f"SELECT count(*) FROM (SELECT 1 FROM {self._table('run_words')}"  # noqa: S608
            f" WHERE word >= ? AND word < ? LIMIT {FEW_ENTRIES + 1}) AS few",
            [prefix, prefix + _BOUND],
        )

    def rare(self, entries: int) -> Rare | None:
        """What to follow if that many entries are under the longest prefix; None for its words."""
        return Rare(self.prefixes[0], None) if entries <= FEW_ENTRIES else None

    def rare_words(self, words: Sequence[str]) -> Rare | None:
        """What to follow if these words are under the longest prefix; None for the list itself."""
        return Rare(self.prefixes[0], words) if len(words) <= FEW_WORDS else None

    def words(self) -> Query:
        """The different words under the longest prefix, up to one more than `FEW_WORDS`."""
        prefix, end = self.prefixes[0], self.prefixes[0] + _BOUND
        head = f"SELECT word FROM {self._table('run_words')} WHERE "  # noqa: S608  constants only
        return Query(
            "WITH RECURSIVE found (word) AS ("  # noqa: S608  constants only
            f"SELECT ({head}word >= ? AND word < ? ORDER BY word LIMIT 1) UNION ALL"
            f" SELECT ({head}word > found.word AND word < ? ORDER BY word LIMIT 1)"
            " FROM found WHERE found.word IS NOT NULL)"
            f" SELECT word FROM found WHERE word IS NOT NULL LIMIT {FEW_WORDS + 1}",
            [prefix, end, end],
        )

    def page(self, limit: int, before: Position | None, rare: Rare | None) -> Query:
        """At most `limit` rows after that position, newest first, and whether any row is stale."""
        branches = [self._branch(it, limit, before) for it in self._drivers(rare)]
        picked = " UNION ".join(
            f"SELECT * FROM ({it.sql}) AS branch"  # noqa: S608  constants only
            for it in branches
        )
        rows, runs = self._table("run_rows"), self._table("runs")
        sql = (
            f"SELECT r.run_id, r.state, h.last_seq, r.attention, {self._stale}"  # noqa: S608
            f" FROM ({picked}) AS picked JOIN {rows} r ON r.run_id = picked.run_id"
            f" JOIN {runs} h ON h.run_id = picked.run_id"
            " ORDER BY picked.created_us DESC, picked.run_id DESC LIMIT ?"
        )
        return Query(sql, [*(it for branch in branches for it in branch.arguments), limit])

    def counts(self, rare: Rare | None) -> Query:
        """The number of rows that match, by status, and whether any row is stale."""
        where, arguments = self._counted(rare)
        sql = (
            f"SELECT r.status, count(*), {self._stale} FROM {self._table('run_rows')} r"  # noqa: S608
            f" WHERE {where} GROUP BY r.status"
        )
        return Query(sql, arguments)

    def _counted(self, rare: Rare | None) -> tuple[str, list[object]]:
        """What the rows that are counted must fulfil."""
        where: list[str] = []
        arguments: list[object] = []
        if rare is not None:
            inner = self._words("run_id", rare.prefix)
            where, arguments = [f"r.run_id IN ({inner.sql})"], [*inner.arguments]
        prefixes = self._unmet(rare is not None)
        more = self._conditions("r", self._statuses, prefixes, self.labels)
        return " AND ".join([*where, *more[0]]) or "true", [*arguments, *more[1]]

    def sums(self, rare: Rare | None) -> Query:
        """As `counts`, with what those runs have used; `columns.summed` reads its rows.

        The inner groups are those of the index that has all that a sum is made of.
        """
        where, arguments = self._counted(rare)
        sql = (
            f"SELECT status, {TOTALS}, {self._stale}"  # noqa: S608  constants only
            f" FROM (SELECT r.tenant, r.status, {SUMS} FROM {self._table('run_rows')} r"
            f" WHERE {where} GROUP BY r.tenant, r.status) AS of_tenant GROUP BY status"
        )
        return Query(sql, arguments)

    def _drivers(self, rare: Rare | None) -> list[_Driver]:
        """What to follow: the branches of the query."""
        labels, statuses = self.labels, self._statuses
        if rare is not None and rare.words is None:
            range_ = self._under(rare.prefix)
            return [_Driver("run_words", *range_, statuses, labels, is_rare=True)]
        if rare is not None and rare.words is not None:
            return [
                _Driver("run_words", "d.word = ?", [word], statuses, labels, is_rare=True)
                for word in rare.words
            ]
        if labels:
            first, *others = labels
            parts = first.followed("d.")
            return [_Driver("run_labels", *part, statuses, others) for part in parts]
        if not statuses or self._is_narrow:
            return [_Driver(None, "", [], statuses, [])]
        return [_Driver(None, "", [], frozenset({it}), []) for it in sorted(statuses)]

    @property
    def _is_narrow(self) -> bool:
        """True if a filter is given whose index finds few rows."""
        it = self._wanted
        ended = it.ended_after or it.ended_before
        return bool(it.batch or it.parent or it.root or it.forked_from or it.attention or ended)

    def _unmet(self, longest: bool) -> Sequence[str]:
        """The prefixes to check; the longest need not be where its entries are followed."""
        return self.prefixes[1:] if longest else self.prefixes

    def _branch(self, driver: _Driver, limit: int, before: Position | None) -> Query:
        """Runs of one driver, newest first."""
        on, rows = ("d" if driver.table else "r"), f"{self._table('run_rows')} r"
        more = self._conditions(on, driver.statuses, self._unmet(driver.is_rare), driver.labels)
        joined = rows
        if driver.table:
            joined = f"{self._table(driver.table)} d"
            if any("r." in condition for condition in more[0]):
                joined += f" JOIN {rows} ON r.run_id = d.run_id"
        where, arguments = ([driver.where] if driver.where else []), [*driver.arguments]
        if before is not None:
            where.append(f"({on}.created_us, {on}.run_id) < (?, ?)")
            arguments += before
        where, arguments = [*where, *more[0]], [*arguments, *more[1], limit]
        distinct = "DISTINCT " if driver.is_rare else ""
        return Query(
            f"SELECT {distinct}{on}.run_id, {on}.created_us FROM {joined}"  # noqa: S608
            f" WHERE {' AND '.join(where) or 'true'}"
            f" ORDER BY {on}.created_us DESC, {on}.run_id DESC LIMIT ?",
            arguments,
        )

    def _conditions(
        self,
        on: str,
        statuses: frozenset[RunStatus] | None,
        prefixes: Sequence[str],
        labels: Sequence[Label],
    ) -> tuple[list[str], list[object]]:
        """What each row must fulfil besides what its driver does."""
        found = [*self._given(on)]
        if statuses is not None:
            places = ", ".join("?" * len(statuses))
            found.append((f"r.status IN ({places})" if statuses else "false", sorted(statuses)))
        found += [(f"{self._dialect.find}(r.words, ?) > 0", [f" {it}"]) for it in prefixes]
        stored = self._table("run_labels")
        found += [label.held_by(on, stored) for label in labels]
        if self._wanted.conversation is False:
            held, arguments = OF_CONVERSATIONS.held_by(on, stored)
            found.append((f"NOT {held}", arguments))
        return [where for where, _ in found], [it for _, values in found for it in values]

    def _given(self, on: str) -> Iterator[tuple[str, Sequence[object]]]:
        """Conditions on columns of the row, but for its status; some columns `on` also has."""
        it = self._wanted
        if self._tenant is not None:
            yield f"{on}.tenant = ?", [self._tenant]
        for name in ("agent", "model", "batch", "parent", "root", "forked_from"):
            if (value := getattr(it, name)) is not None:
                yield f"r.{name} = ?", [indexed(value)]
        if it.attention is not None:
            yield f"r.attention IS {'NOT ' if it.attention else ''}NULL", []
        for condition, bound in (
            (f"{on}.created_us >= ?", it.created_after),
            (f"{on}.created_us < ?", it.created_before),
            ("r.ended_us >= ?", it.ended_after),
            ("r.ended_us < ?", it.ended_before),
        ):
            if bound is not None:
                yield condition, [microseconds(bound)]

    def _words(self, columns: str, prefix: str) -> Query:
        where, arguments = self._under(prefix)
        return Query(f"SELECT {columns} FROM {self._table('run_words')} d WHERE {where}", arguments)  # noqa: S608

    def _under(self, prefix: str) -> tuple[str, list[object]]:
        """Entries whose word begins with the prefix."""
        return "d.word >= ? AND d.word < ?", [prefix, prefix + _BOUND]

    @property
    def _stale(self) -> str:
        """True if any row is behind its facts, or its sums behind the row."""
        tables = (self._table("stale_rows"), self._table("unsummed_rows"))
        return f"({' OR '.join(f'EXISTS (SELECT 1 FROM {it})' for it in tables)})"  # noqa: S608

    def _table(self, name: str) -> str:
        return f"{self._dialect.schema}{name}"


class _Driver(NamedTuple):
    """One index to follow."""

    table: str | None
    """`run_words` or `run_labels`; None for the rows themselves."""
    where: str
    arguments: list[object]
    statuses: frozenset[RunStatus] | None
    labels: Sequence[Label]
    """What is left to check."""
    is_rare: bool = False
    """True if it stands for the longest prefix."""
