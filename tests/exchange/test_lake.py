"""Replay of a lake: what it has is told unchanged, what it lacks is made up and fits."""

import json
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from truewind.exchange import LocalExchange
from truewind.exchange.events import Depth, Marked, Quoted, Traded
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

START_US = 1_704_067_200_000_000  # 2024-01-01
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
Start = Callable[..., AbstractContextManager[LocalExchange]]


def ask(url: str) -> Any:
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


def bars(rows: int, step_us: int = MINUTE_US, seed: int = 1) -> pl.DataFrame:
    """Bars on ticks of 0.1 and lots of 0.001, with trades enough for their prices."""
    random = np.random.default_rng(seed)
    close = 10_000 + random.integers(-30, 31, rows).cumsum()
    open_ = np.concatenate([[10_000], close[:-1]])
    high = np.maximum(open_, close) + random.integers(0, 20, rows)
    low = np.minimum(open_, close) - random.integers(0, 20, rows)
    volume = random.integers(500, 90_000, rows)
    return pl.DataFrame(
        {
            "ts": START_US + np.arange(rows) * step_us,
            **{
                name: np.round(ticks * 0.1, 1)
                for name, ticks in zip(("open", "high", "low", "close"), (open_, high, low, close), strict=True)
            },
            "volume": np.round(volume * 0.001, 3),
            "quote_volume": np.round(volume * close * 1e-4, 4),
            "trades": random.integers(4, 200, rows).astype(np.float64),
            "taker_buy_volume": np.round(random.integers(0, volume) * 0.001, 3),
        }
    ).with_columns(pl.col("ts").cast(TS))


def key(kind: str, venue: str, timeframe: str = "") -> SeriesKey:
    return SeriesKey(kind, venue, "BTCUSDT", timeframe)


def test_bars_alone_are_enough(tmp_path: Path, start_exchange: Start) -> None:
    """Every stream and endpoint lives on minutes alone; trades made of them add up to what REST gives."""
    lake, table = Lake(tmp_path), bars(2 * 1440)
    lake.write(key("bars", "binance_usdm", "1m"), table)
    with start_exchange(lake=str(tmp_path), start="2024-01-02T00:00:30", speed=0.0, limits=False) as exchange:
        market = exchange.markets["usdm"]
        tape = market.tapes["BTCUSDT"]
        assert exchange.markets["spot"].tapes == {}
        host = exchange.hosts.usdm_rest
        answered = ask(f"{host}/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1000")
        assert [row[0] for row in answered[:-1]] == [START_US // 1000 + 60_000 * i for i in range(441, 1440)]
        assert [float(row[4]) for row in answered[:-1]] == table["close"][441:1440].to_list()
        assert answered[-1][0] == (START_US + DAY_US) // 1000  # the unfinished one
        trades = tape.trades(START_US, START_US + DAY_US)
        assert trades["lots"].sum() == round(table["volume"][:1440].sum() * 1000)
        assert len(trades) == table["trades"][:1440].sum()
        hours = ask(f"{host}/fapi/v1/klines?symbol=BTCUSDT&interval=1h&startTime={START_US // 1000}&limit=24")
        assert [float(row[5]) for row in hours] == pytest.approx(
            [float(table["volume"][60 * i : 60 * i + 60].sum()) for i in range(24)]
        )
        for path in ("markPriceKlines?interval=1m&", "openInterest?", "premiumIndex?", "fundingRate?", "ticker/24hr?"):
            assert ask(f"{host}/fapi/v1/{path}symbol=BTCUSDT")


def test_what_the_lake_has_is_told_unchanged(tmp_path: Path, start_exchange: Start) -> None:
    """Its own trades, marks, funding, open interest and ratios."""
    lake = Lake(tmp_path)
    lake.write(key("bars", "binance_usdm", "1m"), bars(1440))
    stamps = pl.Series("ts", START_US + np.arange(1, 100) * 1_000_000).cast(TS)
    trades = pl.DataFrame(
        {
            "ts": stamps,
            "price": 1000.0 + np.arange(99) / 10,
            "quantity": 0.5,
            "side": np.tile([1, -1, 1], 33),
            "id": 500 + np.arange(99),
        },
    ).with_columns(pl.col("side").cast(pl.Int8))
    lake.write(key("trades", "binance_usdm"), trades)
    funding = pl.DataFrame({"ts": [START_US + 4 * HOUR_US + 7000], "rate": [0.000321]}).with_columns(
        pl.col("ts").cast(TS)
    )
    lake.write(key("funding", "binance_usdm"), funding)
    lake.write(
        key("mark_bars", "binance_usdm", "1m"), bars(1440, seed=9).drop("quote_volume", "trades", "taker_buy_volume")
    )
    times = pl.Series("ts", START_US + np.arange(1, 200) * 5 * MINUTE_US).cast(TS)
    held = pl.DataFrame({"ts": times, "open_interest": 70.0 + np.arange(199)})
    lake.write(key("open_interest", "binance_usdm"), held)
    lake.write(key("long_short", "binance_usdm"), pl.DataFrame({"ts": times, "accounts": [1.5] * 199}))
    with start_exchange(lake=str(tmp_path), start="2024-01-01T12:00", speed=0.0, limits=False) as exchange:
        host = exchange.hosts.usdm_rest
        answered = ask(f"{host}/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=510&limit=3")
        assert [(row["a"], row["p"], row["m"]) for row in answered] == [
            (510, "1001.0", True),
            (511, "1001.1", False),
            (512, "1001.2", False),
        ]
        (paid,) = ask(f"{host}/fapi/v1/fundingRate?symbol=BTCUSDT")
        assert (paid["fundingRate"], paid["fundingTime"]) == ("0.00032100", START_US // 1000 + 4 * 3_600_000 + 7)
        marks = ask(f"{host}/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1m&limit=2&startTime={START_US // 1000}")
        assert [float(row[4]) for row in marks] == bars(2, seed=9)["close"].to_list()
        data = f"{exchange.hosts.usdm_rest}/futures/data"
        (oldest,) = ask(f"{data}/openInterestHist?symbol=BTCUSDT&period=5m&limit=1&startTime={START_US // 1000 + 1}")
        assert (oldest["sumOpenInterest"], oldest["timestamp"]) == ("70.00000000", START_US // 1000 + 300_000)
        (ratio,) = ask(f"{data}/globalLongShortAccountRatio?symbol=BTCUSDT&period=5m&limit=1")
        assert (ratio["longShortRatio"], ratio["longAccount"], ratio["shortAccount"]) == ("1.5000", "0.6000", "0.4000")
        assert ask(f"{data}/topLongShortAccountRatio?symbol=BTCUSDT&period=5m&limit=1") == []


@pytest.mark.parametrize("kind", ["hours", "days"])
def test_long_bars_too(tmp_path: Path, start_exchange: Start, kind: str) -> None:
    """Where the shortest bars are hours or days, trades are made of those."""
    step = HOUR_US if kind == "hours" else DAY_US
    Lake(tmp_path).write(key("bars", "binance", "1h" if kind == "hours" else "1d"), bars(40, step))
    start = START_US + 20 * step + step // 2
    with start_exchange(lake=str(tmp_path), start=str(np.datetime64(start, "us")), speed=0.0, limits=False) as exchange:
        rest = exchange.hosts.spot_rest
        assert len(ask(f"{rest}/api/v3/aggTrades?symbol=BTCUSDT&limit=5")) == 5
        assert ask(f"{rest}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5") != None  # noqa: E711
        assert float(ask(f"{rest}/api/v3/depth?symbol=BTCUSDT&limit=5")["bids"][0][0]) > 0


def test_recorded_books_keep_their_ids(recorded_lake: Path, start_exchange: Start) -> None:
    """Updates carry the venue's ids in an unbroken chain, and the book that they make never crosses."""
    with start_exchange(lake=str(recorded_lake), speed=0.0, limits=False, seed=1) as exchange:
        market = next(market for market in exchange.markets.values() if market.tapes)
        (symbol,) = market.tapes
        heard: list[Any] = []
        market.listen(heard.append)
        market.watch(symbol)
        market.advance(market.now_us + MINUTE_US)
        updates = [event for event in heard if isinstance(event, Depth) and not event.restarts]
        assert len(updates) > 100
        if market.name == "usdm":
            assert all(after.previous == before.final for before, after in pairwise(updates))
        assert any(isinstance(event, Traded) for event in heard)
        book = market.book(symbol)
        assert book.bids[0][0] < book.asks[0][0]
        assert len(book.bids) > 100


def test_quotes_and_marks_are_replayed(tmp_path: Path, start_exchange: Start) -> None:
    """bookTicker tells the lake's quotes, the book has their prices, the mark price stream the lake's marks."""
    lake = Lake(tmp_path)
    lake.write(key("bars", "binance_usdm", "1m"), bars(60))
    seconds = pl.Series("ts", START_US + np.arange(1, 60) * 1_000_000).cast(TS)
    bid = np.round(900 + np.arange(59) / 10, 1)
    sizes = {"bid_quantity": 1.5, "ask_quantity": 2.5}
    quotes = pl.DataFrame({"ts": seconds, "bid": bid, "ask": np.round(bid + 0.3, 1), "id": np.arange(59)})
    lake.write(
        key("quotes", "binance_usdm"),
        quotes.with_columns(**{name: pl.lit(size) for name, size in sizes.items()}).select(
            "ts", "bid", "bid_quantity", "ask", "ask_quantity", "id"
        ),
    )
    lake.write(key("marks", "binance_usdm"), pl.DataFrame({"ts": seconds[::3], "mark_price": bid[::3] + 0.05}))
    with start_exchange(lake=str(tmp_path), start="2024-01-01", speed=0.0, limits=False) as exchange:
        market = exchange.markets["usdm"]
        heard: list[Any] = []
        market.listen(heard.append)
        market.watch("BTCUSDT")
        market.advance(START_US + 30 * 1_000_000)
        told = [(event.id, event.bid, event.ask) for event in heard if isinstance(event, Quoted)]
        assert told == [(i, (9000 + i, 1500), (9003 + i, 2500)) for i in range(30)]
        marks = [(event.ts_us, event.mark) for event in heard if isinstance(event, Marked)]
        assert marks == [(START_US + (1 + 3 * i) * 1_000_000, pytest.approx(900.05 + 0.3 * i)) for i in range(10)]
        book = market.book("BTCUSDT")
        assert (book.bids[0][0], book.asks[0][0]) == (9028, 9031)  # the quote before this moment


def test_symbols_are_let_go_and_come_back(
    tmp_path: Path, start_exchange: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for the bars of one symbol, many can be asked for in turn, and each is the same again."""
    from truewind.exchange import market as markets

    lake, names = Lake(tmp_path), ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    for number, name in enumerate(names):
        lake.write(SeriesKey("bars", "binance", name, "1m"), bars(1440, seed=number))
    with start_exchange(lake=str(tmp_path), start="2024-01-01T12:00:10", speed=0.0, limits=False) as exchange:
        url = exchange.hosts.spot_rest + "/api/v3/{}?symbol={}&limit=50{}"
        paths = (("klines", "&interval=5m"), ("depth", ""), ("aggTrades", ""))
        asked = [url.format(path, name, more) for name in names for path, more in paths]
        first = [ask(one) for one in asked]
        assert sum(tape.rows for tape in exchange.markets["spot"].tapes.values()) == 3 * 1440
        monkeypatch.setattr(markets, "MOST_ROWS", 2000)
        assert [ask(one) for one in asked] == first
        assert sum(tape.rows for tape in exchange.markets["spot"].tapes.values()) < 3 * 1440


def test_longer_bars_reach_further(tmp_path: Path, start_exchange: Start) -> None:
    """Where the lake's hours go back further than its minutes, REST gives its hours, then the minutes joined."""
    lake, hours = Lake(tmp_path), bars(48, HOUR_US)
    lake.write(key("bars", "binance", "1h"), hours)
    minutes = bars(24 * 60, seed=4).with_columns(pl.col("ts") + pl.duration(hours=24, minutes=30))
    lake.write(key("bars", "binance", "1m"), minutes)
    with start_exchange(lake=str(tmp_path), start="2024-01-02T20:00", speed=0.0, limits=False) as exchange:
        url = f"{exchange.hosts.spot_rest}/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=100"
        answered = ask(f"{url}&startTime={START_US // 1000}")
        assert [row[0] for row in answered] == [START_US // 1000 + 3_600_000 * i for i in range(44)]
        closes = [float(row[4]) for row in answered]
        assert closes[:25] == hours["close"][:25].to_list()  # the 25th begins before the first minute
        assert closes[25:] == minutes["close"][89::60].to_list()[:19]
