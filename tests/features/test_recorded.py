"""Recorded markets through the whole library: a pipeline of every family, as a batch and replayed row by row."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from truewind.domain.book import BookKind
from truewind.domain.instrument import Instrument, Kind
from truewind.features import FeaturePipeline, Stream, bars_from_trades, book_levels
from truewind.features.base import REGISTRY
from truewind.features.checks import first_difference
from truewind.features.table import columns_of
from truewind.market.columns import bar_columns
from truewind.market.importing import import_files
from truewind.market.recordings.recording import read_recording
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

Columns = dict[str, np.ndarray]
PERPETUAL = Instrument(
    symbol="BTCUSDT", venue="binance_usdm", kind=Kind.PERPETUAL, base="BTC", quote="USDT",
    tick_size=Decimal("0.1"), lot_size=Decimal("0.001"),
)  # fmt: skip


def reading(columns: set[str], families: set[str] | None = None) -> list[str]:
    """Every feature, by its defaults, that reads nothing but `columns`; in cross-sections of returns."""
    specs = []
    for name in sorted(REGISTRY):
        kind = REGISTRY[name]
        feature = kind("returns(1)") if kind.across else kind()
        if set(feature.reads) - {"returns_1"} <= columns and (families is None or kind.family in families):
            specs.append(repr(feature))
    return specs


def tape_of(tape: np.ndarray) -> Columns:
    return {
        "ts": tape["ts_event"],
        "price": tape["ticks"] / 10.0,
        "quantity": tape["lots"] / 1_000.0,
        "side": tape["side"].astype(float),
    }


def replayed(specs: list[str], tables: dict[str, Columns], timeframe: str) -> None:
    """The same pipeline over whole tables and time by time."""
    symbols = list(tables)
    whole = FeaturePipeline(specs, symbols, timeframe=timeframe).extend(tables)
    live = FeaturePipeline(specs, symbols, timeframe=timeframe)
    rows: dict[str, list[list[float]]] = {symbol: [] for symbol in symbols}
    places = {symbol: {int(ts): i for i, ts in enumerate(table["ts"])} for symbol, table in tables.items()}
    for time in np.unique(np.concatenate([table["ts"] for table in tables.values()])).tolist():
        bars = {
            symbol: {name: column[places[symbol][time]] for name, column in table.items()}
            for symbol, table in tables.items()
            if time in places[symbol]
        }
        for symbol, row in live.update(bars).items():
            rows[symbol].append(list(row.values()))
    for symbol in symbols:
        table = np.array(rows[symbol])
        streamed = {name: table[:, i].copy() for i, name in enumerate(live.columns)}
        assert first_difference(whole[symbol], streamed, f"{symbol} time by time") is None
        computed = {name: values for name, values in whole[symbol].items() if np.isfinite(values).any()}
        assert len(computed) > 0.9 * len(live.columns)  # hardly any needs more rows than these


def test_perpetuals_with_funding_and_marks_from_the_lake(tmp_path: Path, shared: Path) -> None:
    """BTC and ETH, 5m bars, with what was known of funding and marks at each close, and the universe of both."""
    lake = Lake(tmp_path)
    files = [path for symbol in ("BTC", "ETH") for path in sorted((shared / "market-swarm").glob(f"{symbol}_*"))]
    import_files(lake, [path for path in files if "-1m-" not in path.name], venue="binance_usdm")
    beside = ("mark", "funding_rate", "funding_ts", "next_funding_ts")
    names = ["open", "high", "low", "close", "volume", *beside]
    symbols = ("BTCUSDT", "ETHUSDT")
    tables = {
        symbol: {
            name: values[:1_200]
            for name, values in bar_columns(lake, SeriesKey("bars", "binance_usdm", symbol, "5m"), names).items()
        }
        for symbol in symbols
    }
    specs = reading({"ts", *names, "close[BTCUSDT]"})
    specs += [
        "basis(mark, close)",
        "ema(20)@1h",
        "sma(3, rsi(14)@15m)",
        "returns(12)[BTCUSDT]",
        "sma(5, rank(returns(3)))",
    ]
    families = {REGISTRY[spec.partition("(")[0]].family for spec in specs}
    assert {
        "trend",
        "momentum",
        "volatility",
        "volume",
        "price",
        "derivatives",
        "structure",
        "time",
        "across",
    } <= families
    replayed(list(dict.fromkeys(specs)), tables, "5m")


def test_years_of_hours(shared: Path) -> None:
    """Bars of 2018 with untraded hours and gaps."""
    table = pl.read_ipc(shared / "genetrader" / "BTC_USDT-1h.feather").head(1_500)
    bars = columns_of(table, ["open", "high", "low", "close", "volume"])
    bars["ts"] = table["date"].dt.epoch("us").to_numpy()
    replayed([*reading({*bars}), "atr(14)@4h"], {"": bars}, "1h")


def test_a_recorded_book_and_its_trades(shared: Path) -> None:
    """Ten levels every 100 ms of a recorded feed, one-second bars of its trades, and the trades one by one."""
    path = shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"
    events = read_recording([path], PERPETUAL, base_latency_us=1_000).events
    book = book_levels(events, PERPETUAL, levels=10, every_ms=100).filter(pl.col("bid").is_not_null()).head(1_500)
    columns = columns_of(book, [name for name in book.columns if name not in ("ts", "ts_known")])
    columns["ts"] = book["ts"].to_physical().to_numpy()
    specs = reading({*columns}, {"book"})
    assert len(specs) > 8
    replayed([*specs, "ema(20, micro_price)", "sma(10, book_imbalance(5))"], {"": columns}, "")

    everything = events[events["kind"] == BookKind.TRADE]
    tape = everything[:1_500]
    trades = tape_of(tape)
    specs = [*reading({*trades}, {"trades"}), "ema(50, price)", "sma(20, quantity)"]
    assert len(specs) > 6
    whole, live = Stream(specs).extend(trades), Stream(specs)
    rows = np.array([live.vector({name: column[i] for name, column in trades.items()}) for i in range(len(tape))])
    assert first_difference(whole, {name: rows[:, i].copy() for i, name in enumerate(whole)}, "trade by trade") is None

    seconds = bars_from_trades(tape_of(everything) | {"side": everything["side"].astype(np.int64)}, every="1s")
    table = columns_of(seconds, [name for name in seconds.columns if name not in ("ts", "ts_known")])
    table["ts"] = seconds["ts"].to_physical().to_numpy()
    replayed(reading({*table}, {"trades", "price"}), {"": table}, "1s")
