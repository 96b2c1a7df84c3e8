"""Each check finds what it is named for, nothing is lost, and clean data pass."""

import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market.samples import MINUTE_US, START_US, make_bars
from truewind.errors import ConfigError
from truewind.market.files.table import ROW
from truewind.market.validate import CHECKS, find, is_unfinished, validate
from truewind.storage.schema import SeriesKey
from truewind.storage.schema import validate as lake_validate

BARS = SeriesKey("bars", "binance", "BTCUSDT", "1m")
MARK = SeriesKey("mark_bars", "binance_usdm", "BTCUSDT", "1m")
TRADES = SeriesKey("trades", "binance", "BTCUSDT")
FUNDING = SeriesKey("funding", "binance_usdm", "BTCUSDT")
TS = pl.Datetime("us", "UTC")


def rows(bars: pl.DataFrame | None = None) -> pl.DataFrame:
    """Bars as `parse` gives them."""
    return (make_bars() if bars is None else bars).with_row_index(ROW, offset=1)


def changed(row: int, **values) -> pl.DataFrame:
    """Good bars with other values in one row, counted from 0."""
    here = pl.int_range(pl.len()) == row
    return rows().with_columns(
        pl.when(here).then(pl.lit(v)).otherwise(name).cast(rows()[name].dtype).alias(name) for name, v in values.items()
    )


def trades(n: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {
            ROW: range(1, n + 1),
            "ts": [START_US + i * 1000 for i in range(n)],
            "price": [10.0] * n,
            "quantity": [1.0] * n,
            "side": [1] * n,
            "id": list(range(n)),
        },
        schema_overrides={"side": pl.Int8},
    ).with_columns(pl.col("ts").cast(TS))


def test_clean_bars_pass_untouched():
    verdict = validate(BARS, rows())
    assert_frame_equal(verdict.rows, make_bars())
    assert (verdict.reasons, verdict.duplicates, verdict.findings) == ({}, 0, [])


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("unreadable_time", {"ts": None}),
        ("unreadable_time", {"ts": -(10**17)}),
        ("missing_value", {"close": None}),
        ("missing_value", {"volume": None}),
        ("infinite_value", {"high": float("inf")}),
        ("infinite_value", {"quote_volume": float("inf")}),
        ("nonpositive_price", {"low": 0.0}),
        ("nonpositive_price", {"low": -1.0}),
        ("negative_volume", {"volume": -1.0}),
        ("negative_volume", {"taker_buy_volume": -1.0}),
        ("high_low", {"high": 1.0}),
        ("high_low", {"low": 5000.0, "high": 6000.0}),
        ("off_grid", {"ts": START_US + 40 * MINUTE_US + 1}),
    ],
)
def test_a_bad_row_is_refused_with_the_reason_and_the_others_stay(reason, values):
    verdict = validate(BARS, changed(40, **values))
    assert verdict.reasons == {reason: 1}
    assert verdict.refused[ROW].to_list() == [41]
    assert_frame_equal(verdict.rows, make_bars().filter(pl.int_range(pl.len()) != 40))


def test_nan_cannot_reach_the_lake():
    """`parse` turns NaN into null; a NaN that comes another way is refused by the lake itself."""
    assert validate(BARS, changed(3, close=None)).reasons == {"missing_value": 1}


@pytest.mark.parametrize(
    ("reason", "column", "value"),
    [
        ("nonpositive_trade", "price", 0.0),
        ("nonpositive_trade", "quantity", -1.0),
        ("missing_value", "side", None),
        ("missing_id", "id", None),
        ("repeated_id", "id", 0),
    ],
)
def test_bad_trades_are_refused(reason, column, value):
    bad = trades().with_columns(
        pl.when(pl.col(ROW) == 4).then(pl.lit(value)).otherwise(column).cast(trades()[column].dtype).alias(column)
    )
    verdict = validate(TRADES, bad)
    assert verdict.reasons == {reason: 1}
    assert verdict.rows.height == 9


def test_funding_beyond_any_cap_is_refused_and_a_floor_of_two_percent_is_not():
    """−2 % occurs in recorded data (README, note 6)."""
    table = pl.DataFrame({ROW: [1, 2, 3], "ts": [START_US, START_US + 1, START_US + 2], "rate": [0.0001, -0.02, 1.0]})
    verdict = validate(FUNDING, table.with_columns(pl.col("ts").cast(TS)))
    assert verdict.reasons == {"funding_bounds": 1}
    assert verdict.rows["rate"].to_list() == [0.0001, -0.02]


def test_equal_rows_are_dropped_and_counted():
    verdict = validate(BARS, rows(pl.concat([make_bars(), make_bars().slice(5, 3)])))
    assert (verdict.duplicates, verdict.reasons) == (3, {})
    assert_frame_equal(verdict.rows, make_bars())
    assert [(f.check, f.count) for f in verdict.findings] == [("unsorted", 3)]


def test_of_two_rows_of_one_time_the_last_in_the_file_stays():
    newer = make_bars().slice(5, 1).with_columns(volume=pl.lit(7.5))
    verdict = validate(BARS, rows(pl.concat([make_bars().head(6), newer, make_bars().slice(6)])))
    assert verdict.reasons == {"conflicting_duplicate": 1}
    assert verdict.refused[ROW].to_list() == [6]
    assert verdict.rows["volume"][5] == 7.5


def test_equal_trades_without_ids_are_different_trades():
    same = trades(3).drop("id").with_columns(pl.lit(START_US).cast(TS).alias("ts"))
    assert validate(TRADES, same).rows.height == 3
    assert validate(TRADES, trades(3).with_columns(id=1, ts=pl.lit(START_US).cast(TS))).duplicates == 2


@given(st.permutations(range(30)))
def test_rows_in_any_order_become_the_same_series(order):
    verdict = validate(BARS, rows(make_bars(30)[list(order)]))
    assert_frame_equal(verdict.rows, make_bars(30))
    late = [f for f in verdict.findings if f.check == "unsorted"]
    assert bool(late) == (list(order) != sorted(order))


MESS = st.lists(
    st.tuples(
        st.one_of(
            st.none(), st.integers(0, 12).map(lambda i: START_US + i * MINUTE_US), st.integers(-(10**18), 10**18)
        ),
        *[st.one_of(st.none(), st.sampled_from([0.0, -1.0, 1.0, 2.0, 3.0, float("inf")]))] * 5,
    ),
    min_size=1,
    max_size=40,
)


@given(MESS)
def test_whatever_the_rows_none_is_lost_and_the_lake_takes_what_is_kept(mess):
    """rows + refused + duplicates = input; the kept rows satisfy the lake's own schema."""
    table = pl.DataFrame(
        mess,
        schema={"ts": pl.Int64} | dict.fromkeys(["open", "high", "low", "close", "volume"], pl.Float64),
        orient="row",
    )
    verdict = validate(BARS, rows(table.with_columns(pl.col("ts").cast(TS))))
    assert verdict.rows.height + verdict.refused.height + verdict.duplicates == len(mess)
    assert verdict.refused["reason"].null_count() == 0
    lake_validate(BARS, verdict.rows)


def test_gaps_are_told_with_their_bars_and_the_longest():
    bars = make_bars(20).filter(~pl.int_range(pl.len()).is_in([3, 8, 9, 10]))
    (found,) = validate(BARS, rows(bars)).findings
    assert (found.check, found.count) == ("gap", 2)
    assert found.detail == "4 bars missing, longest step 0:04:00"
    assert found.first_us == START_US + 4 * MINUTE_US
    assert found.last_us == START_US + 11 * MINUTE_US


def test_still_bars_are_told_with_the_longest_run():
    bars = make_bars(20).with_columns(
        volume=pl.when(pl.int_range(pl.len()).is_in([2, 5, 6, 7])).then(0.0).otherwise("volume"),
        taker_buy_volume=pl.lit(0.0),
    )
    (found,) = validate(BARS, rows(bars)).findings
    assert (found.check, found.count, found.detail) == ("zero_volume", 4, "longest run 3 bars, 20.0 % of all")


def test_a_close_that_jumps_and_comes_back_is_an_outlier_and_one_that_stays_is_not():
    index = pl.int_range(pl.len())
    bars = make_bars(200).drop("quote_volume")
    spike = bars.with_columns(close=pl.when(index == 90).then(1500.0).otherwise("close"), high=pl.lit(2000.0))
    level = bars.with_columns(
        close=pl.when(index >= 90).then(pl.col("close") + 500).otherwise("close"), high=pl.lit(2000.0)
    )
    (found,) = validate(BARS, rows(spike)).findings
    assert (found.check, found.count, found.first_us) == ("outlier", 1, START_US + 90 * MINUTE_US)
    assert validate(BARS, rows(level)).findings == []


def test_mark_bars_may_lack_their_volume_and_it_is_told():
    table = rows(make_bars().select("ts", "open", "high", "low", "close", volume=pl.lit(None, pl.Float64)))
    verdict = validate(MARK, table)
    assert verdict.rows.height == 100
    assert [(f.check, f.count) for f in verdict.findings] == [("missing_volume", 100)]


@pytest.mark.parametrize(
    ("early_us", "unfinished"), [(1_000, False), (1, False), (0, False), (1_000_000, False), (30_000_000, True)]
)
def test_a_last_bar_whose_close_time_is_early_is_unfinished(early_us, unfinished):
    """Sources stamp the close one µs, ms or s before the next open; half a minute is something else."""
    whole = pl.col("ts") + pl.duration(microseconds=MINUTE_US)
    table = rows().with_columns(close_time=whole - pl.duration(microseconds=early_us))
    verdict = validate(BARS, table)
    assert verdict.reasons == ({"unfinished_bar": 1} if unfinished else {})
    assert verdict.rows.height == (99 if unfinished else 100)


def test_a_bar_is_unfinished_if_its_file_was_written_before_it_ended():
    last = make_bars().row(-1, named=True)
    begin = START_US + 99 * MINUTE_US
    assert is_unfinished(BARS, last, written_us=begin + 1)
    assert not is_unfinished(BARS, last, written_us=begin + MINUTE_US)
    assert not is_unfinished(BARS, last, written_us=begin - 1)


def test_a_bar_is_unfinished_if_shorter_bars_saw_more():
    last = {"ts": make_bars()["ts"][0], "high": 12.0, "low": 9.0, "volume": 0.3}
    inside = pl.DataFrame({"high": [12.0, 11.0], "low": [9.0, 9.5], "volume": [0.1, 0.2]})
    assert not is_unfinished(BARS, last, shorter=inside)  # 0.1 + 0.2 > 0.3 by a rounding only
    assert is_unfinished(BARS, last | {"volume": 0.29}, shorter=inside)
    assert is_unfinished(BARS, last | {"high": 11.9}, shorter=inside)
    assert is_unfinished(BARS, last | {"low": 9.1}, shorter=inside)
    assert not is_unfinished(BARS, last, shorter=inside.clear())


def test_a_check_can_be_switched_off_by_name():
    bad = changed(40, low=5000.0, high=6000.0)
    assert validate(BARS, bad, skip=["high_low"]).rows.height == 100
    assert validate(BARS, bad).rows.height == 99


def test_checks_that_the_lake_depends_on_stay_on():
    with pytest.raises(ConfigError, match="cannot be switched off"):
        validate(BARS, rows(), skip=["missing_value"])
    with pytest.raises(ConfigError, match=r"no check.*high_low"):
        validate(BARS, rows(), skip=["high_lo"])


def test_every_check_says_what_it_is_about():
    assert all(check.about.endswith(".") and check.kinds for check in CHECKS.values())


def test_weekly_bars_open_on_monday():
    key = SeriesKey("bars", "binance", "BTCUSDT", "1w")
    weeks = make_bars(5, step_us=7 * 1440 * MINUTE_US)
    assert validate(key, rows(weeks)).reasons == {}
    assert validate(key, rows(weeks.with_columns(pl.col("ts") + pl.duration(days=3)))).reasons == {"off_grid": 5}


def test_nothing_is_found_in_nothing():
    assert find(BARS, make_bars().clear()) == []
    assert validate(BARS, rows().clear()).rows.height == 0


def test_a_million_rows_are_judged_within_two_seconds():
    """About 0.3 s on two shared cores; the bound is wide for busy machines."""
    table = rows(make_bars(1_000_000))
    started = time.perf_counter()
    verdict = validate(BARS, table)
    assert time.perf_counter() - started < 2.0
    assert verdict.rows.height == 1_000_000


def test_the_mean_price_of_a_bar_lies_within_it():
    index = pl.int_range(pl.len())
    bars = make_bars(20).with_columns(
        quote_volume=pl.when(index == 7).then(pl.col("volume") * 1.01 * pl.col("high")).otherwise("quote_volume")
    )
    (found,) = validate(BARS, rows(bars)).findings
    assert (found.check, found.count, found.first_us) == ("vwap_outside", 1, START_US + 7 * MINUTE_US)


def test_takers_do_not_buy_more_than_is_traded():
    index = pl.int_range(pl.len())
    bars = make_bars(20).with_columns(
        taker_buy_volume=pl.when(index == 3).then(pl.col("volume") + 1).otherwise("taker_buy_volume")
    )
    (found,) = validate(BARS, rows(bars)).findings
    assert (found.check, found.count, found.first_us) == ("taker_volume", 1, START_US + 3 * MINUTE_US)


def test_samples_that_come_late_are_told_and_a_wider_band_holds_more():
    step = 5 * MINUTE_US
    times = [START_US + at * step for at in (0, 1, 2, 3, 9, 10, 11)]
    interest = pl.DataFrame({"ts": times, "open_interest": [1.0] * 7}).with_columns(pl.col("ts").cast(TS))
    key = SeriesKey("open_interest", "binance_usdm", "BTCUSDT")
    (found,) = validate(key, rows(interest)).findings
    assert (found.check, found.count, found.first_us) == ("late_sample", 1, START_US + 9 * step)

    percent, depth = [-2.0, -1.0, 1.0, 2.0] * 2, [5.0, 4.0, 4.0, 5.0, 5.0, 6.0, 4.0, 5.0]
    bands = pl.DataFrame(
        {"ts": [START_US] * 4 + [START_US + step] * 4, "percent": percent, "depth": depth, "notional": depth}
    ).with_columns(pl.col("ts").cast(TS))
    (found,) = validate(SeriesKey("depth_bands", "binance_usdm", "BTCUSDT"), rows(bands)).findings
    assert (found.check, found.count, found.first_us) == ("shrinking_depth", 1, START_US + step)


def test_bands_that_stand_still_are_told():
    step, samples = 30_000_000, 60
    rows_of = [
        (START_US + at * step, percent, 4.5 if percent == 1.0 and 20 <= at < 45 else 4.0 + (at % 3), 1.0)
        for at in range(samples)
        for percent in (-1.0, 1.0)
    ]
    bands = pl.DataFrame(rows_of, ["ts", "percent", "depth", "notional"], orient="row")
    bands = bands.with_columns(pl.col("ts").cast(TS))
    (found,) = validate(SeriesKey("depth_bands", "binance_usdm", "BTCUSDT"), rows(bands)).findings
    assert (found.check, found.count, found.first_us) == ("frozen", 25, START_US + 20 * step)
    interest = pl.DataFrame(
        {"ts": [START_US + at * 10 * step for at in range(30)], "open_interest": [7.0] * 19 + [8.0] * 11}
    )
    key = SeriesKey("open_interest", "binance_usdm", "BTCUSDT")
    assert validate(key, rows(interest.with_columns(pl.col("ts").cast(TS)))).findings == []
