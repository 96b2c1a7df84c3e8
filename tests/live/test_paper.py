"""A session on streams leaves what a backtest of what it heard leaves: the same orders and fills, byte for byte."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import polars as pl
import pytest

from truewind import cli
from truewind.backtest.run import run
from truewind.backtest.settings import load_config
from truewind.config import Settings
from truewind.domain.clock import VenueClock, WallClock
from truewind.domain.market import Bar, Trade
from truewind.domain.order import OrderType, Side
from truewind.domain.timeframe import HOUR_US, MINUTE_US, SECOND_US
from truewind.errors import ConfigError, DataError, NetworkError
from truewind.live.audit import audit
from truewind.live.paper import PaperJob, run_session, session_settings
from truewind.market.stream.events import MarkPrice
from truewind.market.synthetic import SyntheticMarket
from truewind.storage.journal import journal_tables
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.strategies.base import Strategy

SYMBOLS = ("BTCUSDT", "ETHUSDT")
CONFIG: dict[str, Any] = {
    "name": "session",
    "data": {"venue": "synthetic", "symbols": list(SYMBOLS), "timeframe": "1m"},
    "strategy": {
        "path": "truewind.strategies.crypto.breakout:Breakout",
        "params": {"entry": 24, "exit": 12, "atr": 14, "stop": 2.0},
    },
    "latency": {"model": "lognormal", "entry_ms": 120.0},
    "sizing": {"method": "risk", "value": 0.005},
}


class Flip(Strategy):
    """Buys and sells by the number of the trade; some orders rest, and are withdrawn."""

    def on_start(self):
        self.count = 0

    def on_trade(self, trade):
        self.count += 1
        for order in self.desk.working(trade.symbol):
            if self.count % 11 == 0:
                self.desk.cancel(order.id)
        if self.count % 40 == 0:
            self.desk.submit(trade.symbol, Side.BUY if self.count % 80 else Side.SELL, 0.01)
        elif self.count % 13 == 0:
            self.desk.submit(trade.symbol, Side.BUY, 0.01, OrderType.LIMIT, trade.price * 0.9999)


class Market:
    """A made market of some hours: the lake has the first of them, the rest is told by a stream."""

    def __init__(self, folder) -> None:
        self.made = SyntheticMarket()
        self.lake = Lake(folder / "data")
        self.instruments = [one for one in self.made.instruments() if one.symbol in SYMBOLS]
        self.bars = {symbol: self.made.bars(symbol).head(12 * 60) for symbol in SYMBOLS}
        self.start = int(self.bars["BTCUSDT"]["ts"].to_physical()[0])
        for symbol, table in self.bars.items():
            self.lake.write(SeriesKey("bars", "synthetic", symbol, "1m"), table.head(6 * 60))
        for instrument in self.instruments:
            self.lake.put_instrument(instrument)

    def clock(self) -> VenueClock:
        """It is when the session begins, six hours after the first bar."""
        return VenueClock(self.start + 6 * HOUR_US, WallClock().now_us())

    def told_bars(self) -> list[Bar]:
        """The bars of the last six hours, of two symbols, as they would come: now the one first, now the other."""
        draw, found = np.random.default_rng(7), []
        for symbol, table in self.bars.items():
            for row in table.tail(6 * 60).with_columns(pl.col("ts").to_physical()).iter_rows(named=True):
                known = row["ts"] + MINUTE_US
                found.append(
                    (known + draw.integers(0, 50_000_000), Bar(symbol=symbol, ts_event=known, ts_recv=0, **row))
                )
        return [bar for _, bar in sorted(found, key=lambda one: one[0])]

    def told_marks(self) -> list[MarkPrice]:
        """Marks every ten seconds, somewhat off the bars' closes, with funding at eight o'clock, and at noon."""
        found = []
        for number, (symbol, table) in enumerate(self.bars.items()):
            closes = table["close"].tail(6 * 60).to_list()
            for second in range(0, 6 * 3600, 10):
                ts = self.start + 6 * HOUR_US + second * SECOND_US + 500_000
                due = self.start + (8 if second < 2 * 3600 else 12) * HOUR_US
                mark = closes[second // 60] * (1.0005 + 0.00001 * (second % 7))
                found.append(MarkPrice(symbol, ts, ts, mark, mark, 0.0004 * (1 - 3 * number), due))
        return found

    def told_trades(self) -> list[Trade]:
        """Trades of ten minutes."""
        begin, found = self.start + 6 * HOUR_US, []
        for symbol in SYMBOLS:
            table = self.made.trades(symbol, begin, begin + 10 * MINUTE_US)
            rows = table.with_columns(pl.col("ts").to_physical()).select("ts", "price", "quantity", "side", "id")
            found += [Trade(symbol, ts, 0, *told) for ts, *told in rows.iter_rows()]
        return sorted(found, key=lambda trade: trade.ts_event)


def stream(events, *, ends: Exception | None = None):
    """Streams that tell `events` and then nothing, or break."""

    @asynccontextmanager
    async def opened():
        async def told():
            for number, event in enumerate(events):
                if number % 20 == 0:
                    await asyncio.sleep(0.005)  # the engine's turn
                yield event
            if ends is not None:
                raise ends

        yield told()

    return opened


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return Market(tmp_path_factory.mktemp("market"))


def session(market, tmp_path, events, overrides=(), **how):
    settings = session_settings(load_config(CONFIG, overrides))
    job = PaperJob(settings, market.instruments, market.lake, stream(events), market.clock(), **how)
    return job, run_session(job, tmp_path / "runs", lambda stage, done, total: None)


def test_a_session_on_bars_is_audited_equal(market, tmp_path) -> None:
    """Two symbols with features that history has warmed up, orders that travel, bars that come in any order."""
    job, result = session(market, tmp_path, market.told_bars(), patience_us=60_000_000)
    assert result.summary["fills"] > 10
    assert "Paper session" in result.report.read_text()
    assert "Paper session" not in (found := audit(result.run_dir)).backtest.report.read_text()
    assert job.feed.orderer.dropped == 0
    assert not any("history" in warning for warning in job.warnings)
    assert found.equal
    assert (found.rows, found.whole) == (720, True)
    assert [one.session for one in found.compared] == [one.backtest for one in found.compared]
    assert found.backtest.summary["final_equity"] == result.summary["final_equity"]


def test_a_session_that_hears_marks_pays_funding(market, tmp_path) -> None:
    """Marks and bars in the order of time; what is paid at eight is in the journal, and the audit pays it as well."""
    told = [(bar.ts_event + 1_000_000, bar) for bar in market.told_bars()]
    told += [(mark.ts_event, mark) for mark in market.told_marks()]
    events = [event for _, event in sorted(told, key=lambda one: one[0])]
    overrides = [
        "strategy={path: truewind.strategies.crypto.ema_cross:EmaCross}",
        "sizing={method: fraction, value: 1}",
        "risk.cooldown_minutes=null",
    ]
    job, result = session(market, tmp_path, events, overrides)
    found = audit(result.run_dir)
    assert found.equal
    paid = journal_tables(result.run_dir / "journal.twj")["funding"]
    assert paid["ts"].to_list() == [market.start + 8 * HOUR_US] * 2
    assert sorted(paid["rate"].to_list()) == pytest.approx([-0.0008, 0.0004])
    assert result.summary["funding"] != 0.0
    assert found.backtest.summary["funding"] == result.summary["funding"]
    marked = job.engine.timeline.marks[3] / job.engine.timeline.prices[3]
    assert (marked > 1.0004).all()


def test_what_was_heard_is_what_the_market_was(market, tmp_path) -> None:
    """The journal's rows are the market's bars, each received after it was over and no earlier than the one before."""
    _, result = session(market, tmp_path, market.told_bars(), patience_us=60_000_000)
    heard = journal_tables(result.run_dir / "journal.twj")["bar"]
    for number, symbol in enumerate(SYMBOLS):
        table = heard.filter(pl.col("symbol") == number)
        assert table["close"].to_list() == market.bars[symbol]["close"].tail(360).to_list()
    assert (heard["ts_recv"] >= heard["ts_event"]).all()
    assert heard["ts_recv"].is_sorted()


def test_a_session_that_was_killed_is_audited_as_far_as_it_came(market, tmp_path) -> None:
    """The journal is cut in the middle of a frame, as a kill leaves it."""
    _, result = session(market, tmp_path, market.told_bars(), patience_us=60_000_000)
    journal = result.run_dir / "journal.twj"
    data = journal.read_bytes()
    for share in (0.8, 0.93):
        journal.write_bytes(data[: int(len(data) * share)])
        found = audit(result.run_dir)
        assert found.equal
        assert not found.whole
        assert 0 < found.rows < 720


def test_an_audit_tells_what_differs(market, tmp_path, capsys, monkeypatch) -> None:
    """A strategy that was changed after the fact gives other orders; the command says so and exits with 6."""
    monkeypatch.chdir(tmp_path)
    _, result = session(market, tmp_path, market.told_bars(), patience_us=60_000_000)
    settings = result.run_dir / "config.yaml"
    settings.write_text(settings.read_text().replace("entry: 24", "entry: 23"))
    assert not audit(result.run_dir).equal
    assert cli.main(["audit", str(result.run_dir)]) == 6
    assert "differ from" in capsys.readouterr().out


def test_a_session_on_trades(market, tmp_path) -> None:
    """Trades of two symbols, with orders on their way while others come."""
    job, result = session(
        market,
        tmp_path,
        market.told_trades(),
        [
            "data={venue: synthetic, symbols: [BTCUSDT, ETHUSDT], kind: trades}",
            f"strategy={{path: '{__file__}:Flip'}}",
            "risk.cooldown_minutes=null",
        ],
    )
    assert result.summary["fills"] > 5
    found = audit(result.run_dir)
    assert found.equal
    assert found.rows == len(market.told_trades()) - job.feed.orderer.dropped


def test_the_length_of_a_session_is_market_time(market, tmp_path) -> None:
    """An hour after the first bar's open it is over, however much more there is."""
    _, result = session(market, tmp_path, market.told_bars(), patience_us=60_000_000, length_us=HOUR_US)
    assert audit(result.run_dir).rows == 2 * 60


def test_without_history_features_warm_up_in_the_session(market, tmp_path) -> None:
    """It is said so, and the backtest has no more than the session had."""
    settings = session_settings(load_config(CONFIG))
    job = PaperJob(settings, market.instruments, Lake(tmp_path / "none"), stream(market.told_bars()), market.clock())
    result = run_session(job, tmp_path / "runs", lambda stage, done, total: None)
    assert sum("history" in warning for warning in job.warnings) == 2
    assert audit(result.run_dir).equal


def test_a_feed_that_breaks_ends_the_session_with_its_results(market, tmp_path) -> None:
    """Before the first rows it is an error; afterwards what was heard is acted on, and the reader is told."""
    settings = session_settings(load_config(CONFIG))
    broken = NetworkError("The venue has gone")
    with pytest.raises(NetworkError, match="has gone"):
        PaperJob(settings, market.instruments, market.lake, stream([], ends=broken), market.clock())
    events = stream(market.told_bars()[:100], ends=broken)
    job = PaperJob(settings, market.instruments, market.lake, events, market.clock())
    result = run_session(job, tmp_path / "runs", lambda stage, done, total: None)
    assert any("has gone" in warning for warning in job.warnings)
    assert audit(result.run_dir).equal


@pytest.mark.parametrize(
    "override",
    [
        "data.inner_timeframe=1s",
        "feed.model=constant",
        "account.settled_only=true",
        "feed.late_share=0.1",
        "data.symbols=[binance:BTCUSDT]",
    ],
)
def test_what_no_stream_brings_is_refused(override) -> None:
    with pytest.raises(ConfigError, match="paper session"):
        session_settings(load_config(CONFIG, [override]))


LOOSE = ["risk.stop_required=false", "risk.max_exposure=null", "risk.cooldown_minutes=null", "risk.max_position=null"]


class Metronome(Strategy):
    """Buys and sells in turn, every ten seconds."""

    timer_us = 10 * SECOND_US

    def on_timer(self):
        for symbol in SYMBOLS:
            self.order(-1 if self.position(symbol).quantity > 0 else 1, 0.01, symbol=symbol)


def test_timers_ring_in_the_audit_as_they_did_in_the_session(market, tmp_path) -> None:
    data = "data={venue: synthetic, symbols: [BTCUSDT, ETHUSDT], kind: trades}"
    overrides = [data, f"strategy={{path: '{__name__}:Metronome'}}", *LOOSE]
    _, result = session(market, tmp_path, market.told_trades(), overrides)
    rung = journal_tables(result.run_dir / "journal.twj")["timer"]["ts"].to_list()
    assert len(rung) > 50
    assert all(ts % (10 * SECOND_US) == 0 for ts in rung)
    assert result.summary["fills"] > 50
    assert audit(result.run_dir).equal


class Reader(Strategy):
    class Params(Settings):
        spec: str = ""

    def features(self):
        return {"field": self.params.spec}


@pytest.mark.parametrize("spec", ["funding_rate", "close[ETHUSDT]", "rank(returns(3))"])
def test_features_of_what_is_not_heard_are_refused(market, spec) -> None:
    given = {**CONFIG, "strategy": {"path": f"{__name__}:Reader", "params": {"spec": spec}}}
    with pytest.raises(ConfigError, match="which a session's bars do not have"):
        PaperJob(session_settings(load_config(given)), market.instruments, market.lake, stream([]), market.clock())


def test_a_backtest_is_no_session(tmp_path, market) -> None:
    result = run(CONFIG, lake=market.lake, runs=tmp_path / "runs")
    with pytest.raises(DataError, match="no session"):
        audit(result.run_dir)
