"""The four patterns: the workload that is drawn, what is made of a round, what the page shows."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import drawn
from benchmarks.chart import BadDocument
from benchmarks.measure import Figure, as_json, verdict
from benchmarks.patterns import drawing, page
from benchmarks.patterns.clients import GIVE_UP_S, Seen
from benchmarks.patterns.figures import Pattern, figures, twice, unmeasured
from benchmarks.patterns.provider import asked
from benchmarks.patterns.rounds import Ledger, Peak, Round, Trouble
from benchmarks.patterns.workload import (
    LONGEST_S,
    MODEL_CALLS,
    NEEDED,
    SHORTEST_S,
    SLOW_TOOL_S,
    heavy_tailed,
    plan,
)
from benchmarks.report import Document, as_text
from tests.benchmarks.test_load import DOCUMENT

MEASURED: Document = {**DOCUMENT, "commit": "0123456789", "load_before": 3.0}
PAGE = "# Page\n\n<!-- patterns: generated -->\nold\n<!-- /patterns -->\n\n## More\n"
SVG = "{http://www.w3.org/2000/svg}"


def seen(**known: float) -> Seen:
    return Seen("job", began=100.0, accepted=100.1, first=101.0, **known)  # type: ignore[arg-type]


def round_of(trouble: Trouble, *users: Seen, tokens: int = NEEDED) -> Round:
    ledger = Ledger({"job": 3}, {"job": tokens}, refused=7)
    return Round(trouble, 20, 5.0, list(users), ledger, Peak(300.0, 50), {"api": 0.2})


def told(pattern: Pattern, found: Round) -> dict[str, Figure]:
    return {it.name.removeprefix(f"{pattern}: "): it for it in figures(pattern, found)}


def all_figures() -> list[Figure]:
    ended = seen(ended=104.0, submissions=1)
    return [
        *figures(Pattern.SYNC, round_of(Trouble.OUTAGE, ended)),
        *figures(Pattern.OURS, round_of(Trouble.OUTAGE, ended)),
        *figures(Pattern.SYNC, round_of(Trouble.KILL, seen(submissions=5))),
        *figures(Pattern.OURS, round_of(Trouble.KILL, ended)),
        unmeasured(Pattern.QUEUE, "redis-server is not installed"),
    ]


def test_model_calls_take_from_a_fifth_of_a_second_to_twenty_with_a_heavy_tail() -> None:
    assert heavy_tailed(0) == pytest.approx(SHORTEST_S)
    assert heavy_tailed(1) == pytest.approx(LONGEST_S)
    assert heavy_tailed(0.5) == pytest.approx(1.2, abs=0.05)
    assert heavy_tailed(0.9) > 8 * heavy_tailed(0.5) * 0.9


def test_a_run_has_the_same_steps_whoever_draws_them_and_one_tool_in_twenty_is_slow() -> None:
    assert plan("job-1") == plan("job-1") != plan("job-2")
    plans = [plan(f"job-{number}") for number in range(2000)]
    assert all(len(steps) == MODEL_CALLS and steps[-1].tool_s is None for steps in plans)
    tools = [step.tool_s for steps in plans for step in steps[:-1]]
    assert 0.04 < tools.count(SLOW_TOOL_S) / len(tools) < 0.06
    assert all(SHORTEST_S <= step.model_s <= LONGEST_S for steps in plans for step in steps)


@pytest.mark.parametrize("content", ['{"job": "a"}', [{"type": "text", "text": '{"job": "a"}'}]])
def test_the_provider_tells_run_and_step_from_the_conversation(content: object) -> None:
    told_by: list[dict[str, object]] = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": content},
    ]
    assert asked(told_by) == ("a", 0)
    assert asked([*told_by, {"role": "assistant", "content": ""}, {"role": "tool"}]) == ("a", 1)


def test_only_what_a_run_has_paid_beyond_one_pass_is_paid_twice() -> None:
    assert twice([NEEDED, NEEDED - 100, NEEDED + 40, 3 * NEEDED]) == 40 + 2 * NEEDED


def test_times_are_on_the_workloads_clock_and_who_left_counts_with_the_whole_wait() -> None:
    users = [seen(ended=104.0, submissions=1), Seen("job", began=100.0, submissions=4)]
    found = told(Pattern.SYNC, round_of(Trouble.OUTAGE, *users))
    assert found["end, p50"].ours == pytest.approx(20)
    assert found["end, p95"].ours == GIVE_UP_S
    assert found["submitted again"].ours == 3
    assert found["calls during the outage"].ours == 7
    assert found["CPU per run"].ours == pytest.approx(100)


def test_who_is_left_without_an_answer_counts_against_us_only() -> None:
    lost = seen(submissions=1)
    name = "kill: users without an answer"
    assert verdict(told(Pattern.OURS, round_of(Trouble.KILL, lost))[name]) == "short"
    assert verdict(told(Pattern.SYNC, round_of(Trouble.KILL, lost))[name]) == ""
    assert "end, p50" not in told(Pattern.OURS, round_of(Trouble.KILL, lost))


def test_a_drawing_has_a_bar_for_each_value_and_follows_light_and_dark() -> None:
    values = drawing.found([as_json(it) for it in all_figures()])
    for panels in (drawing.by_load(values), drawing.by_trouble(values)):
        text = drawing.svg("title", panels, "by <me>")
        assert "@media (prefers-color-scheme: dark)" in text
        bars = ElementTree.fromstring(text).findall(f".//{SVG}rect")  # noqa: S314  our own
        legend = len({bar.pattern for panel in panels for bar in panel.bars})
        assert len(bars) == legend + sum(len(panel.bars) for panel in panels)
        assert all(float(bar.attrib["height"]) >= 0 for bar in bars)


def test_the_page_has_tables_drawings_machine_command_commit_and_what_is_missing(
    tmp_path: Path,
) -> None:
    shown, results = tmp_path / "choosing.md", tmp_path / "bench.json"
    shown.write_text(PAGE)
    results.write_text(as_text(MEASURED, all_figures()))
    for _ in range(2):  # again changes nothing
        names = [path.name for path in page.draw(results, shown)]
        assert names == [
            *("choosing-load.svg", "choosing-faults.svg", "choosing.json", "choosing.md"),
        ]
        text = shown.read_text()
        assert text.startswith("# Page\n")
        assert text.endswith("<!-- /patterns -->\n\n## More\n")
        for part in ("commit 0123456789", "2 cores of AMD", "did other work at the same time"):
            assert part in text
        assert "queue, polled: not measured: redis-server is not installed." in text
        assert "| end, p50 | 20 | 20 |" in text
        assert "| users without an answer | 1 | 0 |" in text
        assert "old" not in text
    results = tmp_path / "choosing.json"  # what was kept draws the same again
    page.draw(results, shown)
    assert shown.read_text() == text


@pytest.mark.parametrize("text", ["", "[]", json.dumps(DOCUMENT)])
def test_a_document_without_figures_of_the_comparison_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "choosing.md").write_text(PAGE)
    (tmp_path / "bench.json").write_text(text)
    for draw in (lambda path: page.draw(path, tmp_path / "choosing.md"), drawn):
        with pytest.raises(BadDocument, match=r"bench\.json: "):
            draw(tmp_path / "bench.json")


def test_what_the_real_page_shows_is_drawn_from_the_document_beside_it() -> None:
    kept, text = page.PAGE.with_suffix(".json"), page.PAGE.read_text()
    if not kept.exists():
        assert "Not measured yet." in text
        return
    document = json.loads(kept.read_text())
    assert page.written(text, document, page.PAGE.stem) == text, "draw it again, with --chart"
    for name, content in page.drawn(document, page.PAGE.stem).items():
        assert page.PAGE.with_name(name).read_text() == content, f"draw {name} again, with --chart"
