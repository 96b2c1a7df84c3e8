"""The course of the day, by hand and by definition."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from truewind.features import columns
from truewind.features.checks import sample_bars

NAN = np.nan
HOUR = 3_600e6
DAY = 24 * HOUR


def hourly(rows: int) -> dict[str, np.ndarray]:
    return {"ts": HOUR * np.arange(rows), **sample_bars(rows, ("high", "low", "close", "volume"))}


def outputs(spec: str, bars: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.rpartition(".")[2]: values for name, values in columns([spec], bars).items()}


def test_the_opening_range_by_hand() -> None:
    """Two hours from 10 to 14, then closes at 12 (half), 15 (a quarter above), 9 (below); the next day begins anew."""
    bars = {
        "ts": HOUR * np.array([0, 1, 2, 3, 4, 24, 26]),
        "high": np.array([13.0, 14.0, 20.0, 20.0, 20.0, 5.0, 9.0]),
        "low": np.array([10.0, 11.0, 2.0, 2.0, 2.0, 5.0, 1.0]),
        "close": np.array([12.0, 12.0, 12.0, 15.0, 9.0, 5.0, 5.0]),
    }
    found = outputs("opening_range(120)", bars)
    np.testing.assert_array_equal(found["high"], [NAN, NAN, 14.0, 14.0, 14.0, NAN, 5.0])
    np.testing.assert_array_equal(found["low"], [NAN, NAN, 10.0, 10.0, 10.0, NAN, 5.0])
    np.testing.assert_array_equal(found["position"], [NAN, NAN, 0.5, 1.25, -0.25, NAN, NAN])
    np.testing.assert_array_equal(found["breakout"], [NAN, NAN, 0.0, 1.0, -1.0, NAN, 0.0])


def test_an_opening_that_was_not_seen_whole_is_none() -> None:
    """Data that begin at 00:30 know nothing of that day's opening, nor a day whose first hours are missing."""
    ts = np.array([0.5, 1.0, 2.0, 24.0, 25.0, 26.0, 51.0, 52.0]) * HOUR
    bars = {"ts": ts, **{name: np.full(8, 7.0) for name in ("high", "low", "close")}}
    known = np.isfinite(outputs("opening_range(60)", bars)["high"])
    np.testing.assert_array_equal(known, [False, False, False, False, True, True, False, False])


def test_a_session_may_begin_at_any_minute() -> None:
    """From 01:30 on: the opening hour is the bar of 01:30, the day before is seen from its last hours only."""
    bars = hourly(60)
    bars["ts"] = bars["ts"] + 0.5 * HOUR
    found = outputs("opening_range(60, 90)", bars)
    assert np.isnan(found["high"][:2]).all()
    assert (found["high"][2:25] == bars["high"][1]).all()
    assert np.isnan(found["high"][25])
    assert (found["low"][26:49] == bars["low"][25]).all()


def test_the_range_of_a_session_by_hand() -> None:
    """Tokyo's 09:00 to 11:00, midnight to 02:00 UTC: 10 to 14. A close at 14 is inside; at 15 it is the day's first
    outside, and later ones say nothing. The next day has no bar in these hours, and the day after begins anew."""
    bars = {
        "ts": HOUR * np.array([0, 1, 2, 3, 4, 5, 28, 48, 50]),
        "high": np.array([13.0, 14.0, 20.0, 20.0, 20.0, 20.0, 30.0, 5.0, 9.0]),
        "low": np.array([10.0, 11.0, 2.0, 2.0, 2.0, 2.0, 0.5, 4.0, 1.0]),
        "close": np.array([12.0, 12.0, 14.0, 15.0, 9.0, 16.0, 1.0, 5.0, 3.0]),
    }
    found = outputs("session_range(1, 540, 120)", bars)
    np.testing.assert_array_equal(found["high"], [NAN, NAN, 14.0, 14.0, 14.0, 14.0, NAN, NAN, 5.0])
    np.testing.assert_array_equal(found["low"], [NAN, NAN, 10.0, 10.0, 10.0, 10.0, NAN, NAN, 4.0])
    np.testing.assert_array_equal(found["since"], [NAN, NAN, 0.0, 60.0, 120.0, 180.0, NAN, NAN, 0.0])
    np.testing.assert_array_equal(found["breakout"], [NAN, NAN, 0.0, 1.0, 0.0, 0.0, NAN, NAN, -1.0])


@pytest.mark.parametrize(
    ("clock", "city"), [(0, "UTC"), (1, "Asia/Tokyo"), (2, "Europe/London"), (3, "America/New_York")]
)
def test_ranges_follow_the_clock_of_the_city(clock: int, city: str) -> None:
    """A year of hours, as the published time zones have it: the range of 03:00 to 09:00 local, and minutes since."""
    bars = hourly(24 * 366)
    bars["ts"] = bars["ts"] + dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp() * 1e6
    found = outputs(f"session_range({clock}, 180, 360)", bars)
    local = [dt.datetime.fromtimestamp(ts / 1e6, ZoneInfo(city)) for ts in bars["ts"]]
    top: dict[dt.date, float] = {}
    for row, at in enumerate(local):
        if 3 <= at.hour < 9:
            top[at.date()] = max(top.get(at.date(), 0.0), bars["high"][row])
    for row in range(48, len(local)):
        at = local[row]
        day = at.date() if at.hour >= 3 else at.date() - dt.timedelta(days=1)
        if 3 <= at.hour < 9:
            assert np.isnan(found["high"][row])
        else:
            assert found["high"][row] == top[day]
            if at.hour >= 9:
                assert found["since"][row] == (at.hour - 9) * 60


def by_definition(values: np.ndarray, days: int) -> np.ndarray:
    """For hourly values from midnight on: the mean of the hour over the mean of all hours, both of the days before."""
    table = values[: len(values) // 24 * 24].reshape(-1, 24)
    means = np.array([table[day - days : day].mean(0) for day in range(days, len(table))])
    return (means / means.mean(1, keepdims=True)).ravel()


def test_the_season_of_volume_by_definition() -> None:
    """Ten days of which five are the past; hours that are usually idle have a season of 0."""
    bars = hourly(240)
    bars["volume"] = bars["volume"] * (1.0 + np.sin(2.0 * np.pi * np.arange(240) / 24.0))
    found = columns(["volume_seasonality(5, 60)"], bars)["volume_seasonality_5_60"]
    assert np.isnan(found[:120]).all()
    np.testing.assert_allclose(found[120:], by_definition(bars["volume"], 5), rtol=1e-9)


def test_the_season_of_volatility_by_definition() -> None:
    """As that of volume, of the sizes of moves; the first bar has none before it, so its hour is a day later."""
    bars = hourly(264)
    moves = np.abs(np.diff(np.log(bars["close"]), prepend=NAN))
    found = columns(["volatility_seasonality(5, 60)"], bars)["volatility_seasonality_5_60"]
    assert np.isnan(found[:121]).all()
    np.testing.assert_allclose(found[144:], by_definition(moves[24:], 5)[: len(found) - 144], rtol=1e-9)


def test_a_day_without_trades_has_no_season() -> None:
    bars = {"ts": HOUR * np.arange(96), "volume": np.zeros(96)}
    assert np.isnan(columns(["volume_seasonality(1, 60)"], bars)["volume_seasonality_1_60"]).all()
