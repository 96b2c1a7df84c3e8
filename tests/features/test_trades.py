"""Features of trades against calculations by hand, and against polars."""

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from truewind.domain.book import BookKind
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.market import Quote, Trade
from truewind.features import bars_from_trades, columns, stream
from truewind.features.base import REGISTRY
from truewind.features.checks import check_feature
from truewind.market.recordings.recording import read_recording

NAN = float("nan")
# Three bars: of 10 units 6 bought in 4 trades; of 2 units none, in 1 trade; nothing; of 8 units all, in 5 trades.
BARS = {
    "ts": np.array([0.0, 60e6, 120e6, 240e6]),  # µs; a minute is missing before the last
    "volume": np.array([10.0, 2.0, 0.0, 8.0]),
    "quote_volume": np.array([1_000.0, 210.0, 0.0, 880.0]),
    "trades": np.array([4.0, 1.0, 0.0, 5.0]),
    "taker_buy_volume": np.array([6.0, 0.0, 0.0, 8.0]),
}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("trade_count(2)", [NAN, 5.0, 1.0, 5.0]),
        ("mean_trade_size", [2.5, 2.0, NAN, 1.6]),
        ("mean_trade_size(2)", [NAN, 12 / 5, 2 / 1, 8 / 5]),
        ("trade_vwap", [100.0, 105.0, NAN, 110.0]),
        ("trade_vwap(2)", [NAN, 1_210 / 12, 105.0, 110.0]),
        ("taker_ratio", [6 / 4, 0.0, NAN, NAN]),  # in the last bar takers sold nothing
        ("taker_ratio(3)", [NAN, NAN, 6 / 6, 8 / 2]),
        ("taker_imbalance", [0.2, -1.0, NAN, 1.0]),
        ("taker_imbalance(2)", [NAN, 0.0, -1.0, 1.0]),
        ("signed_volume", [2.0, -2.0, 0.0, 8.0]),
        ("signed_volume(3)", [NAN, NAN, 0.0, 6.0]),
        ("cumulative_delta", [2.0, 0.0, 0.0, 8.0]),
        ("trade_intensity", [NAN, 1 / 60, 0.0, 5 / 120]),  # the silent minute counts
        ("trade_intensity(2)", [NAN, NAN, 1 / 120, 5 / 180]),
    ],
)
def test_bars_by_hand(spec: str, expected: list[float]) -> None:
    found = next(iter(columns([spec], BARS).values()))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# A second apart but for two in one moment, and a long wait: b b s s b, prices up, flat, down, flat, up.
SINGLE = {
    "ts": np.array([1e6, 2e6, 3e6, 3e6, 13e6]),
    "price": np.array([10.0, 11.0, 10.5, 10.5, 12.0]),
    "quantity": np.array([1.0, 2.0, 3.0, 0.5, 4.0]),
    "side": np.array([1.0, 1.0, -1.0, -1.0, 1.0]),
}
HALF = 0.5 ** (1 / 10)  # what a second leaves of a trade with a half-life of ten


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("run_length", [1.0, 2.0, -1.0, -2.0, 1.0]),
        ("tick_rule", [NAN, 1.0, -1.0, -1.0, 1.0]),
        ("trade_interval", [NAN, 1.0, 1.0, 0.0, 10.0]),
        ("trade_rate(1)", [NAN, 1.0, 1.0, NAN, 0.1]),
        ("trade_rate(3)", [NAN, NAN, NAN, 3 / 2, 3 / 11]),
        (
            "decayed_rate(10)",
            [
                0.1 * math.log(2.0) * count
                for count in (1, 1 + HALF, 1 + HALF + HALF**2, 2 + HALF + HALF**2, 1 + (2 + HALF + HALF**2) / 2)
            ],
        ),
    ],
)
def test_single_trades_by_hand(spec: str, expected: list[float]) -> None:
    found = next(iter(columns([spec], SINGLE).values()))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_flow_by_hand() -> None:
    """Two trades each: 1 + 2 bought of 3; 2 − 3 of 5; −3.5 of 3.5; 4 − 0.5 of 4.5."""
    found = columns(["trade_flow(2)"], SINGLE)
    np.testing.assert_allclose(found["trade_flow_2.net"], [NAN, 3.0, -1.0, -3.5, 3.5])
    np.testing.assert_allclose(found["trade_flow_2.imbalance"], [NAN, 1.0, -0.2, -1.0, 3.5 / 4.5])


def test_a_trade_without_a_side_has_no_run_and_ends_none() -> None:
    found = columns(["run_length"], {"side": [1.0, 1.0, 0.0, 1.0, -1.0]})["run_length"]
    np.testing.assert_array_equal(found, [1.0, 2.0, NAN, 3.0, -1.0])


def test_a_steady_stream_has_its_rate() -> None:
    """One trade in half a second: two a second, and Σ of a geometric series for the decayed rate."""
    ts = 0.5e6 * np.arange(2_000)
    found = columns(["trade_rate(50)", "decayed_rate(10)"], {"ts": ts})
    np.testing.assert_allclose(found["trade_rate_50"][50:], 2.0)
    assert found["decayed_rate_10"][-1] == pytest.approx(0.1 * math.log(2.0) / (1.0 - 0.5**0.05), rel=1e-9)


def test_features_of_bars_made_from_trades_are_those_of_the_trades() -> None:
    """Ten-second bars of random trades: counts, sizes, VWAP and signed volume are what polars finds in the trades."""
    draw = np.random.default_rng(4)
    trades = pl.DataFrame(
        {
            "ts": 1_704_067_200_000_000 + np.cumsum(draw.integers(1, 500_000, 5_000)),
            "price": np.round(100.0 + np.cumsum(draw.normal(0.0, 0.01, 5_000)), 2),
            "quantity": np.round(draw.exponential(1.0, 5_000) + 0.001, 3),
            "side": draw.integers(0, 2, 5_000) * 2 - 1,
        }
    )
    bars = bars_from_trades(trades, every="10s")
    found = columns(
        ["trade_count", "mean_trade_size", "trade_vwap", "signed_volume"],
        {name: bars[name].to_numpy() for name in ("volume", "quote_volume", "trades", "taker_buy_volume")},
    )
    quantity, price = pl.col("quantity"), pl.col("price")
    wanted = (
        trades.group_by(pl.col("ts") // 10_000_000, maintain_order=True)
        .agg(
            pl.len().alias("trade_count_1"),
            quantity.mean().alias("mean_trade_size_1"),
            ((price * quantity).sum() / quantity.sum()).alias("trade_vwap_1"),
            (quantity * pl.col("side")).sum().alias("signed_volume_1"),
        )
        .head(-1)
    )
    for name, values in found.items():
        np.testing.assert_allclose(values, wanted[name], rtol=1e-9, atol=1e-9)


def test_trades_and_quotes_as_objects_are_rows_too() -> None:
    """Live: what the venue's messages become, one by one, gives what the columns give."""
    specs = ["run_length", "tick_rule", "trade_rate(2)", "decayed_rate(10)", "trade_flow(2)"]
    live, whole = stream(specs), columns(specs, SINGLE)
    for i, row in enumerate(zip(*SINGLE.values(), strict=True)):
        ts, price, quantity, side = row
        found = live.update(Trade("X", int(ts), int(ts) + 5, price, quantity, int(side)))
        np.testing.assert_array_equal(found, [column[i] for column in whole.values()])
    quote = Quote("X", 1, 2, bid=99.0, bid_quantity=4.0, ask=101.0, ask_quantity=1.0)
    assert list(stream(["book_imbalance(1)", "mid_price"]).update(quote)) == [0.6, 100.0]


SINGLE_SPECS = ["run_length", "tick_rule", "trade_interval", "trade_rate(20)", "decayed_rate", "trade_flow(20)"]
BAR_SPECS = [
    repr(kind()) for kind in REGISTRY.values() if kind.family == "trades" and {"trades", "volume"} & set(kind.inputs)
]


@pytest.fixture(scope="module")
def recorded(shared: Path) -> pl.DataFrame:
    """Trades of XRP/ETH as Binance printed them: 12,477, of four days."""
    return pl.read_parquet(shared / "freqtrade" / "XRP_ETH-trades.parquet").select(
        (pl.col("timestamp") * 1000).cast(pl.Datetime("us", "UTC")).alias("ts"),
        "price",
        pl.col("amount").alias("quantity"),
        pl.when(pl.col("side") == "buy").then(1).otherwise(-1).cast(pl.Int8).alias("side"),
    )


@pytest.mark.parametrize("spec", SINGLE_SPECS)
def test_features_pass_the_shared_suite_on_recorded_trades(recorded: pl.DataFrame, spec: str) -> None:
    result = check_feature(spec, recorded[:500])
    assert result.ok, result


def test_features_pass_the_shared_suite_on_a_recorded_tape(shared: Path) -> None:
    """Binance's BTCUSDT perpetual, trade by trade, many of them parts of one order at one moment."""
    instrument = Instrument(
        symbol="BTCUSDT", venue="binance_usdm", kind=Kind.PERPETUAL, base="BTC", quote="USDT",
        tick_size=Decimal("0.1"), lot_size=Decimal("0.001"),
    )  # fmt: skip
    path = shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"
    events = read_recording([path], instrument, base_latency_us=1_000).events
    tape = events[events["kind"] == BookKind.TRADE]
    assert len(tape) > 20_000
    table = {
        "ts": tape["ts_event"],
        "price": tape["ticks"] / 10,
        "quantity": tape["lots"] / 1_000,
        "side": tape["side"].astype(np.int64),
    }
    for spec in SINGLE_SPECS:
        result = check_feature(spec, {name: values[:400] for name, values in table.items()})
        assert result.ok, result
    bars = bars_from_trades(table, every="1s")
    assert bars["trades"].sum() > 20_000
    assert np.nanmin(columns(["taker_imbalance(10)"], bars.to_dict(as_series=False))["taker_imbalance_10"]) < -0.5


@pytest.mark.parametrize("rule", [{"every": "5m"}, {"ticks": 20}])
def test_features_pass_the_shared_suite_on_bars_of_recorded_trades(recorded: pl.DataFrame, rule: dict) -> None:
    """Time bars and bars of twenty trades; a thin market, in which minutes are missing and takers stay on one side."""
    bars = bars_from_trades(recorded, **rule)
    assert bars.height > 500
    for spec in BAR_SPECS:
        result = check_feature(spec, bars[:500])
        assert result.ok, result
