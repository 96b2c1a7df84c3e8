"""Several strategies on one account: what each is told, what belongs to whom, and that nothing is lost between them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import MINUTE, UNLIMITED, Scripted, columns, flat, free, perpetual, play
from truewind.domain.due import SWAP_SCALE, DueKind, due_rows, in_order
from truewind.domain.order import Reason
from truewind.domain.position import Position
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.engine.engine import Engine
from truewind.engine.merge import merge
from truewind.engine.portfolio import Member, PortfolioEngine, Team
from truewind.errors import StrategyError
from truewind.portfolio.margin import MarginSettings
from truewind.risk.gate import RiskSettings
from truewind.strategies.base import SignalStrategy
from truewind.strategies.sizing import SizingSettings

WHOLE = MarginSettings(liquidation_fee=0.01, partial=False)


def together(
    bars, *acts, cash=10_000.0, margin=WHOLE, costs=None, dues=None, leverage=20.0, limits=UNLIMITED, **members
):
    """A run of one strategy for each of `acts` (row → what it does), or of Members by name."""
    made = {symbol: columns(given) for symbol, given in bars.items()}
    listed = [perpetual(symbol) for symbol in made]
    team = Team(
        [Member(str(i), Scripted(act), tuple(made)) for i, act in enumerate(acts)]
        + [Member(name, *given) for name, given in members.items()]
    )
    engine = PortfolioEngine(
        merge(made, dict.fromkeys(made, MINUTE)), listed, team, cash=cash, currency="USDT",
        costs=(costs or free()).record(leverage), limits=limits.record(1e6), dues=dues or {},
        margin=margin.terms(listed, {}, leverage),
    )  # fmt: skip
    engine.run()
    return engine


def nets(engine):
    return [round(result.net, 8) for result in engine.results()]


def test_positions_net_at_the_venue_and_each_keeps_its_own():
    """A buys 3 at 100, B sells 1 at 100: the account holds 2. At 110 A has won 30 and B lost 10."""
    seen = {}

    def look(s):
        seen[id(s)] = s.desk.position("AAA")

    engine = together(
        {"AAA": [flat(100), flat(100), flat(110)]}, {0: lambda s: s.buy(3), 2: look}, {0: lambda s: s.sell(1), 2: look}
    )
    assert engine.state.positions["lots"].tolist() == [2_000]
    assert engine.state.shares["lots"].tolist() == [3_000, -1_000]
    assert [position.quantity for position in seen.values()] == [3.0, -1.0]
    assert nets(engine) == [30.0, -10.0]
    assert engine.equity[-1] == 10_020.0


def test_a_strategy_is_told_of_its_own_fills_only():
    """Each of two buys once and hears of one fill."""
    engine = together({"AAA": [flat(100)] * 4}, {0: lambda s: s.buy(3)}, {1: lambda s: s.buy(1)})
    told = [member.strategy.told for member in engine.team.members]
    assert [[fill.quantity for fill in heard] for heard in told] == [[3.0], [1.0]]


def test_nobody_touches_the_orders_of_another():
    """B can neither cancel nor amend nor see the order that A left resting."""
    found = []

    def meddle(s):
        found.append((s.desk.cancel(1), s.desk.amend(1, quantity=5.0), s.desk.working("AAA")))

    engine = together({"AAA": [flat(100)] * 4}, {0: lambda s: s.buy(1, limit=90)}, {2: meddle})
    assert found == [(False, False, [])]
    assert engine.team.members[0].strategy.ids == [1]


def test_closing_against_the_net_position_is_a_plain_order():
    """A is long 1, B short 2: the account is short 1. A's close sells 1 all the same, and A is flat."""
    engine = together(
        {"AAA": [flat(100)] * 5, }, {0: lambda s: s.buy(1), 2: lambda s: s.desk.follow("AAA", FLAT)},
        {0: lambda s: s.sell(2)},
    )  # fmt: skip
    assert engine.state.shares["lots"].tolist() == [0, -2_000]
    assert engine.state.positions["lots"].tolist() == [-2_000]


def test_funding_is_divided_by_lots_and_reaches_both_sides():
    """Long 3 and short 1 at a mark of 100 and 1 %: the account pays 2, which is 3 paid by A and 1 received by B."""
    dues = due_rows(DueKind.FUNDING, 2 * MINUTE, 1_000_000, price=1_000)
    engine = together(
        {"AAA": [flat(100)] * 4}, {0: lambda s: s.buy(3)}, {0: lambda s: s.sell(1)},
        dues={"AAA": dues},
    )  # fmt: skip
    assert [result.funding for result in engine.results()] == [-3.0, 1.0]
    assert engine.state.account[0]["funding"] == -2 * engine.state.scale


def test_a_liquidation_takes_from_those_on_its_side():
    """A long 6, B long 3, C short 1 (net 8) with 50: at 94 the account is gone; 8 are taken from A and B as 2 to 1."""
    engine = together(
        {"AAA": [flat(100), flat(100), flat(94), flat(94)]}, {0: lambda s: s.buy(6)}, {0: lambda s: s.buy(3)},
        {0: lambda s: s.sell(1)}, cash=50.0,
    )  # fmt: skip
    shares = engine.state.shares["lots"].tolist()
    assert shares[2] == -1_000
    assert sum(shares) == 0
    assert shares[0] == 6_000 - 5_333
    assert sum(nets(engine)) == pytest.approx(engine.equity[-1] - 50.0, abs=1e-8)


def test_a_liquidation_of_one_of_two_positions_is_divided_to_the_last_unit():
    """A long 2 and B long 1 of AAA, B long 1 of BBB too, with 50. At 83.8 AAA goes (1.4 against 0.5 % of 351.4), for a
    fee of 0.1 % of 251.4; A bears two thirds of it, and 1.1486 hold BBB."""
    engine = together(
        {"AAA": [flat(100), flat(100), flat(83.8), flat(83.8)], "BBB": [flat(100)] * 4},
        {1: lambda s: s.buy(2, symbol="AAA")},
        {1: lambda s: (s.buy(1, symbol="AAA"), s.buy(1, symbol="BBB"))},
        cash=50.0, margin=MarginSettings(liquidation_fee=0.001, partial=False),
    )  # fmt: skip
    shares, unit = engine.state.shares, engine.state.scale
    assert engine.state.positions["lots"].tolist() == [0, 1_000]
    assert shares["lots"].tolist() == [0, 0, 0, 1_000]
    assert shares["fees"].tolist() == [unit * 1_676 // 10_000, 0, unit * 838 // 10_000, 0]
    assert shares["realised"].tolist() == [-unit * 324 // 10, 0, -unit * 162 // 10, 0]


class Sided(SignalStrategy):
    """Long above a level, else short."""

    level = 100.0

    def features(self):
        return {}

    @staticmethod
    def decide(row, position, params):
        return HOLD if row.close == 100.0 else Signal(Want.LONG if row.close > 100.0 else Want.SHORT)


def test_one_strategy_of_several_does_what_it_would_do_alone():
    """Beside one that does nothing, a strategy leaves the same fills and equity as alone, to the last bit."""
    path = [flat(100), flat(101), flat(103), flat(99), flat(98), flat(102), flat(101)]
    alone, beside = Sided(), Sided()
    alone.sizing = beside.sizing = SizingSettings(method="fraction", value=0.5)
    one = play({"AAA": path}, alone, cash=10_000.0, margin=WHOLE, gate_leverage=1e6)
    two = together({"AAA": path}, {}, sided=(beside, ("AAA",)))
    assert one.fills["price"].tolist() == two.fills["price"].tolist()
    assert one.fills["lots"].tolist() == two.fills["lots"].tolist()
    assert one.equity.tobytes() == two.equity.tobytes()
    assert two.results()[1].net == pytest.approx(one.equity[-1] - 10_000.0, abs=1e-8)


def test_allocation_is_what_a_strategy_sizes_by():
    """A quarter of 10,000 at half of equity and a price of 125: 10 instead of 40."""
    sided = Sided()
    sided.sizing = SizingSettings(method="fraction", value=0.5)
    engine = together({"AAA": [flat(125)] * 3}, sided=(sided, ("AAA",), 0.25))
    assert engine.fills["lots"].tolist() == [10_000]


def test_two_that_do_the_same_at_half_are_one_at_the_whole():
    """Long 5,000 ÷ 125 = 40, then with 8,200 short 4,100 ÷ 80 = 51.25: by each the half, and the same account."""
    path = [flat(100), flat(125), flat(125), flat(80), flat(80), flat(100), flat(100)]
    whole, *halves = Sided(), Sided(), Sided()
    for strategy in (whole, *halves):
        strategy.sizing = SizingSettings(method="fraction", value=0.5)
    one = play({"AAA": path}, whole, cash=10_000.0, margin=WHOLE, gate_leverage=1e6)
    two = together({"AAA": path}, a=(halves[0], ("AAA",), 0.5), b=(halves[1], ("AAA",), 0.5))
    assert two.equity.tobytes() == one.equity.tobytes()
    assert two.fills["lots"].tolist() == [lots // 2 for lots in one.fills["lots"].tolist() for _ in range(2)]
    assert two.equity[-1] == 10_000.0 - 40 * 45 - 51.25 * 20
    assert nets(two) == [-1_412.5, -1_412.5]


def test_limits_hold_for_the_account_and_for_each_within_its_allocation():
    """Position ≤ equity 10,000 at 100. A may use half: 50 of 80. B is on the other side: of its 80 it sends 30, which
    is 0.3 of equity, although the account would be flat with 50. C may use all: 70 more make the account's 100 − 30."""
    limits = RiskSettings(max_position=1.0, max_gross=1000.0, max_exposure=1.0, max_drawdown=0.0, cooldown_minutes=None)
    a, b, c = (
        Scripted({0: lambda s: s.buy(80)}),
        Scripted({1: lambda s: s.sell(80)}),
        Scripted({2: lambda s: s.buy(90)}),
    )
    engine = together(
        {"AAA": [flat(100)] * 5}, limits=limits, a=(a, ("AAA",), 0.5), b=(b, ("AAA",), 0.3), c=(c, ("AAA",), 1.0)
    )
    assert engine.state.shares["lots"].tolist() == [50_000, -30_000, 80_000]
    assert engine.state.positions["lots"].tolist() == [100_000]
    assert set(engine.events["reason"][engine.events["owner"] == 1]) == {0, Reason.POSITION_CAP}


def test_what_flattens_closes_the_share_of_each():
    """A is long 30, B short 10; at 95 the account has lost 100 of 1 000. What each holds is closed, and what B has
    resting withdrawn; nobody opens any more, nor takes back what the house has sent.
    """
    limits = UNLIMITED.model_copy(update={"max_drawdown": 0.05, "on_drawdown": "flatten"})
    sent: list[bool] = []
    engine = together(
        {"AAA": [flat(100), flat(100), flat(95), flat(95), flat(95), flat(95)]},
        {0: lambda s: s.buy(30), 2: lambda s: sent.extend(s.cancel(order.id) for order in s.working())},
        {0: lambda s: (s.sell(10), s.buy(1, limit=50)), 3: lambda s: sent.append(bool(s.buy(1)))},
        cash=1_000.0,
        limits=limits,
    )
    assert [int(latch["row"]) for latch in engine.latches] == [2]
    assert engine.state.shares["lots"].tolist() == [0, 0]
    assert engine.state.positions["lots"].tolist() == [0]
    assert nets(engine) == [-150.0, 50.0]
    assert sent == [False, False]
    ended = engine.events[engine.events["reason"] == Reason.FLATTENED]
    assert sorted(ended[["event", "side", "lots", "owner"]].tolist()) == [
        (1, -1, 30_000, 0), (1, 1, 10_000, 1), (7, 1, 1_000, 1),
    ]  # fmt: skip


def test_gains_are_known_row_by_row():
    """A buys 3 at 100 and B sells 1; at 110 A has 30 and B −10; A closes, and at 120 only B loses more."""
    engine = together(
        {"AAA": [flat(100), flat(100), flat(110), flat(110), flat(120)]},
        {0: lambda s: s.buy(3), 2: lambda s: s.sell(3)}, {0: lambda s: s.sell(1)},
    )  # fmt: skip
    assert engine.gains(np.arange(5)).tolist() == [[0.0, 0.0, 30.0, 30.0, 30.0], [0.0, 0.0, -10.0, -10.0, -20.0]]


def test_a_split_reaches_shares_that_net_to_nothing():
    """A long 5, B short 5: the account holds nothing. 3 for 2 makes 7 of each, the halves have no market to go to."""
    engine = together(
        {"AAA": [flat(90), flat(90), flat(60), flat(60)]}, {0: lambda s: s.buy(0.005)}, {0: lambda s: s.sell(0.005)},
        dues={"AAA": due_rows(DueKind.SPLIT, 2 * MINUTE, 3, 2)},
    )  # fmt: skip
    assert engine.state.shares["lots"].tolist() == [7, -7]
    assert engine.equity[-1] == 10_000.0


def test_the_end_of_a_contract_closes_every_share():
    """Long 3 and short 1 at 100, settled at 110 with 0.1 %: A wins 30 and pays 0.22, the fee of both; B loses 10."""
    engine = together(
        {"AAA": [flat(100)] * 50}, {0: lambda s: s.buy(3)}, {0: lambda s: s.sell(1)},
        dues={"AAA": due_rows(DueKind.SETTLEMENT, 45 * MINUTE, 100_000, 0, 1_100)},
    )  # fmt: skip
    assert nets(engine) == [30.0 - 0.22, -10.0]
    assert engine.state.shares["lots"].tolist() == [0, 0]


def test_an_error_names_the_strategy():
    """And its bar; and a symbol that is not its own is refused by the strategy's name."""
    with pytest.raises(StrategyError, match="1 raised ZeroDivisionError on AAA bar 1, known at 1970-01-01"):
        together({"AAA": [flat(100)] * 3}, {}, {1: lambda s: 1 / 0})
    mine = Scripted({0: lambda s: s.buy(1, symbol="BBB")})
    with pytest.raises(StrategyError, match="Strategy mine has no symbol 'BBB'"):
        together({"AAA": [flat(100)] * 3, "BBB": [flat(100)] * 3}, mine=(mine, ("AAA",)))


@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from(["one_way", "hedge"]))
def test_the_shares_add_up_to_the_account(seed, count, position_mode):
    """Random orders of several strategies on two symbols, with all that falls due and liquidations: no unit is lost."""
    random = np.random.default_rng(seed)
    bars = {}
    for name in ("AAA", "BBB"):
        path = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.05, 30))), 1) + 0.1
        bars[name] = [(c, c + 2.0, max(0.1, c - 2.0), c) for c in path]
    times = np.arange(1, 4) * 7 * MINUTE
    dues = in_order(
        due_rows(DueKind.FUNDING, times, random.integers(-300_000, 300_000, 3)),
        due_rows(DueKind.SWAP, 9 * MINUTE, -7 * SWAP_SCALE, 3 * SWAP_SCALE),
        due_rows(DueKind.DIVIDEND, 11 * MINUTE, 123_456_789, 100),
        due_rows(DueKind.SPLIT, 13 * MINUTE, 3, 2),
        due_rows(DueKind.BORROW, 15 * MINUTE, 500_000_000, 30),
        due_rows(DueKind.SPLIT, 17 * MINUTE, 1, 7),
        due_rows(DueKind.SETTLEMENT, 28 * MINUTE, 50_000, 0, 1_003),
    )

    def act(s):
        for symbol in s.desk.symbols:
            side = int(random.choice([-1, 1]))
            s.order(
                side, round(float(random.uniform(0.5, 8)), 3), symbol=symbol, reduce_only=bool(random.random() < 0.2)
            )

    acts = [dict.fromkeys(random.integers(2, 58, 8).tolist(), act) for _ in range(count)]
    engine = together(
        bars, *acts, cash=3_000.0, costs=free(taker_fee=0.0005, half_spread_bps=3.0), dues={"AAA": dues},
        margin=MarginSettings(position_mode=position_mode),
    )  # fmt: skip
    state, legs = engine.state, len(engine.state.positions)
    by_leg = state.shares.reshape(count, legs)
    for name in ("lots", "fees", "slippage", "funding", "carry"):
        assert by_leg[name].sum(axis=0).tolist() == state.positions[name].tolist()
    paid = by_leg["cost"].astype(object) - by_leg["realised"]
    assert paid.sum(axis=0).tolist() == (state.positions["cost"].astype(object) - state.positions["realised"]).tolist()
    by_row = engine.gains(np.arange(len(engine.timeline)))
    assert by_row.sum(axis=0) == pytest.approx(engine.equity - 3_000.0, abs=1e-6)
    assert by_row[:, -1] == pytest.approx([result.net for result in engine.results()], abs=1e-6)
    gained = Fraction(float(engine.equity[-1])) - 3_000
    assert float(sum(Fraction(result.net) for result in engine.results())) == pytest.approx(float(gained), abs=1e-6)


def test_the_engine_of_one_strategy_has_no_shares_beside_its_positions():
    """Nothing is kept twice where there is nothing to divide."""
    engine = play({"AAA": [flat(100)] * 3}, {0: lambda s: s.buy(1)})
    assert type(engine) is Engine
    assert engine.state.shares is engine.state.positions
    assert Position(*engine.position("AAA")).quantity == 1.0
