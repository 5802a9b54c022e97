"""What a question's words say without a model."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from graphmem.recall.understand import Name, dates_in, names_in, search_terms, spoken_by_me, understand

NOW_US = int(datetime(2024, 3, 15, 12, tzinfo=timezone.utc).timestamp() * 1e6)
DAY_US = 86_400_000_000


def named(text: str, *words: str) -> tuple[Name, ...]:
    return tuple(name for name in names_in(text) if text[name.start : name.end] in words)


def test_the_person_asked_about_becomes_i_and_my() -> None:
    text = "What did Ada's brother tell Ada?"
    assert spoken_by_me(text, named(text, "Ada")) == "What did my brother tell I?"


def test_a_question_without_people_stays_as_it_is() -> None:
    assert spoken_by_me("Where is the key?", ()) == "Where is the key?"


def test_names_of_speakers_leave_the_search_terms() -> None:
    text = "When did Ada paint the fence?"
    assert search_terms(text, named(text, "Ada")) == ["paint", "fenc"]


def test_a_question_that_is_only_a_name_keeps_it() -> None:
    assert search_terms("Ada?", named("Ada?", "Ada")) == ["ada"]


def test_long_names_come_before_the_names_inside_them() -> None:
    folded = [name.folded for name in names_in("Who directed The Fall of the House?") if name.capital]
    assert folded.index("the fall of the house") < folded.index("fall") < folded.index("house") + 2


def test_stop_words_alone_are_no_name() -> None:
    assert not {"who", "of the", "what"} & {name.folded for name in names_in("Who of the what")}


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("When did it rain?", True),
        ("What year was that?", True),
        ("How long did it take?", True),
        ("Whenever I call, who answers?", False),
        ("What did she say when it rained?", False),
    ],
)
def test_asking_for_a_time(text: str, asks: bool) -> None:
    assert understand(text).asks_when is asks


@pytest.mark.parametrize(
    ("text", "months", "days"),
    [
        ("What happened on 7 May 2023?", (5,), (7,)),
        ("What may happen?", (), ()),
        ("Who came in May?", (5,), ()),
        ("Which book did she read in January and March?", (1, 3), ()),
        ("What happened on July 3rd?", (7,), (3,)),
    ],
)
def test_months_and_days(text: str, months: tuple[int, ...], days: tuple[int, ...]) -> None:
    dates = dates_in(text, None)
    assert (dates.months, dates.days) == (months, days)


@pytest.mark.parametrize(
    ("text", "days_ago"),
    [("What did I say yesterday?", 1), ("What broke two weeks ago?", 14), ("What did I eat today?", 0)],
)
def test_relative_times_are_intervals_around_the_day(text: str, days_ago: int) -> None:
    interval = dates_in(text, NOW_US).interval_us
    assert interval is not None
    assert interval[0] <= NOW_US - days_ago * DAY_US < interval[1]


def test_a_month_of_a_year_is_an_interval() -> None:
    interval = dates_in("What happened in December 2023?", None).interval_us
    assert interval is not None
    assert [datetime.fromtimestamp(at / 1e6, timezone.utc).isoformat()[:10] for at in interval] == [
        "2023-12-01",
        "2024-01-01",
    ]


def test_relative_times_need_a_now() -> None:
    assert dates_in("What did I say yesterday?", None).interval_us is None


@pytest.mark.parametrize("text", ["?", "", "   ", "'s", "…", "a" * 5000, "Wie heißt Çağrı O’Neill-Şen?", "0 " * 3000])
def test_any_text_can_be_read(text: str) -> None:
    question = understand(text, NOW_US)
    assert len(question.names) <= 150
    assert spoken_by_me(text, question.names[:1]) is not None
    search_terms(text, question.names[:1])
