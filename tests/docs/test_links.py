"""Links lead somewhere, and files that pages name are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name_of, paths


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{name_of(page)}: there is no {link}"
        if heading:
            assert heading in anchors(target), f"{name_of(page)}: no heading for {link}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for path in paths(page):
        there = (ROOT / path).exists() or (page.parent / path).exists()
        assert there, f"{name_of(page)} names `{path}`, which is not in the repository"


def test_headings_are_named_as_github_does(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b-c`: d_e?\n## [Again](x.md)\n## Again\n```sh\n# not one\n```\n")
    assert anchors(page) == {"a-b-c-d_e", "again", "again-1"}
    page.write_text("[a](b.md#c) ![p](p.png) [d](https://e.example) `tests/x.py` `a/b` `docs/q`\n")
    assert links(page) == ["b.md#c"]
    assert [*paths(page)] == ["tests/x.py", "docs/q"]


def test_every_page_is_reached_from_the_readme() -> None:
    reached, unread = set[Path](), [ROOT / "README.md"]
    while unread:
        page = unread.pop()
        if page not in reached:
            reached.add(page)
            targets = ((page.parent / link.partition("#")[0]).resolve() for link in links(page))
            unread += [it for it in targets if it.suffix == ".md" and it.exists()]
    assert {name_of(page) for page in PAGES} <= {name_of(page) for page in reached}


def test_every_decision_is_in_the_index_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    rows = (folder / "README.md").read_text().splitlines()
    for page in folder.glob("0*.md"):
        title = page.read_text().splitlines()[0].partition(". ")[2]
        assert f"| [{page.name[:4]}]({page.name}) | {title} |" in rows
