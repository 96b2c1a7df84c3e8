"""The engine: what a strategy is told and when, what it cannot know, and what the run leaves behind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from scripted import MINUTE, Scripted, build, columns, done, fates, final_cash, flat, free, perpetual, play, spot
from truewind.domain.order import Event, Reason, Side, Status
from truewind.engine import engine as engines
from truewind.engine import merge as merging
from truewind.errors import ConfigError, DataError, StrategyError
from truewind.execution.simulated import matching
from truewind.execution.simulated.latency import OrderLatency
from truewind.risk.gate import RiskSettings
from truewind.storage.journal import JournalWriter, read_journal
from truewind.strategies.base import Strategy

FLAT = [flat(100)] * 6


# -- what a strategy is told -----------------------------------------------------------------------------------------


def test_every_bar_is_handed_over_once_and_in_order():
    """With its own prices and times; the clock says when it was known."""
    times = []
    engine = play([flat(10 + i) for i in range(5)], {i: lambda s: times.append(s.desk.now_us) for i in range(-1, 5)})
    assert [bar.close for bar in engine.strategy.bars] == [10, 11, 12, 13, 14]
    assert times == [0, *((i + 1) * MINUTE for i in range(5))]


def test_a_fill_is_told_before_the_bar_in_which_it_happened():
    """The strategy has seen the fill when the bar's on_bar comes, and its position holds it."""
    seen = {}

    def look(s):
        seen[s.row] = (len(s.told), s.position().side)

    play(FLAT, {0: lambda s: (look(s), s.buy(1)), 1: look})
    assert seen == {0: (0, 0), 1: (1, 1)}


def test_a_fill_tells_what_happened():
    """Price, quantity, fee and position in units of people."""
    engine = play(FLAT, {0: lambda s: s.buy(1.5, tag=9)}, costs=free(taker_fee=0.001))
    (fill,) = engine.strategy.told
    assert (fill.symbol, fill.side, fill.price, fill.quantity, fill.fee) == ("BTCUSDT", 1, 100.0, 1.5, 0.15)
    assert (fill.position, fill.tag, fill.order_id, fill.maker, fill.ts_event) == (1.5, 9, 1, False, MINUTE)


def test_liquidations_are_told_and_funding_is_not():
    """The strategy must know that its position is gone."""
    bars = [flat(100), flat(100), flat(50), flat(50)]
    engine = play(
        bars, {0: lambda s: s.buy(10)}, cash=100.0, gate_leverage=1e6, funding={"BTCUSDT": [(2 * MINUTE, 0.001, 0)]}
    )
    assert [(fill.side, fill.position) for fill in engine.strategy.told] == [(1, 10.0), (-1, 0.0)]


def test_an_order_sent_from_on_fill_acts_from_a_later_bar():
    """Filled inside bar 1, whose close is 104; the answer gets bar 2's open, not bar 1's."""
    react = Scripted({0: lambda s: s.buy(1, stop=102)}, lambda s, fill: fill.side > 0 and s.sell(1))
    engine = play([flat(100), (100, 105, 99, 104), flat(103), flat(103)], react)
    assert [(fill.row, fill.price) for fill in done(engine)] == [(1, 102.0), (2, 103.0)]


def test_a_fill_in_one_market_is_no_reason_to_trade_another_before_it():
    """AAA breaks out inside its bar; BBB cannot be bought at the open of that same time."""
    bars = {"AAA": [flat(100), (100, 110, 100, 110), flat(110)], "BBB": [flat(50), (50, 60, 50, 60), flat(60)]}
    for names in (["AAA", "BBB"], ["BBB", "AAA"]):
        react = Scripted(
            {1: lambda s: s.buy(1, symbol="AAA", stop=105)},
            lambda s, fill: fill.symbol == "AAA" and s.buy(1, symbol="BBB"),
        )
        engine = play({n: bars[n] for n in names}, react, instruments=[perpetual(n) for n in names])
        assert [fill.price for fill in done(engine, "BBB")] == [60.0]


def test_the_position_tells_entry_and_protective_stop():
    """Average entry; the stop as soon as it works, sent with the entry or on its own, and NaN when it is withdrawn."""
    seen = []
    look = lambda s: seen.append(s.position())  # noqa: E731
    play(
        [flat(100)] * 2 + [flat(110)] * 6,
        {
            0: lambda s: s.buy(1), 1: lambda s: (look(s), s.buy(1)),
            2: lambda s: (look(s), s.sell(2, stop=90, reduce_only=True)), 3: look,
            4: lambda s: s.cancel(s.ids[-1]), 5: look, 6: lambda s: (look(s), s.close()), 7: look,
        },
    )  # fmt: skip
    assert [p.entry for p in seen[:3]] == [100.0, 105.0, 105.0]
    assert [p.quantity for p in seen] == [1.0, 2.0, 2.0, 2.0, 2.0, 0.0]
    assert [p.opened_us for p in seen] == [MINUTE] * 5 + [0]
    np.testing.assert_equal([p.stop for p in seen], [np.nan, np.nan, 90.0, np.nan, np.nan, np.nan])


def test_the_account_tells_money_at_the_last_close():
    """1 BTC bought at 100 for a fee of 0.1, now worth 120."""
    seen = []
    play(
        [flat(100), flat(100), flat(120), flat(120)],
        {0: lambda s: s.buy(1), 2: lambda s: seen.append(s.account)},
        costs=free(taker_fee=0.001), cash=1000.0,
    )  # fmt: skip
    assert (seen[0].equity, seen[0].cash, seen[0].fees, seen[0].currency) == (1019.9, 999.9, 0.1, "USDT")


def test_orders_sent_at_the_end_expire():
    """From on_stop nothing can fill, and nothing is forgotten."""

    class Late(Strategy):
        def on_stop(self):
            self.buy(1, stop_loss=90)

    engine = play(FLAT, Late())
    assert fates(engine) == {1: (Status.EXPIRED, Reason.END_OF_DATA), 2: (Status.CANCELLED, Reason.PARENT_ENDED)}


def test_a_strategy_may_sleep_until_a_field_wakes_it():
    """on_bar comes where the field is neither 0 nor NaN; stops, fills and money go on in between."""

    class Sleeper(Scripted):
        wakes_on = "bell"

    bell = np.array([0.0, 1.0, np.nan, 0.0, 0.0, -2.0, 0.0])
    table = columns([flat(100)] * 3 + [(100, 100, 90, 95), flat(95), flat(95), flat(95)]) | {"bell": bell}
    sleeper = Sleeper({0: lambda s: s.buy(1, stop_loss=92)})
    engine = play({"BTCUSDT": table}, sleeper)
    assert [bar.ts // MINUTE for bar in sleeper.bars] == [1, 5]
    assert [(fill.row, fill.price) for fill in done(engine)] == [(2, 100.0), (3, 92.0)]
    assert [fill.ts_event for fill in sleeper.told] == [2 * MINUTE, 4 * MINUTE]
    assert engine.equity[-1] == 1_000_000 - 8


def test_a_field_that_is_not_there_cannot_wake_anybody():
    """The error names the closest."""

    class Sleeper(Strategy):
        wakes_on = "volum"

    with pytest.raises(ConfigError, match="volume"):
        play(FLAT, Sleeper())


def test_a_field_that_was_not_declared_is_not_there():
    """The error names the bar and says what to add; declared ones and money are as ever."""

    class Reader(Strategy):
        fields = ("close", "ts")

        def on_bar(self, bar):
            if bar.ts == 2 * MINUTE:
                assert (bar.close, hasattr(bar, "open")) == (100.0, False)
                self.buy(bar.high)

    with pytest.raises(StrategyError, match=r"bar 2.*no attribute 'high'") as error:
        play(FLAT, Reader())
    assert error.value.remedy == "Add 'high' to Reader.fields, which names the only fields that its bars have"


def test_a_field_that_no_bar_has_cannot_be_declared():
    """Before the first bar, with the name that was meant."""
    with pytest.raises(ConfigError, match="'closed'") as error:
        play(FLAT, type("Reader", (Strategy,), {"fields": ("closed",)})())
    assert "close" in error.value.remedy


# -- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "says"),
    [("on_start", "start"), ("on_bar", "bar 3, known at 1970-01-01 00:04:00"), ("on_fill", "bar 1"), ("on_stop", "")],
)
def test_a_strategy_that_raises_is_told_the_bar_and_the_journal_is_kept(where, says, tmp_path):
    """StrategyError with strategy, symbol, bar and time; what happened until then stands in the journal."""

    class Broken(Strategy):
        count = 0

        def on_start(self):
            self._fail("on_start")

        def on_bar(self, bar):
            self.count += 1
            if self.count == 1:
                self.buy(1)
            if self.count == 4:
                self._fail("on_bar")

        def on_fill(self, fill):
            self._fail("on_fill")

        def on_stop(self):
            self._fail("on_stop")

        def _fail(self, place):
            if place == where:
                raise ZeroDivisionError("my mistake")

    with JournalWriter(tmp_path / "journal.twj") as journal:
        engine = build([flat(100)] * 6, Broken(), journal=journal)
        with pytest.raises(StrategyError, match="Broken raised ZeroDivisionError") as error:
            engine.run()
    assert says in str(error.value)
    assert "my mistake" in str(error.value)
    kinds = [frame.kind for frame in read_journal(tmp_path / "journal.twj")]
    assert kinds.count("order") == (0 if where == "on_start" else 1)
    assert kinds.count("fill") == (0 if where == "on_start" else 1)


def test_an_order_whose_worth_does_not_fit_is_denied():
    """A position of 10^13 USDT, in units of 1e-8: nothing wraps, nothing is sent."""
    engine = build(
        [flat(1_000_000.0)] * 4, {0: lambda s: s.buy(9e6)}, instruments=[perpetual(lot="1")], cash=8e10,
        limits=RiskSettings(max_position=1000, max_exposure=1, max_gross=1000, max_drawdown=0, cooldown_minutes=None),
        leverage=20, gate_leverage=1e6,
    )  # fmt: skip
    engine.run()
    assert fates(engine)[1] == (Status.DENIED, Reason.ABOVE_MAX_NOTIONAL)


@pytest.mark.parametrize("cash", [0.0, 1e-12, 1e11])
def test_cash_that_the_ledger_cannot_count_is_refused(cash):
    """Nothing, less than a unit, or more than 64 bits of units."""
    with pytest.raises(ConfigError, match="Cash"):
        play(FLAT, {}, cash=cash)


def test_one_currency_only():
    """What is settled in another currency than the account's, or in its own base and not inverse, cannot be booked."""
    with pytest.raises(ConfigError, match="settled in USDT"):
        play(FLAT, {}, currency="USD")
    quanto = perpetual("BTCUSD", quote="USD", settle="ETH")
    with pytest.raises(ConfigError, match="linear"):
        play({"BTCUSD": columns(FLAT)}, {}, instruments=[quanto], currency="ETH")


def test_bad_bars_are_refused_before_anything_runs():
    """NaN prices."""
    with pytest.raises(DataError, match="nan"):
        play([flat(100), (100, float("nan"), 100, 100)], {})


# -- one result, however it is reckoned ------------------------------------------------------------------------------


def walk(seed, rows):
    """Candles of a random walk on the grid of 0.1."""
    random = np.random.default_rng(seed)
    close = 1000 + np.cumsum(random.integers(-8, 9, rows))
    opened = np.concatenate([[1000], close[:-1]])
    high = np.maximum(opened, close) + random.integers(0, 5, rows)
    low = np.minimum(opened, close) - random.integers(0, 5, rows)
    return [tuple(float(x) / 10 for x in bar) for bar in zip(opened, high, low, close, strict=True)]


class Trader(Strategy):
    """Trades on what it sees, with brackets and resting orders, so that its past decides its future."""

    def on_bar(self, bar):
        held = self.position(bar.symbol)
        last = int(bar.close * 10)
        if last % 7 == 0 and not held.quantity:
            self.buy(1, symbol=bar.symbol, stop_loss=bar.close - 2, take_profit=bar.close + 2)
        elif last % 11 == 0:
            self.sell(2, symbol=bar.symbol, limit=bar.close + 1)
        elif last % 13 == 0:
            self.cancel_all(bar.symbol)
        elif last % 17 == 0:
            self.close(bar.symbol)


def traded(paths, **how):
    bars = {name: columns(path) for name, path in paths.items()}
    fund = {name: [(i * 8 * MINUTE, 0.0001, 0.0) for i in range(1, 40)] for name in paths}
    instruments = [perpetual(name) for name in paths]
    settings = {"costs": free(taker_fee=0.0005, half_spread_bps=1), "latency": OrderLatency(), "cash": 10_000.0}
    return play(bars, Trader(), instruments=instruments, funding=fund, **settings | how)


def test_equity_is_the_books_at_each_close():
    """Wallet and open profit at the last closes, bar by bar, from the fills alone."""
    paths = {"AAA": walk(1, 400), "BBB": walk(2, 300)}
    engine = traded(paths)
    assert len(engine.fills) > 100
    assert {"funding", "trade"} == {fill.kind for fill in done(engine)}
    timeline = engine.timeline
    held, cost, close, cash = [0, 0], [0, 0], [0.0, 0.0], 10_000 * 10**8
    fills = list(engine.fills)
    for row in range(len(timeline)):
        while fills and fills[0]["row"] == row:
            fill = fills.pop(0)
            held[fill["symbol"]], cost[fill["symbol"]] = int(fill["position"]), int(fill["cost"])
            cash += int(fill["realised"]) - int(fill["fee"])
        close[timeline.times[2][row]] = timeline.prices[3][row]
        expected = cash / 1e8 + sum(held[s] * 0.001 * close[s] - cost[s] / 1e8 for s in range(2))
        assert engine.equity[row] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("chunk", [1, 5, 64])
def test_the_result_does_not_depend_on_how_bars_are_handed_out(chunk, monkeypatch):
    """CHUNK is about speed only: equal orders and fills, equal equity but for the last bits of sums."""
    paths = {"AAA": walk(3, 150), "BBB": walk(4, 150)}
    whole = traded(paths)
    for module in (merging, engines):
        monkeypatch.setattr(module, "CHUNK", chunk)
    parts = traded(paths)
    assert parts.fills.tobytes() == whole.fills.tobytes()
    assert parts.events.tobytes() == whole.events.tobytes()
    np.testing.assert_allclose(parts.equity, whole.equity, rtol=1e-13)


def test_looking_at_the_account_changes_nothing():
    """A strategy that asks for its equity on every bar gets the same run."""

    class Curious(Trader):
        def on_bar(self, bar):
            assert self.account.equity > 0
            super().on_bar(bar)

    paths = {"AAA": walk(5, 200)}
    plain = traded(paths)
    curious = play(
        {"AAA": columns(paths["AAA"])}, Curious(), instruments=[perpetual("AAA")], cash=10_000.0,
        costs=free(taker_fee=0.0005, half_spread_bps=1),
        latency=OrderLatency(),
        funding={"AAA": [(i * 8 * MINUTE, 0.0001, 0.0) for i in range(1, 40)]},
    )  # fmt: skip
    assert curious.fills.tobytes() == plain.fills.tobytes()
    np.testing.assert_allclose(curious.equity, plain.equity, rtol=1e-13)


@examples(25)
@given(st.integers(0, 10**6), st.integers(1, 59))
def test_no_order_knows_the_future(seed, moment):
    """Other bars after time T leave every order, fill and equity before T as they were."""
    paths = {"AAA": walk(seed, 60), "BBB": walk(seed + 1, 60)}
    changed = {name: path[:moment] + walk(seed + 7, 60)[moment:] for name, path in paths.items()}
    before, after = traded(paths), traded(changed)
    rows = 2 * moment
    for name in ("events", "fills"):
        first, second = getattr(before, name), getattr(after, name)
        assert first[first["row"] < rows].tobytes() == second[second["row"] < rows].tobytes()
    assert before.equity[:rows].tobytes() == after.equity[:rows].tobytes()
    assert before.timeline.times[1][rows] == (moment + 1) * MINUTE


def test_more_events_than_the_buffers_hold(monkeypatch):
    """Buffers of a few rows are emptied as often as it takes; nothing is lost and nothing comes twice."""
    from truewind.engine import state

    paths = {"AAA": walk(8, 300), "BBB": walk(9, 300)}
    whole = traded(paths)
    monkeypatch.setattr(state, "BUFFER_ROWS", 40)
    monkeypatch.setattr(state, "_FIRST_ORDERS", 2)
    small = traded(paths)
    assert small.fills.tobytes() == whole.fills.tobytes()
    assert small.events.tobytes() == whole.events.tobytes()


def test_the_journal_holds_what_the_run_returns(tmp_path):
    """Orders and fills, row by row."""
    with JournalWriter(tmp_path / "journal.twj") as journal:
        engine = build([flat(100)] * 6, {0: lambda s: s.buy(1, stop_loss=90), 3: lambda s: s.close()}, journal=journal)
        engine.run()
    frames = list(read_journal(tmp_path / "journal.twj"))
    orders = np.concatenate([frame.rows for frame in frames if frame.kind == "order"])
    fills = np.concatenate([frame.rows for frame in frames if frame.kind == "fill"])
    assert orders["order"].tolist() == engine.events["order"].tolist()
    assert orders["status"].tolist() == engine.events["status"].tolist()
    assert fills["cash"].tolist() == engine.fills["cash"].tolist()


def test_two_engines_side_by_side_do_not_touch_each_other():
    """Nothing is shared: taking turns they end as they would alone."""
    alone = play(walk(11, 60), {5: lambda s: s.buy(1, stop_loss=90), 20: lambda s: s.close()})

    class Nested(Scripted):
        def on_bar(self, bar):
            if self.row == 10:
                play(walk(12, 30), {3: lambda s: s.sell(2)})
            super().on_bar(bar)

    nested = play(walk(11, 60), Nested({5: lambda s: s.buy(1, stop_loss=90), 20: lambda s: s.close()}))
    assert nested.fills.tobytes() == alone.fills.tobytes()


def test_progress_counts_to_the_end():
    """It is called with the rows done and all."""
    told = []
    build(FLAT, {}).run(lambda made, total: told.append((made, total)))
    assert told[-1] == (6, 6)


def test_spot_buys_and_sells_what_it_owns():
    """All the money in at 100, out at 150: half as much again, less fees on both notionals."""
    engine = play(
        [flat(100), flat(100), flat(150), flat(150)], {0: lambda s: s.buy(9), 1: lambda s: s.sell(9)},
        instruments=[spot()], cash=1000.0, leverage=1.0, costs=free(taker_fee=0.001),
    )  # fmt: skip
    assert final_cash(engine) == pytest.approx(1000 + 450 - 0.9 - 1.35)


def test_horizons_change_nothing(monkeypatch):
    """How far ahead quiet bars are looked over is about speed: with a look-ahead of one bar equity is the same."""
    if not hasattr(matching.process, "py_func") or matching.process.py_func is not matching.process:
        pytest.skip("horizons are constants of compiled code")
    paths = {"AAA": walk(13, 120)}
    far = traded(paths)
    monkeypatch.setattr(matching, "_SHORTEST_HORIZON", 1)
    monkeypatch.setattr(matching, "_LONGEST_HORIZON", 1)
    near = traded(paths)
    assert near.fills.tobytes() == far.fills.tobytes()
    np.testing.assert_allclose(near.equity, far.equity, rtol=1e-13)


def test_sides_are_numbers_too():
    """Side.BUY and 1 are the same order."""
    first = play(FLAT, {0: lambda s: s.desk.submit("BTCUSDT", Side.BUY, 1.0)})
    second = play(FLAT, {0: lambda s: s.desk.submit("BTCUSDT", 1, 1.0)})
    assert first.fills.tobytes() == second.fills.tobytes()
    assert first.events["event"].tolist() == [Event.SUBMIT, Event.ACCEPT, Event.FILL]
