"""Markdown, text and HTML: sections, titles, offsets."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.ingest.readers.markdown import plain
from tests.ingest.files import drafts, fault, sources, written

GUIDE = """---
title: "The lantern guide"
date: 2024-02-03
tags: [a, b]
---
Read this first.

# Lanterns *and* [lamps](https://example.org)

## Lighting

Fill it. Then light it.

```sh
# not a heading
make light

make bright
```

## Care

| part | how often |
|------|-----------|
| wick | weekly    |

Setext
------

Trim the wick.

## Care

Again.
"""


def test_markdown_sections_are_heading_paths(tmp_path: Path) -> None:
    found = drafts(written(tmp_path, "guide.md", GUIDE))
    assert [draft.section for draft in found] == [
        None,
        "Lanterns and lamps > Lighting",
        "Lanterns and lamps > Care",
        "Lanterns and lamps > Setext",
        "Lanterns and lamps > Care (2)",
    ]


def test_markdown_offsets_are_those_of_the_file(tmp_path: Path) -> None:
    for text in (GUIDE, "\ufeff" + GUIDE, GUIDE.replace("\n", "\r\n")):
        body = text.removeprefix("\ufeff")
        assert all(body[draft.start : draft.end] == draft.text for draft in drafts(written(tmp_path, "g.md", text)))


def test_markdown_keeps_code_and_tables_whole(tmp_path: Path) -> None:
    found = drafts(written(tmp_path, "guide.md", GUIDE))
    assert "```sh\n# not a heading\nmake light\n\nmake bright\n```" in found[1].text
    assert "| wick | weekly    |" in found[2].text


def test_markdown_takes_title_and_date_from_front_matter(tmp_path: Path) -> None:
    path = written(tmp_path, "guide.md", GUIDE)
    (source,) = sources(path)
    assert (source.kind, source.outside_id, source.title) == ("document", "guide.md", "The lantern guide")
    assert source.meta["front_matter"] == {"title": "The lantern guide", "date": "2024-02-03", "tags": "[a, b]"}
    assert {draft.meta["title"] for draft in drafts(path)} == {"The lantern guide"}
    assert drafts(path)[0].at_us == 1_706_918_400_000_000


def test_markdown_without_front_matter_is_titled_by_its_first_heading(tmp_path: Path) -> None:
    assert sources(written(tmp_path, "x.md", "# One `thing`\n\nText.\n\n# Two\n"))[0].title == "One thing"
    assert sources(written(tmp_path, "plain-name.md", "Text alone."))[0].title == "plain-name"
    assert drafts(written(tmp_path, "plain-name.md", "Text alone."))[0].meta == {}


def test_a_front_matter_date_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    error = fault(written(tmp_path, "x.md", "---\ndate: 2023-02-30\n---\nText."))
    assert (error.position, "2023-02-30" in error.message) == ("front matter", True)


def test_a_horizontal_rule_is_no_front_matter(tmp_path: Path) -> None:
    assert drafts(written(tmp_path, "x.md", "---\n\nText.\n"))[0].text == "---\n\nText."


def test_no_chunk_crosses_a_heading(tmp_path: Path) -> None:
    text = "".join(f"# H{number}\n\nA few words.\n\n" for number in range(20))
    found = drafts(written(tmp_path, "x.md", text))
    assert [draft.text.count("#") for draft in found] == [1] * 20


def test_headings_lose_their_markup() -> None:
    assert plain("**Bold** `code` [words](url) ![alt](img) <b>x</b>") == "Bold code words alt x"


def test_text_is_paragraphs_with_offsets(tmp_path: Path) -> None:
    text = "A short title\n\n" + "\r\n\r\n".join(f"Paragraph {n}. " + "More words. " * 30 for n in range(6))
    found = drafts(written(tmp_path, "x.txt", text))
    assert all(text[draft.start : draft.end] == draft.text for draft in found)
    assert len(found) == 3
    assert {draft.meta["title"] for draft in found} == {"A short title"}


def test_text_without_a_title_of_its_own_is_called_as_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, "letter.txt", "First line\nsecond line\n\nNext.")
    assert (sources(path)[0].title, drafts(path)[0].meta) == ("letter", {})


PAGE = """<!doctype html><html lang=en><head><title>Kites &amp; wind</title><style>p { color: red }</style></head><body>
<nav><a href=/>Home</a></nav><h1>Kites</h1>
<p>They   fly&nbsp;<b>hi</b>gh,<br>caf&eacute; side &#8212; always.</p>
<script>track()</script><!-- not this --><noscript>nor this</noscript>
<h2>Sizes</h2>
<table><tr><th>kind</th><th>size</th></tr><tr><td>delta</td>
<td>2 m</td> </tr></table>
<pre>  keep
    this</pre>
<ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>
<p hidden>not seen</p><p style="display: none">nor this</p><button>Press</button></body></html>"""


def test_html_is_its_visible_text_in_sections(tmp_path: Path) -> None:
    first, second = drafts(written(tmp_path, "kites.html", PAGE))
    assert first.text == "Kites\n\nThey fly\xa0high,\ncafé side — always."
    assert second.text == "Sizes\n\nkind | size\n\ndelta | 2 m\n\n  keep\n    this\n\none\n\ninner\n\ntwo"
    assert [first.section, second.section] == ["Kites", "Kites > Sizes"]


def test_html_offsets_are_into_its_visible_text(tmp_path: Path) -> None:
    found = drafts(written(tmp_path, "kites.html", PAGE))
    text = "\n\n".join(draft.text for draft in found)
    assert all(text[draft.start : draft.end] == draft.text for draft in found)


def test_html_is_titled_by_its_title(tmp_path: Path) -> None:
    path = written(tmp_path, "kites.html", PAGE)
    assert sources(path)[0].title == "Kites & wind"
    assert {draft.meta["title"] for draft in drafts(path)} == {"Kites & wind"}


def test_html_of_another_encoding_is_read_by_what_it_declares(tmp_path: Path) -> None:
    page = '<html><meta charset="windows-1252"><p>café “quoted”</p>'.encode("windows-1252")
    assert drafts(written(tmp_path, "x.html", page))[0].text == "café “quoted”"


def test_a_page_that_nests_without_end_is_read(tmp_path: Path) -> None:
    assert "deep" in drafts(written(tmp_path, "x.html", "<div>" * 20_000 + "deep"))[0].text


LINES = ["# A\n", "## B\n", "text. ", "\n", "\n\n", "- item\n", "```\n", "> q\n", "    code\n", "|a|b|\n|-|-|\n"]
MARKDOWN = st.lists(st.sampled_from(LINES) | st.text(max_size=20), max_size=30).map("".join)


@given(MARKDOWN)
@settings(deadline=None)
def test_markdown_offsets_hold_for_any_text(text: str) -> None:
    from graphmem.ingest.readers.document import parts
    from graphmem.ingest.readers.markdown import blocks
    from graphmem.ingest.segment import chunks

    for part in parts(blocks(text, 0)):
        for start, chunk in chunks(part.blocks):
            assert text[start : start + len(chunk)] == chunk


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=3000))
@settings(deadline=None)
def test_text_offsets_hold_for_any_text(text: str) -> None:
    from graphmem.errors import InputError

    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "x.txt", text.encode())
        body = text.removeprefix("\ufeff")
        try:
            found = drafts(path)
        except InputError:
            return
        assert all(body[draft.start : draft.end] == draft.text for draft in found)
