"""Derivatives: by hand, and on recorded funding and open interest."""

import io
import zipfile
from pathlib import Path

import numpy as np
import polars as pl

from truewind.features import columns, compute

NAN = np.nan


def found(spec: str, **bars: list[float] | np.ndarray) -> dict[str, np.ndarray]:
    """Outputs by their own names, a single one as `value`."""
    return {
        name.rpartition(".")[2] if "." in name else "value": values for name, values in columns([spec], bars).items()
    }


def test_the_basis_by_hand() -> None:
    """101 on an index of 100 is 1 % dear, 99 is 1 % cheap; an index of 0 says nothing."""
    np.testing.assert_allclose(
        found("basis", mark=[101.0, 99.0, 5.0], index=[100.0, 100.0, 0.0])["value"], [0.01, -0.01, NAN]
    )


def test_funding_has_a_level_and_a_sign() -> None:
    table = found("funding", funding_rate=[1e-4, -2e-4, 0.0])
    np.testing.assert_array_equal(table["rate"], [1e-4, -2e-4, 0.0])
    np.testing.assert_array_equal(table["sign"], [1.0, -1.0, 0.0])


def test_the_score_counts_fundings_not_rows() -> None:
    """Rates 1, 3 and 5 (in 1e-4), each on two rows: 5 is 2 above the mean 3, the deviation is √(8/3). A fourth of 3
    makes 3, 5, 3 with mean 11/3 and deviation √(8/9): −1/√2. The rows between repeat it."""
    rates = np.repeat([1e-4, 3e-4, 5e-4, 3e-4], 2)
    score = found("funding_zscore(3)", funding_rate=rates, funding_ts=np.repeat([1.0, 2.0, 3.0, 4.0], 2))["value"]
    np.testing.assert_allclose(score, [NAN] * 4 + [2 / np.sqrt(8 / 3)] * 2 + [-1 / np.sqrt(2)] * 2, rtol=1e-12)
    same = found("funding_zscore(3)", funding_rate=[0.1] * 5, funding_ts=[1.0, 2.0, 3.0, 4.0, 5.0])["value"]
    assert np.isnan(same).all()


def test_the_score_of_recorded_fundings_is_that_of_numpy(shared: Path) -> None:
    """Every settlement as a row: the last of each window against its mean and deviation."""
    table = pl.read_ipc(shared / "market-swarm/BTC_USDT_USDT-8h-funding_rate.feather")
    rates, times = table["open"].to_numpy(), np.arange(table.height, dtype=float)
    score = found("funding_zscore(21)", funding_rate=rates, funding_ts=times)["value"]
    windows = np.lib.stride_tricks.sliding_window_view(rates, 21)
    expected = (windows[:, -1] - windows.mean(1)) / windows.std(1)
    assert np.isnan(score[:20]).all()
    np.testing.assert_allclose(score[20:], expected, rtol=1e-9)


def test_the_time_to_the_next_funding_by_hand() -> None:
    """From 07:30 to 08:00 are 30 minutes, at 08:00 none; a time that has passed is stale."""
    hour = 3_600e6
    minutes = found("time_to_funding", ts=[7.5 * hour, 8 * hour, 9 * hour], next_funding_ts=[8 * hour] * 3)["value"]
    np.testing.assert_array_equal(minutes, [30.0, 0.0, NAN])


def test_open_interest_changes_by_hand() -> None:
    """From 100 to 110 are 10 and 10 %; from 0 there is no percentage."""
    table = found("open_interest_change(1)", open_interest=[100.0, 110.0, 0.0, 5.0])
    np.testing.assert_array_equal(table["absolute"], [NAN, 10.0, -110.0, 5.0])
    np.testing.assert_allclose(table["percent"], [NAN, 10.0, -100.0, NAN])


def test_the_four_quadrants_and_what_stands_still() -> None:
    """Price and interest: up up, up down, down up, down down, then one of them still."""
    close = [10.0, 11.0, 12.0, 11.0, 10.0, 10.0, 11.0]
    interest = [5.0, 6.0, 5.0, 6.0, 5.0, 6.0, 6.0]
    quadrant = found("open_interest_quadrant(1)", close=close, open_interest=interest)["value"]
    np.testing.assert_array_equal(quadrant, [NAN, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0])


def test_recorded_open_interest_changes_as_polars_says(shared: Path) -> None:
    """Four-hourly open interest of a perpetual, as its venue published it."""
    with zipfile.ZipFile(shared / "gravestone/usdm_open_interest_4h.zip") as archive:
        table = pl.read_csv(io.BytesIO(archive.read("oi_4h/BTCUSDT.csv")))
    interest = table["sum_open_interest"].cast(pl.Float64)
    changes = found("open_interest_change(6)", open_interest=interest.to_numpy())
    np.testing.assert_allclose(changes["percent"][6:], 100.0 * interest.pct_change(6).to_numpy()[6:], rtol=1e-9)


def test_the_long_short_ratio_by_hand() -> None:
    """Three longs for a short are 75 %; from 3 to 1/3 the logarithm falls by 2 ln 3."""
    ratios = [3.0, 1.0 / 3.0, 0.0]
    table = found("long_short", long_short_ratio=ratios)
    np.testing.assert_allclose(table["ratio"], [3.0, 1.0 / 3.0, NAN])
    np.testing.assert_allclose(table["share"], [0.75, 0.25, NAN])
    change = found("long_short_change(1)", long_short_ratio=ratios)["value"]
    np.testing.assert_allclose(change, [NAN, -2.0 * np.log(3.0), NAN])


def test_liquidations_by_hand() -> None:
    """Sums of three rows; after two quiet rows the next is a new cluster: rows 1 and 5 begin one, row 2 does not."""
    longs = [0.0, 4.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    shorts = [0.0, 0.0, 3.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    table = found("liquidations(3, 2)", liquidated_long=longs, liquidated_short=shorts)
    np.testing.assert_array_equal(table["long"], [NAN, NAN, 5.0, 5.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(table["short"], [NAN, NAN, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 0.0])
    np.testing.assert_array_equal(table["imbalance"], [NAN, NAN, 0.25, 0.25, -0.5, -1.0, -1.0, -1.0, NAN])
    np.testing.assert_array_equal(table["clusters"], [NAN, NAN, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0])


def test_times_of_a_table_are_read_as_microseconds() -> None:
    """Also where a table keeps them as times, and null is missing."""
    hours = pl.Series([7, 8, 9]) * 3_600_000_000
    due = pl.Series([8, None, 10]) * 3_600_000_000
    time = pl.Datetime("us", "UTC")
    table = compute(pl.DataFrame({"ts": hours.cast(time), "next_funding_ts": due.cast(time)}), ["time_to_funding"])
    np.testing.assert_array_equal(table["time_to_funding"], [60.0, NAN, 60.0])
