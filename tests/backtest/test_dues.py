"""What falls due, from the lake and the config; the expected numbers are worked out beside each test."""

import numpy as np
import polars as pl
import pytest

from truewind.backtest.data import DataSettings
from truewind.backtest.dues import FinancingSettings, falling_due
from truewind.backtest.replay import replay
from truewind.backtest.run import run
from truewind.domain.clock import parse_ts_us
from truewind.domain.due import SWAP_SCALE, DueKind
from truewind.domain.timeframe import DAY_US, HOUR_US, timeframe_us
from truewind.errors import ConfigError
from truewind.market.contracts import describe, join
from truewind.market.importing import import_files
from truewind.storage.schema import SeriesKey

TIME = pl.Datetime("us", "UTC")
FREE = {"taker_fee": 0.0, "maker_fee": 0.0, "half_spread_bps": 0.0, "impact": 0.0, "volume_share": None}


def write(lake, kind, symbol, since, step, timeframe="", **columns):
    """A series of rows `step` apart, of one value a row in each column."""
    rows = len(next(iter(columns.values())))
    ts = pl.Series(parse_ts_us(since) + np.arange(rows) * step).cast(TIME)
    lake.write(SeriesKey(kind, "test", symbol, timeframe), pl.DataFrame({"ts": ts} | columns))


def bars(lake, symbol, since, closes, timeframe="1d"):
    """Bars that open at the close before."""
    opens = [closes[0], *closes[:-1]]
    prices = {"open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes), "close": closes}
    write(
        lake, "bars", symbol, since, timeframe_us(timeframe), timeframe,
        **{name: np.array(values, float) for name, values in prices.items()}, volume=np.full(len(closes), 1e6),
    )  # fmt: skip
    return {
        "ts": parse_ts_us(since) + np.arange(len(closes)) * timeframe_us(timeframe),
        "open": np.array(opens, float), "close": np.array(closes, float),
    }  # fmt: skip


def due(lake, about, rows, length=DAY_US, **financing):
    return falling_due(lake, about, rows, length, FinancingSettings(**financing))


def test_dividends_are_of_whole_ledger_units_for_so_many_shares(lake):
    """0.37857 dollars a share are 37.857 cents: 37,857 for 1,000 shares. What was due at the first open is nobody's."""
    rows = bars(lake, "AAA", "2024-01-01", [100.0] * 5)
    about = describe(lake, "test", "AAA", {"kind": "equity"})
    write(lake, "dividends", "AAA", "2024-01-01", 2 * DAY_US, dividend=[1.0, 0.37857])
    found = due(lake, about, rows)
    assert found.rows["kind"].tolist() == [DueKind.DIVIDEND]
    assert found.rows["amount"][0] / found.rows["other"][0] == pytest.approx(37.857, rel=1e-12)
    assert found.rows["ts"][0] == parse_ts_us("2024-01-03")


def test_a_split_counts_if_prices_fall_with_it(lake):
    """3 for 2 takes 90 to 60. A second one, of 7 for 1, after which prices are as before, was in the prices already."""
    rows = bars(lake, "AAA", "2024-01-01", [90.0, 90.0, 60.0, 60.0, 60.0])
    rows["open"][2] = 60.0
    about = describe(lake, "test", "AAA", {"kind": "equity"})
    write(lake, "splits", "AAA", "2024-01-03", 2 * DAY_US, split=[1.5, 7.0])
    found = due(lake, about, rows)
    assert [(row["amount"], row["other"]) for row in found.rows] == [(3, 2)]
    (warning,) = found.warnings
    assert "2024-01-05 (7 for 1)" in warning


def test_borrowed_shares_cost_a_fee_for_each_calendar_day(lake):
    """New York's days end at 21:00 UTC in winter. From Thursday 4 January to the Monday the ends of
    two days are due, for one day and for three."""
    rows = bars(lake, "AAA", "2024-01-04", [100.0] * 24 * 4, "1h")
    about = describe(lake, "test", "AAA", {"kind": "equity"})
    found = due(lake, about, rows, HOUR_US, borrow_rate={"AAA": 0.03})
    assert found.rows["ts"].tolist() == [parse_ts_us("2024-01-04T21:00"), parse_ts_us("2024-01-05T21:00")]
    assert found.rows["other"].tolist() == [1, 3]
    assert set(found.rows["amount"]) == {3_000_000}
    assert len(due(lake, about, rows, HOUR_US, borrow_rate={"BBB": 0.03}).rows) == 0


def test_swaps_are_due_every_night_and_three_on_wednesday(lake):
    """17:00 in New York is 22:00 UTC in winter. −0.00006 a night are −6 ticks of 0.00001; Wednesday 3 January −18."""
    rows = bars(lake, "EURUSD", "2024-01-01", [1.1] * 24 * 7, "1h")
    about = describe(lake, "test", "EURUSD", {"kind": "fx"})
    found = due(lake, about, rows, HOUR_US, swap={"EURUSD": {"long": -0.00006, "short": 0.00002}})
    assert (found.rows["amount"] / SWAP_SCALE).tolist() == [-6, -6, -18, -6, -6]
    assert (found.rows["other"] / SWAP_SCALE).tolist() == [2, 2, 6, 2, 2]
    assert found.rows["ts"][2] == parse_ts_us("2024-01-03T22:00")
    assert "nights cost nothing" in due(lake, about, rows, HOUR_US).warnings[0]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_future_ends_at_the_mean_index_of_the_last_half_hour(lake, indexed):
    """Index 100 until 07:45, 110 to 08:00: the mean of half an hour is 105. Without an index, the last trade at 103."""
    rows = bars(lake, "BTCUSDT_241227", "2024-12-27T06:00", [103.0] * 180, "1m")
    given = {"kind": "future", "base": "BTC", "quote": "USDT", "tick_size": "0.1", "lot_size": "0.001"}
    about = describe(lake, "test", "BTCUSDT_241227", given | {"expiry": "2024-12-27T08:00"})
    if indexed:
        index = np.where(np.arange(120) < 104, 100.0, 110.0)  # the bar that closes at 07:45 is the first of 110
        prices = dict.fromkeys(("open", "high", "low", "close"), index)
        write(lake, "index_bars", "BTCUSDT_241227", "2024-12-27T06:00", 60_000_000, "1m", **prices)
    found = due(lake, about, rows, 60_000_000)
    assert found.rows["price"].tolist() == [1050 if indexed else 1030]
    assert found.rows["ts"].tolist() == [parse_ts_us("2024-12-27T08:00")]
    assert found.rows["amount"].tolist() == [-1]
    assert [("no index prices" in text) for text in found.warnings] == ([] if indexed else [True])


def test_an_expired_contract_is_settled_and_takes_no_more_orders(lake, tmp_path):
    """Held from the first bar on, 1 contract, bought at 100 and settled at 106 (index) although trades go on at 90."""
    bars(lake, "BTCUSDT_241227", "2024-12-27T06:00", [100.0] * 130 + [90.0] * 50, "1m")
    given = {"kind": "future", "base": "BTC", "quote": "USDT", "tick_size": "0.1", "lot_size": "1"}
    describe(lake, "test", "BTCUSDT_241227", given | {"expiry": "2024-12-27T08:00"})
    prices = dict.fromkeys(("open", "high", "low", "close"), np.full(120, 106.0))
    write(lake, "index_bars", "BTCUSDT_241227", "2024-12-27T06:00", 60_000_000, "1m", **prices)
    strategy = tmp_path / "hold.py"
    strategy.write_text(
        "from truewind.strategies.base import Strategy\n\n\nclass Hold(Strategy):\n"
        "    def on_bar(self, bar):\n"
        "        if self.desk.position(bar.symbol).quantity == 0:\n            self.buy(1)\n"
    )
    result = run(
        {
            "name": "held to the end", "strategy": {"path": f"{strategy}:Hold"}, "costs": FREE,
            "data": {"venue": "test", "symbols": "BTCUSDT_241227", "timeframe": "1m"},
        },
        lake=lake, runs=tmp_path / "runs",
    )  # fmt: skip
    fills = pl.read_parquet(result.run_dir / "fills.parquet")
    assert fills["kind"].to_list() == ["trade", "settlement"]
    assert fills["price"].to_list() == [100.0, 106.0]
    assert result.summary["final_equity"] == pytest.approx(10_006.0)
    orders = pl.read_parquet(result.run_dir / "orders.parquet")
    assert "closed" in " ".join(orders["reason"].drop_nulls().unique().to_list()).lower()


def test_a_symbol_that_ends_before_the_others_is_told(lake):
    """Ten days of one, thirty of the other; with an expiry the end is known."""
    bars(lake, "AAA", "2024-01-01", [100.0] * 10)
    bars(lake, "BBB", "2024-01-01", [100.0] * 30)
    for symbol in ("AAA", "BBB"):
        describe(lake, "test", symbol, {"kind": "spot", "quote": "USD", "tick_size": "0.01", "lot_size": "1"})
    asked = DataSettings(venue="test", symbols=("AAA", "BBB"), timeframe="1d")
    (warning,) = replay(lake, asked, {}).warnings
    assert warning.startswith("AAA: its data end at 2024-01-11")
    assert "20 days before" in warning
    describe(lake, "test", "AAA", {"expiry": "2024-01-11"})
    assert ["its data end" in text for text in replay(lake, asked, {}).warnings] == [False]


def test_a_weekend_is_no_gap_where_the_market_is_closed(lake):
    """Monday to Friday twice, and Wednesday of the third week: Monday and Tuesday of it are missing."""
    days = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 16]
    ts = pl.Series([parse_ts_us("2024-01-01") + day * DAY_US for day in days]).cast(TIME)
    prices = {name: [1.0] * len(days) for name in ("open", "high", "low", "close", "volume")}
    lake.write(SeriesKey("bars", "test", "AAA", "1d"), pl.DataFrame({"ts": ts} | prices))
    describe(lake, "test", "AAA", {"kind": "equity"})
    (warning,) = replay(lake, DataSettings(venue="test", symbols="AAA", timeframe="1d"), {}).warnings
    assert "in 1 gaps, the longest after 2024-01-12" in warning


def test_corporate_actions_beside_bars_are_series_of_their_own(lake, shared):
    """Apple 2012 to 2014: ten dividends and one split, as the file has them; Microsoft twelve and none."""
    folder = shared / "zipline"
    for symbol in ("AAPL", "MSFT"):
        import_files(lake, [folder / f"daily_{symbol}.csv.gz"], venue="nyse", symbol=symbol)
    kinds = {(info.key.symbol, info.key.kind): info.rows for info in lake.series()}
    assert kinds == {
        ("AAPL", "bars"): 754, ("AAPL", "dividends"): 10, ("AAPL", "splits"): 1, ("MSFT", "bars"): 754,
        ("MSFT", "dividends"): 12,
    }  # fmt: skip
    paid = lake.read(SeriesKey("dividends", "nyse", "AAPL"))
    assert paid["dividend"].to_list() == [0.37857] * 3 + [0.43571] * 4 + [0.47] * 3
    assert lake.read(SeriesKey("splits", "nyse", "AAPL")).row(0)[1] == 7.0


def test_dated_futures_become_one_series(lake):
    """The second contract stands 10 % higher; three days before the first ends it takes over."""
    for symbol, expiry, scale in (("BTC_1", "2024-01-10", 1.0), ("BTC_2", "2024-02-10", 1.1)):
        bars(lake, symbol, "2024-01-01", [100.0 * scale] * 9 if scale == 1.0 else [110.0] * 20)
        given = {"kind": "future", "base": "BTC", "quote": "USDT", "tick_size": "0.1", "lot_size": "1"}
        describe(lake, "test", symbol, given | {"expiry": expiry})
    parts = join(lake, "test", ["BTC_2", "BTC_1"], "1d", "BTC1")
    assert parts == [("BTC_1", "2024-01-01 00:00:00"), ("BTC_2", "2024-01-07 00:00:00")]
    joined = lake.read(SeriesKey("bars", "test", "BTC1", "1d"))
    assert joined["close"].to_list() == pytest.approx([110.0] * 20)
    assert lake.instrument("test", "BTC1").expiry_us is None
    bars(lake, "BTC_3", "2024-01-01", [100.0] * 9)
    describe(lake, "test", "BTC_3", given)
    with pytest.raises(ConfigError, match="has no expiry"):
        join(lake, "test", ["BTC_1", "BTC_3"], "1d", "BTC1")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"kind": "equty"}, "kind of instrument"),
        ({"kind": "equity", "tick_size": "a cent"}, "is no number"),
        ({"tick_size": "0.01"}, "nothing says its kind, quote, lot_size"),
        ({"kind": "equity", "calendar": "moon"}, "calendar"),
    ],
)
def test_an_instrument_that_cannot_be_is_refused(lake, said, what):
    """With what is missing, or what it might be."""
    with pytest.raises(ConfigError, match=what):
        describe(lake, "test", "AAA", said)
