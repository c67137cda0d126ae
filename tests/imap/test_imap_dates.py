"""INTERNALDATE."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.imap.dates import format_date, parse_date


@given(st.integers(0, 253402300799))
def test_a_date_survives(seconds: int) -> None:
    assert parse_date(format_date(seconds)) == seconds


def test_a_date_is_written_in_utc_with_english_months() -> None:
    assert format_date(837596665) == b"17-Jul-1996 09:44:25 +0000"


def test_what_four_digits_cannot_say_becomes_the_nearest() -> None:
    assert format_date(-5) == b"01-Jan-1970 00:00:00 +0000"
    assert format_date(10**15) == b"31-Dec-9999 23:59:59 +0000"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"17-Jul-1996 02:44:25 -0700", 837596665),
        (b" 1-jan-1970 00:00:00 +0000", 0),
        (b"01-Jan-1970 00:00:00 -0330", 12600),
        (b"30-Jun-2015 23:59:60 +0000", 1435708800),
        (b"01-Jan-0001 00:00:00 +0000", -62135596800),
        (b"29-Feb-2023 00:00:00 +0000", None),
        (b"01-Jan-0000 00:00:00 +0000", None),
        (b"01-Foo-2023 00:00:00 +0000", None),
        (b"00-Jan-2023 00:00:00 +0000", None),
        (b"01-Jan-2023 24:00:00 +0000", None),
        (b"01-Jan-2023 00:60:00 +0000", None),
        (b"01-Jan-2023 00:00:61 +0000", None),
        (b"01-Jan-2023 00:00:00 +2400", None),
        (b"01-Jan-2023 00:00:00 +0060", None),
        (b"01-Jan-2023 00:00:00 GMT", None),
        (b"01-Jan-2023", None),
        (b"garbage", None),
        (b"", None),
    ],
)
def test_a_date_is_read_or_found_to_be_none(text: bytes, seconds: int | None) -> None:
    assert parse_date(text) == seconds


@given(st.binary(max_size=40))
def test_any_octets_are_a_date_or_none(text: bytes) -> None:
    assert parse_date(text) is None or isinstance(parse_date(text), int)
