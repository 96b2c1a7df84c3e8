"""A person's hand on a running session: the kill switch flattens at once, and what has tripped outlives the session."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import polars as pl
import pytest

from truewind.backtest.settings import load_config
from truewind.domain.clock import VenueClock, WallClock
from truewind.domain.market import Bar
from truewind.domain.order import Event, Reason
from truewind.domain.timeframe import MINUTE_US
from truewind.errors import CorruptError
from truewind.live.audit import audit
from truewind.live.paper import PaperJob, run_session, session_settings
from truewind.market.synthetic import SyntheticMarket
from truewind.storage.lake import Lake
from truewind.storage.latches import Latch, LatchBook
from truewind.strategies.base import Strategy

SYMBOLS = ("BTCUSDT", "ETHUSDT")
CONFIG: dict[str, Any] = {
    "name": "keen",
    "data": {"venue": "synthetic", "symbols": list(SYMBOLS), "timeframe": "1m", "mark": "last"},
    "strategy": {"path": f"{__name__}:Keen"},
    "latency": {"model": "lognormal", "entry_ms": 120.0},
    "risk": {"cooldown_minutes": None},
}
KILL = Latch("kill_switch", "", 1, who="test", why="the venue reports wrong prices")
KILL_ONE = Latch("symbol_killed", "BTCUSDT", 1, who="test")


class Keen(Strategy):
    """Always wants to hold a little."""

    def on_bar(self, bar):
        if self.desk.position(bar.symbol).side == 0 and not self.desk.working(bar.symbol):
            self.buy(0.01, symbol=bar.symbol)


@pytest.fixture(scope="module")
def told():
    """Two hours of bars of two symbols, in the order of time."""
    made = SyntheticMarket()
    bars = []
    for symbol in SYMBOLS:
        table = made.bars(symbol).head(120).with_columns(pl.col("ts").to_physical())
        rows = table.iter_rows(named=True)
        bars += [Bar(symbol=symbol, ts_event=row["ts"] + MINUTE_US, ts_recv=0, **row) for row in rows]
    instruments = [one for one in made.instruments() if one.symbol in SYMBOLS]
    return instruments, sorted(bars, key=lambda bar: (bar.ts_event, bar.symbol))


class Session:
    """A session on these bars, in whose midst something is done: `acts` by the number of bars told before."""

    def __init__(self, told, folder, acts=(), overrides=()) -> None:
        instruments, bars = told
        self.book, self.acts = LatchBook(folder / "state", "main"), dict(acts)
        self.bars, self.started = bars, False
        clock = VenueClock(bars[0].ts, WallClock().now_us())
        settings = session_settings(load_config(CONFIG, overrides))
        self.job = PaperJob(settings, instruments, Lake(folder / "none"), self._events, clock, book=self.book)
        self.result = run_session(self.job, folder / "runs", lambda stage, done, total: None)
        self.engine = self.job.engine

    @asynccontextmanager
    async def _events(self):
        async def tell():
            for number, bar in enumerate(self.bars):
                if number in self.acts:
                    # What is told by now has been acted on; the last bar may wait for its neighbour.
                    await self.until(lambda n=number: hasattr(self, "job") and self.job.feed.count >= n - 2, 120.0)
                    # The first bars wait for the compiler.
                    await self.until(lambda: self.job.engine.state.positions["lots"].any() or self.started, 120.0)
                    self.started = True
                    await asyncio.sleep(0.5)
                    await self.acts[number](self)
                yield bar

        yield tell()

    async def until(self, done, most=5.0) -> float:
        """How long it takes until `done`, in seconds."""
        begun = time.monotonic()
        while not done() and time.monotonic() - begun < most:
            await asyncio.sleep(0.01)
        return time.monotonic() - begun


def flattening(engine):
    return engine.events[(engine.events["reason"] == Reason.FLATTENED) & (engine.events["event"] == Event.SUBMIT)]


def test_the_kill_switch_flattens_within_a_second_and_is_audited_equal(told, tmp_path) -> None:
    """Between two bars: the orders go out at once, and nothing is opened until a person releases it."""
    took: list[float] = []

    async def kill(session):
        session.book.trip(KILL)
        took.append(await session.until(lambda: len(flattening(session.job.engine)) == 2))

    async def release(session):
        assert (session.job.engine.state.positions["lots"] == 0).all()
        session.book.release("kill_switch", "", 2, "test", "prices are right again")
        took.append(await session.until(lambda: session.job.engine.latches["released"].any()))

    session = Session(told, tmp_path, {80: kill, 160: release})
    assert max(took) < 1.0
    latches = session.engine.latches
    assert latches[["rule", "released", "flattens"]].tolist() == [(98, 0, 1), (98, 1, 0)]
    rows = session.engine.verdicts[["row", "opening"]].tolist()
    during = [opening for row, opening in rows if latches[0]["row"] < row <= latches[1]["row"]]
    assert during
    assert not any(during)
    assert sum(opening > 0 for row, opening in rows if row > latches[1]["row"]) == 2  # each opens once more
    sent = flattening(session.engine)
    assert (sent["ts"] == latches[0]["ts"]).all()
    closed = session.engine.fills[np.isin(session.engine.fills["order"], sent["order"])]
    # An order that was decided in the midst of a bar meets the next one that opens after it.
    assert (session.engine.timeline.times[0][closed["row"]] >= latches[0]["ts"]).all()
    found = audit(session.result.run_dir)
    assert found.equal
    assert {one.what: one.session for one in found.compared}["breakers"] == 2
    assert session.book.read().latches == []


def test_a_symbol_is_killed_alone(told, tmp_path) -> None:
    async def kill(session):
        session.book.trip(KILL_ONE)
        await session.until(lambda: len(flattening(session.job.engine)) == 1)

    session = Session(told, tmp_path, {80: kill})
    assert session.engine.state.positions["lots"][0] == 0
    assert session.engine.state.positions["lots"][1] > 0
    assert audit(session.result.run_dir).equal


def test_what_has_tripped_outlives_the_session(told, tmp_path) -> None:
    """Equity falls by more than the day may lose: the next session opens nothing, and says why."""
    first = Session(told, tmp_path, overrides=["risk.max_daily_loss=0.00001", "risk.on_daily_loss=flatten"])
    assert [latch["rule"] for latch in first.engine.latches] == [Reason.DAILY_LOSS]
    warnings = json.loads((first.result.run_dir / "run.json").read_text())["warnings"]
    assert any("Daily loss limit of 0.001 %" in warning and "was closed" in warning for warning in warnings)
    assert first.result.summary["latches"][0]["breaker"] == "daily_loss"
    (kept,) = first.book.read().latches
    assert (kept.rule, kept.symbol, kept.limit) == ("daily_loss", "", 0.00001)
    second = Session(told, tmp_path)
    assert len(second.engine.fills) == 0
    assert len(second.engine.verdicts) > 100
    assert any("daily loss, since" in warning for warning in second.job.warnings)
    assert audit(second.result.run_dir).equal
    second.book.release("daily_loss", "", 3, "test", "")
    assert len(Session(told, tmp_path).engine.fills) > 0


def test_a_damaged_latch_file_starts_nothing(told, tmp_path) -> None:
    book = LatchBook(tmp_path / "state", "main")
    book.trip(KILL)
    whole = book.path.read_text()
    assert book.read().latches == [KILL]
    for damaged in (whole.replace("kill_switch", "kill_swatch", 1), whole[:-9], "", "{}"):
        book.path.write_text(damaged)
        with pytest.raises(CorruptError, match="damaged"):
            Session(told, tmp_path)
