"""Strategies: the orders that their shorthands send, the meaning of signals, and how they are found."""

import math

import pytest

from scripted import MINUTE, Done, columns, done, fates, flat, perpetual, play, spot
from truewind.config import Settings
from truewind.domain.order import Event, OrderType, Reason, Status
from truewind.domain.risk import Ruling
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.errors import ConfigError, StrategyError
from truewind.execution.simulated.latency import OrderLatency
from truewind.risk.gate import RiskSettings
from truewind.storage.journal import JournalWriter, read_journal
from truewind.strategies.base import SignalStrategy, Strategy, load
from truewind.strategies.sizing import SizingSettings

LONG, SHORT = Signal(Want.LONG), Signal(Want.SHORT)
ONE = SizingSettings(method="fixed", value=1.0)


class Says(SignalStrategy):
    """The signal of each row, in turn; HOLD after the last."""

    def __init__(self, signals, sizing=ONE):
        super().__init__()
        self.signals, self.sizing, self.seen = list(signals), sizing, []

    def on_bar(self, bar):
        self.now = self.signals.pop(0) if self.signals else HOLD
        super().on_bar(bar)

    def decide(self, row, position, params):
        self.seen.append(position)
        return self.now


def say(signals, bars=None, **how):
    sizing = how.pop("sizing", ONE)
    return play(bars or [flat(100)] * (len(signals) + 3), Says(signals, sizing), **how)


def sent(engine, event="lots"):
    """(side, lots) of each order that left or was held, in the order of their ids."""
    first = {}
    for row in engine.events:
        first.setdefault(int(row["order"]), row)
    return [(int(row["side"]), int(row["lots"])) for row in first.values()]


# -- shorthands ------------------------------------------------------------------------------------------------------


def test_shorthands_send_what_they_say():
    """Market, limit, stop; the exits follow as reduce-only children of their parent."""
    engine = play(
        [flat(100)] * 4,
        {0: lambda s: (s.buy(1), s.sell(2, limit=110), s.buy(3, stop=120, stop_loss=90, take_profit=130, tag=5))},
    )
    first = {}
    for row in engine.events:
        first.setdefault(int(row["order"]), row)
    kinds = [OrderType(int(row["type"])).name for row in first.values()]
    assert kinds == ["MARKET", "LIMIT", "STOP", "STOP", "LIMIT"]
    assert [int(row["side"]) for row in first.values()] == [1, -1, 1, -1, -1]
    assert [int(row["parent"]) for row in first.values()] == [0, 0, 0, 3, 3]
    assert [int(row["reduce_only"]) for row in first.values()] == [0, 0, 0, 1, 1]
    assert [int(row["tag"]) for row in first.values()] == [0, 0, 5, 5, 5]


def test_a_limit_with_a_stop_is_a_stop_limit_order():
    """Both prices go out: the trigger and the limit."""
    orders = []

    def both(s):
        s.buy(1, limit=101, stop=100.5)
        orders.extend(s.working())

    play([flat(100)] * 2, {0: both})
    assert [(order.type, order.price, order.trigger) for order in orders] == [(OrderType.STOP_LIMIT, 101.0, 100.5)]


def test_close_closes_what_is_held_and_nothing_else():
    """Long or short; without a position it sends nothing."""
    engine = play([flat(100)] * 8, {0: lambda s: s.close(), 1: lambda s: s.sell(1.5), 4: lambda s: s.close(tag=3)})
    assert [(fill.side, fill.lots) for fill in done(engine)] == [(-1, 1500), (1, 1500)]
    assert engine.fills[1]["tag"] == 3


@pytest.mark.parametrize("lot", ["0.001", "0.01", "0.0001"])
def test_close_leaves_nothing_of_many_lots(lot):
    """Some 10^12 lots go through the float of their quantity and back, and none is left."""
    small = perpetual(tick="0.00001", lot=lot)
    for extra in range(40):
        quantity = (10**12 + 12_345_678_901 * extra) * float(lot)
        engine = play(
            [flat(0.00001)] * 6, {0: lambda s, q=quantity: s.buy(q), 2: lambda s: s.close()}, instruments=[small]
        )
        assert engine.state.positions[0]["lots"] == 0
        assert len(engine.fills) == 2


def test_cancel_all_leaves_nothing_working():
    """Resting, held and on their way, of one symbol."""
    left = []
    play(
        [flat(100)] * 5,
        {0: lambda s: (s.buy(1, limit=90, stop_loss=80), s.sell(1, limit=110)),
         2: lambda s: (s.buy(1), s.cancel_all(), left.extend(s.working()))},
    )  # fmt: skip
    assert left == []


def test_with_many_symbols_one_must_be_named():
    """A market order for "the" symbol would be a guess."""
    bars = {"AAA": columns([flat(1)] * 3), "BBB": columns([flat(1)] * 3)}
    with pytest.raises(StrategyError, match="AAA, BBB"):
        play(bars, {1: lambda s: s.buy(1)}, instruments=[perpetual("AAA"), perpetual("BBB")])


# -- signals ---------------------------------------------------------------------------------------------------------


def test_a_side_that_is_repeated_enters_once():
    """LONG on five bars: one order."""
    assert sent(say([LONG] * 5)) == [(1, 1000)]


def test_a_changed_side_turns_the_position():
    """Long 1, then short 1 by one order of 2, then flat."""
    engine = say([LONG, LONG, SHORT, SHORT, FLAT])
    assert [(fill.row, fill.side, fill.lots) for fill in done(engine)] == [(1, 1, 1000), (3, -1, 2000), (5, 1, 1000)]


def test_hold_keeps_what_there_is():
    """Neither HOLD nor a return to the side that is held sends anything."""
    assert sent(say([LONG, HOLD, LONG, HOLD, LONG])) == [(1, 1000)]


def test_flat_without_a_position_sends_nothing():
    """And SHORT after it opens only what sizing says."""
    assert sent(say([FLAT, FLAT, SHORT])) == [(-1, 1000)]


def test_a_signal_to_be_out_is_on_record_even_where_nothing_is_held(tmp_path):
    """Nothing is sent for it, and it is a verdict all the same, in the run's table and in the journal."""
    with JournalWriter(tmp_path / "journal.twj") as journal:
        engine = say([FLAT, HOLD, FLAT, FLAT], journal=journal)
    told = [frame.rows for frame in read_journal(tmp_path / "journal.twj") if frame.kind == "verdict"]
    assert engine.verdicts["side"].tolist() == [0, 0]  # said again it is nothing new
    assert sum(map(len, told)) == 2


def test_after_its_stop_a_side_is_not_entered_again_until_it_has_been_something_else():
    """Stopped in bar 2 while LONG goes on; HOLD in between lets it in again."""
    stopped = [flat(100), flat(100), (100, 100, 89, 100), *[flat(100)] * 6]
    long = Signal(Want.LONG, stop=90.0)
    engine = say([long] * 5 + [HOLD, long], stopped)
    assert [(fill.row, fill.price) for fill in done(engine)] == [(1, 100.0), (2, 90.0), (7, 100.0)]


def test_stop_and_targets_leave_the_position_in_parts():
    """10 lots over three targets: 3, 3, and 4 at the farthest, whatever order they are given in; the stop for all."""
    signal = Signal(Want.LONG, stop=90.0, target_1=120.0, target_2=105.0, target_3=110.0)
    bars = [flat(100), (100, 106, 100, 106), (106, 111, 106, 111), (111, 121, 111, 120), flat(120)]
    engine = say([signal], bars, sizing=SizingSettings(method="fixed", value=0.01))
    assert [(fill.price, fill.lots) for fill in done(engine)] == [(100.0, 10), (105.0, 3), (110.0, 3), (120.0, 4)]
    assert sent(engine)[1] == (-1, 10)


def test_an_entry_that_the_gate_reduced_splits_what_is_left():
    """Asked for 10, allowed 4: targets of 2 and 2."""
    signal = Signal(Want.LONG, target_1=105.0, target_2=110.0)
    limits = RiskSettings(max_position=0.4, max_exposure=1.0, max_gross=1000.0, max_drawdown=0.0, cooldown_minutes=None)
    engine = say([signal], cash=1000.0, limits=limits, sizing=SizingSettings(method="fixed", value=10.0))
    assert sent(engine) == [(1, 4000), (-1, 2000), (-1, 2000)]


def test_one_lot_over_two_targets_goes_to_the_farthest():
    """Nothing stays without its target."""
    signal = Signal(Want.SHORT, target_1=95.0, target_2=90.0)
    bars = [flat(100), (100, 100, 94, 94), (94, 94, 89, 89), flat(89)]
    engine = say([signal], bars, sizing=SizingSettings(method="fixed", value=0.001))
    assert [(fill.price, fill.lots) for fill in done(engine)] == [(100.0, 1), (90.0, 1)]


def test_a_limit_entry_rests_and_brings_its_exits():
    """Filled at 95 in bar 2; its stop of 90 works then."""
    signal = Signal(Want.LONG, entry=95.0, stop=90.0)
    bars = [flat(100), flat(100), (100, 100, 94, 96), (96, 96, 89, 89), flat(89)]
    engine = say([signal, signal], bars)
    assert done(engine) == [Done(2, "trade", 1, 95.0, 1000, True), Done(3, "trade", -1, 90.0, 1000)]


def test_a_limit_entry_against_a_position_closes_it_first():
    """Long 1; short wanted at 105: out at market, and 1 sold when 105 trades."""
    bars = [flat(100), flat(100), flat(100), (100, 106, 100, 105), flat(105)]
    engine = say([LONG, Signal(Want.SHORT, entry=105.0)], bars)
    assert [(fill.row, fill.side, fill.price, fill.lots) for fill in done(engine)] == [
        (1, 1, 100.0, 1000), (2, -1, 100.0, 1000), (3, -1, 105.0, 1000)
    ]  # fmt: skip


def test_a_new_side_withdraws_what_rests():
    """FLAT takes an unfilled entry and its exits away."""
    engine = say([Signal(Want.LONG, entry=95.0, stop=90.0), FLAT])
    assert fates(engine) == {
        1: (Status.CANCELLED, Reason.BY_STRATEGY), 2: (Status.CANCELLED, Reason.PARENT_ENDED)
    }  # fmt: skip


def test_a_position_is_left_at_its_horizon_and_not_entered_again():
    """Entered at the close of bar 0 for three minutes: out at bar 4, although LONG goes on."""
    engine = say([Signal(Want.LONG, horizon_us=3 * MINUTE)] * 8)
    assert [fill.row for fill in done(engine)] == [1, 4]


def test_an_entry_that_has_not_filled_by_its_horizon_is_withdrawn():
    """It rests at 95 for two minutes; the price that comes in the fourth finds nothing."""
    bars = [flat(100)] * 4 + [(100, 100, 90, 90), flat(90)]
    engine = say([Signal(Want.LONG, entry=95.0, horizon_us=2 * MINUTE)] * 5, bars)
    assert done(engine) == []
    assert fates(engine)[1] == (Status.CANCELLED, Reason.BY_STRATEGY)


def test_the_opposite_signal_at_the_horizon_wins():
    """SHORT on the bar at which the long expires: one order turns it."""
    engine = say([Signal(Want.LONG, horizon_us=2 * MINUTE), HOLD, SHORT, HOLD])
    assert [(fill.row, fill.side, fill.lots) for fill in done(engine)] == [(1, 1, 1000), (3, -1, 2000)]


@pytest.mark.parametrize("signals", [[LONG, HOLD, HOLD, HOLD, SHORT, LONG], [LONG, HOLD, HOLD, HOLD, FLAT, LONG]])
def test_a_change_of_mind_in_flight_leaves_the_position_as_wanted(signals):
    """With two bars of latency SHORT or FLAT is taken back before it arrives: the long stays, protected as now said."""
    signals[-1] = Signal(Want.LONG, stop=90.0)
    bars = [flat(100)] * 8 + [(100, 100, 89, 90), flat(90)]
    engine = say(signals, bars, latency=OrderLatency(entry_ms=130_000))
    assert [(fill.side, fill.lots, fill.price) for fill in done(engine)] == [(1, 1000, 100.0), (-1, 1000, 90.0)]


@pytest.mark.parametrize(
    ("signal", "says"),
    [
        (Signal(Want.LONG, stop=100.0), "stop 100.0 of a long entered at 100.0 must lie below"),
        (Signal(Want.SHORT, stop=99.0), "stop 99.0 of a short entered at 100.0 must lie above"),
        (Signal(Want.LONG, target_2=99.0), "target 99.0 of a long entered at 100.0 must lie above"),
        (Signal(Want.LONG, entry=80.0, stop=90.0), "stop 90.0 of a long entered at 80.0"),
        (Signal(Want.LONG, stop=-1.0), "price that is not a number > 0"),
        (Signal(Want.LONG, entry=-1.0), ""),
        (Signal(Want.LONG, target_1=math.inf), "price that is not a number > 0"),
        (Signal(3), "side 3"),
        (Signal(-2), "side -2"),
    ],
)
def test_signals_that_make_no_sense_stop_the_run(signal, says):
    """A stop or target on the wrong side would be filled at once: the error names bar time and price."""
    with pytest.raises(StrategyError, match="BTCUSDT at 1970-01-01 00:01:00") as error:
        say([signal])
    assert says in str(error.value)


def test_a_size_of_nothing_is_on_record():
    """Risk sizing without a stop: the order is denied, not forgotten."""
    engine = say([LONG], sizing=SizingSettings(method="risk", value=0.01))
    assert fates(engine) == {1: (Status.DENIED, Reason.SIZE_NEEDS_STOP)}


def test_a_turn_that_cannot_open_still_closes():
    """Risk sizing without a stop on the way back: the long is left."""
    engine = say(
        [Signal(Want.LONG, stop=90.0), HOLD, SHORT], sizing=SizingSettings(method="risk", value=0.01), cash=1000.0
    )
    assert [(fill.side, fill.lots) for fill in done(engine)] == [(1, 1000), (-1, 1000)]


def test_a_signal_to_be_short_of_what_cannot_be_sold_short_closes():
    """On spot a long with a stop is closed, and the short is denied before the venue could refuse the whole order."""
    engine = say([Signal(Want.LONG, stop=90.0), HOLD, SHORT, SHORT], instruments=[spot()])
    assert [(fill.side, fill.lots) for fill in done(engine)] == [(1, 1000), (-1, 1000)]
    assert [(int(row["ruling"]), Reason(int(row["reason"]))) for row in engine.verdicts] == [
        (Ruling.APPROVED, Reason.NONE), (Ruling.DENIED, Reason.NO_SHORT),
    ]  # fmt: skip
    assert Event.REJECT not in engine.events["event"]


def test_symbols_are_followed_apart():
    """The signal of one is not the last signal of the other."""

    class Both(SignalStrategy):
        @staticmethod
        def decide(row, position, params):
            return LONG if row.symbol == "AAA" else SHORT

    both = Both()
    both.sizing = ONE
    bars = {"AAA": columns([flat(100)] * 4), "BBB": columns([flat(100)] * 4)}
    engine = play(bars, both, instruments=[perpetual("AAA"), perpetual("BBB")])
    assert [fill.side for fill in done(engine, "AAA")] == [1]
    assert [fill.side for fill in done(engine, "BBB")] == [-1]


def test_decide_sees_the_position_and_the_values_of_its_parameters():
    """Side, entry, stop; parameters as plain numbers by name."""
    seen = []

    class Looks(SignalStrategy):
        class Params(Settings):
            length: int = 5

        @staticmethod
        def decide(row, position, params):
            seen.append((position.side, position.stop, params.length))
            return Signal(Want.LONG, stop=90.0)

    looks = Looks(length=7)
    looks.sizing = ONE
    play([flat(100)] * 3, looks)
    assert seen[1:] == [(1, 90.0, 7)] * 2
    assert seen[0][0] == 0


# -- finding strategies ----------------------------------------------------------------------------------------------

MODULE = """
from truewind.domain.signal import FLAT, Signal, Want
from truewind.strategies.base import Strategy
from truewind.execution.simulated.latency import OrderLatency

def above(row, position, params):
    return Signal(Want.LONG) if row.close > params.level else FLAT

above.features = ["sma(3)"]

class Mine(Strategy):
    pass

NUMBER = 5
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "random.py"  # the name of a standard module, which must not be shadowed
    path.write_text(MODULE)
    return path


def test_a_file_of_ones_own_is_a_strategy(module):
    """A class, or a function with its parameters and features; the standard library stays what it is."""
    import random

    assert type(load(f"{module}:Mine", {})).__name__ == "Mine"
    above = load(f"{module}:above", {"level": 100.5})
    assert list(above.features()) == ["sma(3)"]
    assert above.values.level == 100.5
    above.sizing = ONE
    assert [fill.side for fill in done(play([flat(101), flat(101), flat(100), flat(100)], above))] == [1, -1]
    assert random.random() < 1


def test_a_decide_function_belongs_to_its_file(module):
    """Its code is what a run's identity must cover."""
    import sys

    above = load(f"{module}:above", {"level": 1.0})
    assert sys.modules[type(above).__module__].__file__ == str(module)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("no_such_module_at_all:X", "no_such_module_at_all"),
        ("truewind.strategies.crypto.breakout:Breakot", "Breakout"),
        ("truewind.strategies.crypto.breakout", "names no strategy"),
        ("nowhere.py:X", "nowhere.py"),
        (":X", ""),
        ("truewind.strategies.crypto.breakout:Signal", "neither"),
        ("truewind.strategies.base:SignalStrategy", "decide"),
        ("math:pi", "neither"),
    ],
)
def test_what_is_no_strategy_is_told(path, says):
    """ConfigError with the path, and the closest name where there is one."""
    with pytest.raises(ConfigError) as error:
        load(path, {})
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"), [("def x(:\n", "line 1"), ("import nothing_like_it\n", "nothing_like_it"), ("1/0\n", "Zero")]
)
def test_a_file_that_does_not_run_is_told(text, says, tmp_path):
    """Syntax with its line, a missing import, an error on the way."""
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(f"{path}:X", {})
    assert says in str(error.value)


@pytest.mark.parametrize("params", [{"levle": 1.0}, {"level": "high"}, {}])
def test_parameters_are_checked(params):
    """Misspelt or of the wrong type, for a class with declared parameters."""

    class Wants(Strategy):
        class Params(Settings):
            level: float

    with pytest.raises(ConfigError, match="level"):
        Wants(**params)


@pytest.mark.parametrize("name", ["class", "_private", "not a name", "copy"])
def test_parameter_names_of_a_function_that_cannot_be_fields_are_told(name, module):
    """A keyword, a private name, no name, and the name of a method: ConfigError, not a traceback of namedtuple."""
    with pytest.raises(ConfigError, match=name):
        load(f"{module}:above", {"level": 1.0, name: 2})
