"""Times in words become half-open intervals, resolved against when they were said."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.construct import find_times, spoken
from graphmem.construct.times import MAX_TIMES

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return (datetime(year, month, day, hour, minute, tzinfo=timezone.utc) - EPOCH) // timedelta(microseconds=1)


#: Monday, 8 May 2023, 13:56 UTC.
MONDAY = us(2023, 5, 8, 13, 56)


def said(text: str, at_us: int | None = MONDAY, tz_min: int | None = 0) -> list[str]:
    """What the times of a text are in plain words; "?" where one is not resolved."""
    return [
        spoken(time.interval_us, time.granularity, tz_min=tz_min) if time.interval_us else "?"
        for time in find_times(text, at_us, tz_min)
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("We met on 3 March 2021.", "3 March 2021"),
        ("We met on March 3rd, 2021.", "3 March 2021"),
        ("We met on the 3rd of March 2021.", "3 March 2021"),
        ("2021-03-03", "3 March 2021"),
        ("3/4/2021", "4 March 2021"),
        ("13/4/2021", "13 April 2021"),
        ("3.4.2021", "3 April 2021"),
        ("Sept 9, 2020", "9 September 2020"),
        ("in May 2019", "May 2019"),
        ("in 2019", "2019"),
        ("the 1990s", "the 1990s"),
        ("the '90s", "the 1990s"),
        ("the nineties", "the 1990s"),
        ("in the 19th century", "the 19th century"),
        ("from May to July 2020", "May 2020 to July 2020"),
        ("from November to February 2020", "November 2019 to February 2020"),
        ("from 3 May to 5 July 2020", "between 3 May 2020 and 5 July 2020"),
        ("May 3-5, 2020", "between 3 May 2020 and 5 May 2020"),
        ("between 1990 and 1995", "1990 to 1995"),
        ("(1911 - 1987)", "1911 to 1987"),
        ("spring 2021", "spring 2021"),
        ("early 2020", "January 2020 to April 2020"),
        ("Christmas 2019", "25 December 2019"),
        ("Christmas Eve 2019", "24 December 2019"),
        ("Easter 2024", "31 March 2024"),
        ("Thanksgiving 2023", "23 November 2023"),
        ("29 February 2024", "29 February 2024"),
    ],
)
def test_absolute_times_need_no_reference(text: str, meant: str) -> None:
    assert said(text, None, None) == [meant]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("yesterday", "7 May 2023"),
        ("the day before yesterday", "6 May 2023"),
        ("today", "8 May 2023"),
        ("tomorrow", "9 May 2023"),
        ("this morning", "8 May 2023, morning"),
        ("last night", "7 May 2023, night"),
        ("yesterday evening", "7 May 2023, evening"),
        ("last week", "the week of 1 May 2023"),
        ("next week", "the week of 15 May 2023"),
        ("the week before last", "the week of 24 April 2023"),
        ("last weekend", "the weekend of 6 May 2023"),
        ("this weekend", "the weekend of 13 May 2023"),
        ("the weekend before last", "the weekend of 29 April 2023"),
        ("last month", "April 2023"),
        ("last year", "2022"),
        ("next year", "2024"),
        ("last summer", "summer 2022"),
        ("last winter", "winter 2022"),
        ("last Friday", "5 May 2023"),
        ("last Monday", "1 May 2023"),
        ("next Friday", "12 May 2023"),
        ("on Friday", "5 May 2023"),
        ("I will go on Friday", "12 May 2023"),
        ("the Friday before last", "28 April 2023"),
        ("three days ago", "5 May 2023"),
        ("a few days ago", "between 3 May 2023 and 6 May 2023"),
        ("two weeks ago", "between 21 April 2023 and 27 April 2023"),
        ("a couple of months ago", "February 2023 to March 2023"),
        ("two years ago", "2021"),
        ("in two years", "2025"),
        ("in March", "March 2023"),
        ("in June", "June 2022"),
        ("we plan to marry in June", "June 2023"),
        ("last May", "May 2022"),
        ("late April", "between 21 April 2023 and 30 April 2023"),
        ("on 3 March", "3 March 2023"),
        ("since 2018", "between 1 January 2018 and 8 May 2023"),
        ("the past three years", "between 8 May 2020 and 8 May 2023"),
        ("at noon", "8 May 2023, 12:00"),
        ("yesterday at 5:30 pm", "7 May 2023, 17:30"),
        ("tomorrow, at 17:30", "9 May 2023, 17:30"),
        ("last Christmas", "25 December 2022"),
    ],
)
def test_relative_times_are_resolved_against_when_they_were_said(text: str, meant: str) -> None:
    assert said(text) == [meant]


@pytest.mark.parametrize("text", ["yesterday", "last Friday", "two weeks ago", "in May", "this summer", "at noon"])
def test_without_a_reference_a_relative_time_is_found_and_not_resolved(text: str) -> None:
    assert said(text, None) == ["?"]


@pytest.mark.parametrize(
    "text",
    [
        "You may march with the sun, and sat down second.",
        "It may be that this may work.",
        "The fall of the house, the spring in the well.",
        "He paid 2000 dollars and 1500 people came.",
        "Chapter 12.5 of version 2.0.1",
        "the next day he left",
    ],
)
def test_ordinary_words_and_numbers_are_no_times(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    "text", ["30 February 2021", "2021-02-30", "29 February 2023", "31/31/2021", "5000 years ago", "2021-13-01"]
)
def test_a_date_that_does_not_exist_is_not_resolved(text: str) -> None:
    assert set(said(text)) <= {"?"}


def test_a_length_of_time_is_no_point() -> None:
    (time,) = find_times("We lived there for three years.", MONDAY, 0)
    assert (time.granularity, time.interval_us, time.text) == ("duration", None, "three years")


def test_days_begin_at_midnight_of_the_sources_own_offset() -> None:
    late = us(2023, 5, 8, 23, 30)
    (there,) = find_times("yesterday", late, 120)
    assert there.interval_us == (us(2023, 5, 7, 22), us(2023, 5, 8, 22))
    assert said("yesterday", late, 120) == ["8 May 2023"]
    assert said("yesterday", late, -300) == ["7 May 2023"]


def test_months_and_years_end_where_the_calendar_says() -> None:
    assert said("yesterday", us(2024, 3, 1)) == ["29 February 2024"]
    assert said("yesterday", us(2023, 1, 1)) == ["31 December 2022"]
    assert said("last month", us(2023, 1, 31)) == ["December 2022"]
    assert said("last week", us(2023, 1, 2)) == ["the week of 26 December 2022"]
    (december,) = find_times("December 2022", None, None)
    assert december.interval_us == (us(2022, 12, 1), us(2023, 1, 1))


def test_the_seasons_of_the_year_that_winter_begins_in() -> None:
    assert said("this winter", us(2023, 1, 15)) == ["winter 2022"]
    assert said("last summer", us(2023, 10, 15)) == ["summer 2023"]
    assert said("last summer", us(2023, 7, 15)) == ["summer 2022"]


def test_spans_are_those_of_the_words_alone() -> None:
    text = "I moved in 2019 (in spring), then again on 3 May 2021."
    for time in find_times(text, MONDAY, 0):
        assert text[time.start : time.end] == time.text
    assert [time.text for time in find_times(text, MONDAY, 0)] == ["2019", "spring", "3 May 2021"]


def test_a_long_log_is_read_to_a_bound() -> None:
    assert len(find_times("on 2021-03-03 it ran. " * 10_000, MONDAY, 0)) == MAX_TIMES


@given(st.text(max_size=200), st.one_of(st.none(), st.integers(-(2**70), 2**70)), st.integers(-900, 900))
def test_any_text_and_any_reference_give_sound_spans(text: str, at_us: int | None, tz_min: int) -> None:
    end = 0
    for time in find_times(text, at_us, tz_min):
        assert end <= time.start < time.end <= len(text)
        assert text[time.start : time.end] == time.text
        assert time.interval_us is None or time.interval_us[0] < time.interval_us[1]
        end = time.end


WORDS = st.sampled_from(
    "in on last next this the a few two weeks days ago May march 3 30 31 February 2021 yesterday Friday morning summer "
    "from to - between and since Christmas at 5 pm 1990s early of , . week before year 0 99 year's 12:75".split()
)


@given(st.lists(WORDS, max_size=14).map(" ".join), st.integers(us(1, 1, 3), us(9990, 1, 1)))
def test_any_run_of_time_words_gives_sound_intervals(text: str, at_us: int) -> None:
    for time in find_times(text, at_us, 0):
        assert time.interval_us is None or time.interval_us[0] < time.interval_us[1]
        if time.interval_us is not None:
            assert spoken(time.interval_us, time.granularity)
