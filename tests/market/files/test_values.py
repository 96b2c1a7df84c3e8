"""Times and numbers are read exactly or not at all."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import FormatError
from truewind.market.files.values import TS, read_flags, read_numbers, read_times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1974, 1, 1), datetime(2199, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))


def times(*given) -> list:
    return read_times(pl.Series("t", list(given)), "x.csv").to_list()


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from(["int", "text", "iso", "naive", "ns"]))
def test_microsecond_times_survive_every_form_of_writing(moments, form):
    """A time written as integer, text of an integer, ISO text, or a nanosecond table column reads back as itself."""
    if form == "ns":
        column = (
            pl.Series("t", [micros(m) for m in moments]).cast(pl.Datetime("us", "UTC")).cast(pl.Datetime("ns", "UTC"))
        )
    elif form == "int":
        column = pl.Series("t", [micros(m) for m in moments])
    elif form == "text":
        column = pl.Series("t", [str(micros(m)) for m in moments])
    else:
        column = pl.Series("t", [(m if form == "iso" else m.replace(tzinfo=None)).isoformat(" ") for m in moments])
    assert read_times(column, "x").to_list() == moments


@given(st.integers(10**8, 10**10), st.sampled_from([1, 10**3, 10**6, 10**9]), st.booleans())
def test_the_unit_of_a_stamp_is_told_by_its_size(second, unit, as_text):
    """Seconds from 1973 to 2286 in s, ms, µs and ns are one and the same moment."""
    stamp = second * unit
    if stamp >= 2**63:
        return
    assert times(str(stamp) if as_text else stamp) == [EPOCH + timedelta(seconds=second)]


def test_a_file_that_changes_from_milliseconds_to_microseconds_is_read_right():
    """Binance spot archives did so at the turn of 2024 to 2025."""
    end = datetime(2024, 12, 31, 23, 59, tzinfo=UTC)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert times("1735689540000", "1735689600000000") == [end, start]


def test_decimal_seconds_are_read_to_the_microsecond():
    wanted = datetime(2023, 1, 1, 0, 3, 56, 123456, tzinfo=UTC)
    assert times("1672531436.123456") == [wanted]
    assert times(1672531436.123456) == [wanted]
    assert times("1672531436", "1672531436.5")[1] == datetime(2023, 1, 1, 0, 3, 56, 500000, tzinfo=UTC)
    assert times(1672531436123.0) == [datetime(2023, 1, 1, 0, 3, 56, 123000, tzinfo=UTC)]
    assert times(1672531436123456.0) == [wanted]
    assert times(1.672531436123456e18) == [wanted]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-03-01 00:01:00+00:00", datetime(2023, 3, 1, 0, 1, tzinfo=UTC)),
        ("2023-03-01T00:01:00Z", datetime(2023, 3, 1, 0, 1, tzinfo=UTC)),
        ("2023-03-01 00:01:00 UTC", datetime(2023, 3, 1, 0, 1, tzinfo=UTC)),
        ("2023-03-01 02:01:00+02:00", datetime(2023, 3, 1, 0, 1, tzinfo=UTC)),
        ("2023-03-01 00:01", datetime(2023, 3, 1, 0, 1, tzinfo=UTC)),
        ("2023-03-01", datetime(2023, 3, 1, tzinfo=UTC)),
        ("20230301", datetime(2023, 3, 1, tzinfo=UTC)),
        ("20230301 00:01", datetime(2023, 3, 1, 0, 1, tzinfo=UTC)),
        ("20230301 00:01:30", datetime(2023, 3, 1, 0, 1, 30, tzinfo=UTC)),
        ("12/31/2023", datetime(2023, 12, 31, tzinfo=UTC)),
        ("31/12/2023", datetime(2023, 12, 31, tzinfo=UTC)),
        ("31/12/2023 13:30", datetime(2023, 12, 31, 13, 30, tzinfo=UTC)),
        ("2023-02-30", None),
        ("yesterday", None),
        ("0", None),
        ("60000", None),
        ("", None),
    ],
)
def test_written_times(text, moment):
    assert times(text) == [moment]


def test_a_fraction_that_is_dropped_when_zero_does_no_harm():
    """Python writes 09:20:00.138 and 09:20:01 into one column."""
    found = times("2023-02-02 09:20:00.138000+00:00", "2023-02-02 09:20:01+00:00")
    assert found == [datetime(2023, 2, 2, 9, 20, 0, 138000, tzinfo=UTC), datetime(2023, 2, 2, 9, 20, 1, tzinfo=UTC)]


def test_one_unambiguous_row_settles_day_and_month_for_all():
    assert times("1/2/2020", "1/13/2020") == [datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 13, tzinfo=UTC)]
    assert times("1/2/2020", "13/1/2020") == [datetime(2020, 2, 1, tzinfo=UTC), datetime(2020, 1, 13, tzinfo=UTC)]


@pytest.mark.parametrize("given", [("1/2/2020", "3/4/2020"), ("13/1/2020", "1/13/2020")])
def test_dates_whose_order_nothing_settles_are_refused(given):
    with pytest.raises(FormatError, match="day/month or month/day"):
        times(*given)


def test_columns_that_hold_no_times_are_null():
    assert times(True, False) == [None, None]
    assert read_times(pl.Series("t", [datetime(2020, 1, 1).date()]), "x").to_list() == [
        datetime(2020, 1, 1, tzinfo=UTC)
    ]
    assert read_times(pl.Series("t", [datetime(2020, 1, 1)]), "x").dtype == TS


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=50))
def test_numbers_survive_their_decimal_text(numbers):
    assert read_numbers(pl.Series([repr(x) for x in numbers])).to_list() == numbers


def test_text_that_is_no_number_is_null():
    assert read_numbers(pl.Series([" 1.5 ", "1,5", "-", None])).to_list() == [1.5, None, None, None]
    assert read_numbers(pl.Series([1, 2])).to_list() == [1.0, 2.0]
    assert read_numbers(pl.Series([EPOCH])).to_list() == [None]


def test_flags_are_read_from_words_and_digits():
    assert read_flags(pl.Series(["True", "false", "1", "0", "x"])).to_list() == [True, False, True, False, None]
    assert read_flags(pl.Series([True, False])).to_list() == [True, False]
    assert read_flags(pl.Series([1, 0])).to_list() == [True, False]
