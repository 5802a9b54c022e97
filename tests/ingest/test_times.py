"""Times as chats write them."""

from __future__ import annotations

import pytest

from graphmem.ingest.times import moment

NOON = 1_683_554_160_000_000  # 2023-05-08 13:56 UTC


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2023-05-08T13:56", (NOON, None)),
        ("2023-05-08T13:56Z", (NOON, 0)),
        ("2023-05-08T15:56:00+02:00", (NOON, 120)),
        ("2023-05-08 08:26-05:30", (NOON, -330)),
        ("2023-05-08 13:56:00 UTC", (NOON, None)),
        (1_683_554_160, (NOON, None)),
        (1_683_554_160_000, (NOON, None)),
        (1_683_554_160_000_000, (NOON, None)),
        ("1683554160.000200", (NOON + 200, None)),
        ("1:56 pm on 8 May, 2023", (NOON, None)),
        ("12:00 am on 1 January, 1970", (0, None)),
        ("12:30 pm on 1 Jan, 1970", (45_000_000_000, None)),
        ("1969-12-31T23:59:59Z", (-1_000_000, 0)),
        ("2 January 1970", (86_400_000_000, None)),
    ],
)
def test_a_time_is_microseconds_and_the_offset_that_was_written(
    written: object, expected: tuple[int, int | None]
) -> None:
    assert moment(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "2023-02-30",
        "31 June, 2023",
        "13:00 pm on 8 May, 2023",
        "1:75 pm on 8 May, 2023",
        "8 Maybe 2023",
        "yesterday",
        "",
        True,
        None,
        [],
        float("nan"),
        10**40,
        "9" * 17,
    ],
)
def test_what_is_no_time_says_what_it_saw(written: object) -> None:
    with pytest.raises(ValueError, match=r"is not a|is too large"):
        moment(written)
