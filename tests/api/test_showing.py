"""How results are shown: as text, as JSON, as a tree."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from graphmem.api.environment import SETTINGS
from graphmem.api.explain import PATHS_SHOWN, label, show_recall, spoken
from graphmem.api.progress import duration
from graphmem.api.terminal import fail, one_line, printable
from graphmem.api.wire import ids_of, iso, recall_json
from graphmem.errors import InputError, StoreBusy
from graphmem.schema import EdgeType, Path, Recall, Step
from tests.api.fakes import NODES, NOTE, OTHER, PASSAGE, SECTION, SOURCE, OneNote


def drawn(recall: Recall, *, explain: bool) -> str:
    console = Console(file=io.StringIO(), width=120, highlight=False)
    show_recall(console, recall, NODES, explain=explain)
    return console.file.getvalue()


def test_a_hit_says_who_when_and_where() -> None:
    shown = drawn(OneNote().recall("x"), explain=False)
    assert "1. 0.750 I moved to Zurich in May." in shown
    assert "Ada · 2026-05-12 12:00 · Letters · spring" in shown


def test_a_tree_names_each_step_and_its_weights_sum_to_the_score() -> None:
    shown = drawn(OneNote().recall("x"), explain=True)
    assert "same words ×0.500" in shown
    assert sum(float(weight) for weight in re.findall(r"\+([0-9.]+) ", shown)) == pytest.approx(0.75)


def test_many_paths_are_summed_so_that_the_tree_still_adds_up() -> None:
    recall = OneNote().recall("x")
    paths = tuple(Path((Step("seed:text", None, PASSAGE.id, 0.1),), 0.1) for _ in range(PATHS_SHOWN + 3))
    shown = drawn(replace(recall, hits=(replace(recall.hits[0], paths=paths, score=0.7),)), explain=True)
    assert "3 smaller paths" in shown
    assert sum(float(weight) for weight in re.findall(r"\+([0-9.]+) ", shown)) == pytest.approx(0.7)


def test_finding_nothing_and_leaving_out_are_said() -> None:
    shown = drawn(Recall("x", (), (), degraded=("deadline: stopped after hop 1",)), explain=False)
    assert shown.splitlines() == ["nothing found", "left out: deadline: stopped after hop 1"]


def test_text_is_never_read_as_markup() -> None:
    recall = OneNote().recall("x")
    note = replace(recall.hits[0].note, text="[red]not a colour[/red]")
    assert "[red]not a colour[/red]" in drawn(
        replace(recall, hits=(replace(recall.hits[0], note=note),)), explain=False
    )


def test_every_kind_of_step_reads_as_words() -> None:
    for edge in EdgeType:
        for kind in (edge.name.lower(), f"~{edge.name.lower()}"):
            assert re.fullmatch(r"[a-z ]+", spoken(kind))


def test_every_kind_of_node_has_a_label() -> None:
    shown = [label(node, node.id) for node in (PASSAGE, NOTE, SOURCE, SECTION)]
    assert shown == [f"“Ada: {PASSAGE.text}”", f"“{NOTE.text}”", "Letters", "spring"]
    assert label(None, "1234") == "1234"


def test_ids_to_look_up_cover_sources_sections_and_steps() -> None:
    assert ids_of(OneNote().recall("x")) == {SOURCE.id, SECTION.id, PASSAGE.id, NOTE.id, OTHER.id}


def test_a_node_that_is_gone_is_shown_as_its_id() -> None:
    told = recall_json(OneNote().recall("x"), {})
    assert told["hits"][0]["passage"]["source"] == {"id": SOURCE.id}


@pytest.mark.parametrize(
    ("at_us", "tz_min", "shown"),
    [
        (None, None, None),
        (0, None, "1970-01-01T00:00:00Z"),
        (0, 90, "1970-01-01T01:30:00+01:30"),
        (-1, None, "1969-12-31T23:59:59.999999Z"),
        (2**62, None, None),
    ],
)
def test_times_are_iso_8601(at_us: int | None, tz_min: int | None, shown: str | None) -> None:
    assert iso(at_us, tz_min) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(8.4, "8 s"), (125, "2 min 05 s"), (3780, "1 h 03 min")])
def test_durations_read_as_people_say_them(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31mb\tc\nd\u202e") == "a\ufffd[31mb\tc\nd\ufffd"
    assert printable("\N{WOMAN}\u200d\N{ROCKET}") == "\N{WOMAN}\u200d\N{ROCKET}"
    assert one_line("a\n b" + "c" * 200, 10) == "a bcccccc…"


def test_an_error_is_one_line_with_where_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    code = fail(StoreBusy("another writer holds it", hint="try again", source="a.db"))
    assert code == 4
    assert capsys.readouterr().err == "graphmem: a.db: another writer holds it. Try again\n"
    assert fail(InputError("no")) == 2
    assert fail(RuntimeError("no")) == 1


def test_settings_are_told_apart_by_name_and_all_say_what_they_are() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.about for setting in SETTINGS)
