"""Cost against load: what counts as whole and in time, and the chart that is drawn of it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import chart
from benchmarks.chart import BadDocument, caption, decades, draw, panels, placed
from benchmarks.load import run_figures, viewer_figures, window
from benchmarks.measure import Figure, as_json, verdict
from benchmarks.report import Document, Host, as_text
from benchmarks.sse import Frame
from benchmarks.viewers import Show

HOST = Host(machine="x86_64", processor="AMD <7B13>", cores=2, memory_gb=8.0, python="3.11.7")
DOCUMENT = Document(
    command="python -m benchmarks --only load",
    date="2026-11-29",
    quick=False,
    journal="SQLite",
    load_before=0.2,
    host=HOST,
    figures=[],
)
PAGE = "# Page\n\n<!-- load-sqlite.svg -->\nold\n<!-- end of load-sqlite.svg -->\n\nMore.\n"


def stream(*seqs: int, at: float = 10.5) -> list[Frame]:
    data = b'{"at":"1970-01-01T00:00:10Z"}'
    return [
        *(Frame(at, seq, "message.delta", data) for seq in seqs),
        Frame(at, len(seqs) + 1, "run.completed", data),
    ]


def show(viewers: int, growth_mb: float) -> Show:
    return Show(viewers, viewers, 100, [1.0], 20.0, growth_mb, 0.1)


def figures() -> list[Figure]:
    seen = [window([stream(1, 2)] * runs, 10, 11, {"worker": 0.1, "api": 0.05}) for runs in (1, 20)]
    watched = [viewer_figures(show(each, 20), show(each, 10), 50) for each in (1, 1000, 5000)]
    return [figure for part in (*map(run_figures, seen), *watched) for figure in part]


def test_only_deltas_of_the_window_count_but_every_stream_must_be_whole() -> None:
    seen = window([stream(1, 2), stream(1, 3), stream(1, 2, at=12), []], 10, 11, {"api": 1.0})
    assert (seen.runs, seen.whole) == (4, 2)
    assert seen.ms == [pytest.approx(500)] * 4
    assert seen.seconds == 1


def test_the_limits_are_those_of_the_greatest_load() -> None:
    limited = {
        (it.load, it.name.partition(": ")[2]) for it in figures() if it.limit is not None
    } - {(it.load, it.name.partition(": ")[2]) for it in figures() if it.rule == "none"}
    assert limited == {(5000, "memory of the API per viewer")}
    most = window([stream(1, 2)] * 500, 10, 11, {"api": 1.0})
    judged = {it.name: verdict(it) for it in run_figures(most) if it.limit is not None}
    assert judged["runs at once: written → received, p95"] == "short x10.00"
    assert judged["runs at once: deltas received"] == "short x9.00"


def test_memory_is_told_per_viewer_once_there_are_many() -> None:
    told = {it.load: it for it in figures() if "memory" in it.name}
    assert {load: (it.ours, it.floor) for load, it in told.items()} == {
        1000: (20, 10),
        5000: (4, 2),
    }


def test_a_chart_has_a_line_for_each_kind_of_process_and_dots_for_each_load() -> None:
    drawn = panels([as_json(figure) for figure in figures()])
    assert [line.name for line in drawn[0].lines] == ["worker", "api"]
    assert drawn[0].lines[0].points == [(1, 50_000), (20, 2500)]
    tree = ElementTree.fromstring(chart.svg(drawn, caption(DOCUMENT, chart.BENCH)))  # noqa: S314  our own
    dots = tree.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == sum(len(line.points) for panel in drawn for line in panel.lines)
    for dot in dots:
        assert 0 < float(dot.attrib["cx"]) < chart.WIDTH
        assert 0 < float(dot.attrib["cy"]) < chart.HEIGHT


def test_what_a_logarithm_can_not_show_is_left_out() -> None:
    [one] = [
        it for it in run_figures(window([stream(1)], 10, 11, {"api": 0.0})) if "CPU" in it.name
    ]
    kept = Figure("load", one.name, "µs", 5.0, load=20)
    [line] = panels([as_json(one), as_json(kept)])[0].lines
    assert line.points == [(20, 5)]


@pytest.mark.parametrize(
    ("values", "powers"),
    [([], (0, 1)), ([10], (1, 2)), ([1, 5000], (0, 4)), ([0.2, 3], (-1, 1))],
)
def test_axes_end_at_powers_of_ten(values: list[float], powers: tuple[int, int]) -> None:
    assert decades(values) == powers


def test_the_page_shows_the_drawing_with_command_machine_and_date(tmp_path: Path) -> None:
    page, results = tmp_path / "scaling.md", tmp_path / "bench.json"
    page.write_text(PAGE)
    results.write_text(as_text(DOCUMENT, figures()))
    for _ in range(2):  # again changes nothing
        assert draw(results, page) == [tmp_path / "load-sqlite.svg", page]
        text = page.read_text()
        assert text.startswith("# Page\n\n<!-- load-sqlite.svg -->\n![Cost against load]")
        assert text.endswith("<!-- end of load-sqlite.svg -->\n\nMore.\n")
        assert "`python -m benchmarks --only load`, 2026-11-29, SQLite, 2 cores of AMD" in text
        assert "old" not in text
    assert "AMD &lt;7B13&gt;" in (tmp_path / "load-sqlite.svg").read_text()


def test_a_page_without_a_place_for_the_drawing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"the page has no <!-- load-postgres\.svg -->"):
        placed(PAGE, "load-postgres.svg", "")


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({**DOCUMENT, "figures": []})])
def test_a_document_without_figures_of_load_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(BadDocument, match=r"bench\.json: "):
        draw(tmp_path / "bench.json", tmp_path / "page.md")
    assert not (tmp_path / "load-sqlite.svg").exists()


def test_the_real_page_has_a_place_for_both_drawings() -> None:
    for journal in ("sqlite", "postgres"):
        assert "Made by x." in placed(chart.PAGE.read_text(), f"load-{journal}.svg", "x")
