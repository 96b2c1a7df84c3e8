"""The risk gate: caps are never passed, reducing always may, and the reason is told."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripted import MINUTE, UNLIMITED, columns, done, fates, flat, perpetual, play
from truewind.config import parse
from truewind.domain.order import OrderType, Reason, Side, Status
from truewind.errors import ConfigError
from truewind.risk.gate import RiskSettings
from truewind.risk.judging import Asked, Own, Portfolio, judge

# 1 000 USDT, one BTC is 100: a position of 10 BTC is worth the equity.
FLAT = [flat(100)] * 8
CASH = 1_000.0


def caps(**limits):
    return UNLIMITED.model_copy(update=limits)


def lots_filled(engine, symbol=None):
    return [fill.side * fill.lots for fill in done(engine, symbol)]


# -- the rule by itself ----------------------------------------------------------------------------------------------


@given(
    st.integers(1, 10**6), st.integers(1, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 10**4),
    st.tuples(*[st.integers(1, 400)] * 3), st.sampled_from([1, 2, 4, 16]),
)  # fmt: skip
def test_what_is_allowed_is_the_most_that_every_cap_leaves_room_for(asked, equity, own, others, worth, parts, leverage):
    """No cap is passed, and one lot more would pass one, unless all was allowed; the reason names a cap that binds."""
    alone, exposure, gross = (Fraction(cap, 100) for cap in parts)
    exposure = min(exposure, Fraction(1))
    limit = caps(max_position=float(alone), max_exposure=float(exposure), max_gross=float(gross))
    rooms = {
        Reason.POSITION_CAP: alone * equity - own,
        Reason.EXPOSURE_CAP: exposure * leverage * equity - own - others,
        Reason.GROSS_CAP: gross * equity - own - others,
    }
    # Floats decide where a room is within a millionth of whole lots.
    for room in rooms.values():
        assume(abs(room / worth - round(room / worth)) > Fraction(1, 10**5) or room <= 0)
    portfolio = Portfolio(float(equity), 0, float(others), others / leverage)
    allowed, reason = judge(
        limit.record(leverage)[0],
        Asked(1, 1.0, float(worth)),
        Own(float(own), leverage=float(leverage)),
        portfolio,
        asked,
    )
    most = min(asked, *(max(0, room // worth) for room in rooms.values()))
    assert allowed == most
    if allowed < asked:
        assert rooms[Reason(reason)] < (allowed + 1) * worth
    else:
        assert reason == Reason.NONE


def test_no_equity_and_a_halt_open_nothing():
    """Whatever the caps say."""
    limit = caps().record(10)[0]
    asked, own = Asked(1, 100.0, 1.0), Own(0.0)
    for nothing in (0.0, -1.0, float("nan")):
        assert judge(limit, asked, own, Portfolio(nothing), 5) == (0, Reason.NO_EQUITY)
    assert judge(limit, asked, own, Portfolio(100.0, Reason.DRAWDOWN), 5) == (0, Reason.DRAWDOWN)


@pytest.mark.parametrize("cap", [{"max_position": 0}, {"max_exposure": 1.5}, {"max_drawdown": 1.0}, {"max_gros": 1}])
def test_impossible_limits_are_refused(cap):
    """Out of bounds or misspelt."""
    with pytest.raises(ConfigError, match=next(iter(cap))[:8]):
        parse(RiskSettings, cap)


# -- the rule in the engine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "lots", "reason"),
    [
        ({"max_position": 0.5}, 5_000, Reason.POSITION_CAP),
        ({"max_exposure": 0.1}, 2_000, Reason.EXPOSURE_CAP),  # at leverage 2: a fifth of the equity
        ({"max_gross": 0.7}, 7_000, Reason.GROSS_CAP),
    ],
)
def test_an_order_is_reduced_to_the_cap_and_told_why(limits, lots, reason):
    """20 BTC asked for, each cap leaves its share of 10 BTC; the order is filled with that."""
    engine = play(FLAT, {0: lambda s: s.buy(20)}, cash=CASH, limits=caps(**limits), leverage=2)
    assert lots_filled(engine) == [lots]
    assert fates(engine)[1] == (Status.FILLED, reason)
    assert engine.events[0]["lots"] == lots


def test_nothing_left_is_denied():
    """At the cap already: no order goes out, the id is 0, the order is on record."""
    sent = []
    engine = play(
        FLAT, {0: lambda s: s.buy(10), 2: lambda s: sent.append(s.buy(1))}, cash=CASH, limits=caps(max_position=1.0)
    )
    assert sent == [0]
    assert lots_filled(engine) == [10_000]
    assert fates(engine)[2] == (Status.DENIED, Reason.POSITION_CAP)


def test_two_orders_sent_together_pass_no_cap_that_one_could_not():
    """Orders on their way count as filled."""
    engine = play(FLAT, {0: lambda s: (s.buy(6), s.buy(6))}, cash=CASH, limits=caps(max_position=1.0))
    assert lots_filled(engine) == [6_000, 4_000]


def test_resting_orders_count_too():
    """A bid of 6 BTC far below counts at the market's price."""
    engine = play(
        FLAT, {0: lambda s: s.buy(6, limit=90), 2: lambda s: s.buy(6)}, cash=CASH, limits=caps(max_position=1.0)
    )
    assert lots_filled(engine) == [4_000]


def test_reducing_always_passes():
    """Caps that shrank with the equity, and the halt, do not keep anybody in a position."""
    falling = [flat(100), flat(100), flat(60), flat(60), flat(60)]
    engine = play(
        falling, {0: lambda s: s.buy(10), 2: lambda s: s.sell(10)}, cash=CASH,
        limits=caps(max_position=1.0, max_drawdown=0.2),
    )  # fmt: skip
    assert lots_filled(engine) == [10_000, -10_000]


@pytest.mark.parametrize("how", ["sell", "close"])
def test_of_a_flip_only_the_part_beyond_zero_is_limited(how):
    """Long 10 at the cap of 10: 30 sold leave a short of 10, in one order or in two."""
    acts = {"sell": lambda s: s.sell(30), "close": lambda s: (s.close(), s.sell(30))}
    engine = play(FLAT, {0: lambda s: s.buy(10), 2: acts[how]}, cash=CASH, limits=caps(max_position=1.0))
    assert sum(lots_filled(engine)) == -10_000


def test_a_protective_stop_takes_no_room_from_a_flip():
    """A stop of 10 may never fill: the reversal of 20 is let through whole."""
    engine = play(
        FLAT, {0: lambda s: s.buy(10, stop_loss=50), 2: lambda s: s.sell(20)}, cash=CASH, limits=caps(max_position=1.0)
    )
    assert lots_filled(engine) == [10_000, -20_000]


def test_a_sale_limited_far_below_the_market_counts_at_the_market():
    """150 BTC at a limit of 1 would be 150 USDT; they sell at 100, so 10 are allowed."""
    for act in (lambda s: s.sell(150, limit=1), lambda s: s.buy(150, stop=1)):
        engine = play(FLAT, {0: act}, cash=CASH, limits=caps(max_position=1.0), gate_leverage=100)
        assert [abs(lots) for lots in lots_filled(engine)] == [10_000]


def test_a_bid_below_the_market_counts_at_its_price():
    """11.111 BTC at 90 are worth 1 000."""
    engine = play(
        [flat(100), (100, 100, 80, 95), flat(95)], {0: lambda s: s.buy(20, limit=90)}, cash=CASH,
        limits=caps(max_position=1.0),
    )  # fmt: skip
    assert lots_filled(engine) == [11_111]


def pair(acts, **limits):
    bars = {name: [flat(100)] * 6 for name in ("AAA", "BBB")}
    instruments = [perpetual("AAA"), perpetual("BBB")]
    return play(bars, acts, instruments=instruments, cash=CASH, limits=caps(**limits))


def test_gross_counts_every_symbol_whatever_its_side():
    """Long 6 of one, short 6 of the other asked for: a gross of 10 leaves 4."""
    engine = pair({1: lambda s: (s.buy(6, symbol="AAA"), s.sell(6, symbol="BBB"))}, max_gross=1.0)
    assert lots_filled(engine) == [6_000, -4_000]


def test_a_reversal_on_its_way_elsewhere_counts_as_what_it_ends_in():
    """Long 5 of each at a gross of 10: both may turn to short 5 at once, in whichever order."""
    for first, second in (("AAA", "BBB"), ("BBB", "AAA")):
        engine = pair(
            {
                1: lambda s: (s.buy(5, symbol="AAA"), s.buy(5, symbol="BBB")),
                5: lambda s, a=first, b=second: (s.sell(10, symbol=a), s.sell(10, symbol=b)),
            },
            max_gross=1.0,
        )
        assert lots_filled(engine, "AAA") == lots_filled(engine, "BBB") == [5_000, -10_000]


def test_an_order_for_a_symbol_without_a_price_counts_at_its_own():
    """5 BTC bid at 90 before that symbol's first bar take 450 of the gross of 1 000; nothing slips past a NaN."""
    late = [flat(100)] * 4
    bars = {"AAA": columns([flat(100)] * 6), "BBB": columns(late, start=3 * MINUTE)}
    engine = play(
        bars, {-1: lambda s: s.buy(5, symbol="BBB", limit=90), 0: lambda s: s.buy(50, symbol="AAA")},
        instruments=[perpetual("AAA"), perpetual("BBB")], cash=CASH, limits=caps(max_gross=1.0),
    )  # fmt: skip
    assert lots_filled(engine, "AAA") == [5_500]


def test_a_fall_from_the_peak_halts_for_good():
    """From 1 100 to 850 is more than a fifth: on one bar in the middle, on which no order was sent."""
    bars = [flat(100), flat(100), flat(110), flat(85), flat(120), flat(120), flat(120)]
    engine = play(
        bars, {0: lambda s: s.buy(10), 4: lambda s: s.buy(1), 5: lambda s: s.close()}, cash=CASH,
        limits=caps(max_drawdown=0.2),
    )  # fmt: skip
    assert lots_filled(engine) == [10_000, -10_000]
    assert fates(engine)[2] == (Status.DENIED, Reason.DRAWDOWN)


def test_a_fall_to_just_the_limit_does_not_halt():
    """From 1 100 to 880 is a fifth, no more."""
    bars = [flat(100), flat(100), flat(110), flat(88), flat(120), flat(120)]
    engine = play(
        bars, {0: lambda s: s.buy(10), 4: lambda s: s.buy(1)}, cash=CASH, limits=caps(max_drawdown=0.2)
    )  # fmt: skip
    assert lots_filled(engine) == [10_000, 1_000]


def test_without_equity_nothing_is_opened():
    """A debt after a gap: the order is denied."""
    bars = [flat(100), flat(100), flat(80), flat(80), flat(80)]
    engine = play(bars, {0: lambda s: s.buy(100), 3: lambda s: s.buy(1)}, cash=CASH)
    assert [fill.kind for fill in done(engine)] == ["trade", "liquidation", "insurance"]
    assert fates(engine)[2] == (Status.DENIED, Reason.NO_EQUITY)


# -- the venue's filters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "fate"),
    [
        (0.0, (Status.DENIED, Reason.BELOW_MIN_QUANTITY)),
        (0.0009, (Status.DENIED, Reason.BELOW_MIN_QUANTITY)),  # less than a lot
        (0.009, (Status.DENIED, Reason.BELOW_MIN_QUANTITY)),
        (0.019, (Status.DENIED, Reason.BELOW_MIN_NOTIONAL)),  # 1.9 USDT
        (0.02, (Status.FILLED, Reason.NONE)),
        (5.0, (Status.FILLED, Reason.NONE)),
        (5.001, (Status.DENIED, Reason.ABOVE_MAX_QUANTITY)),
    ],
)
def test_orders_outside_the_filters_are_denied(quantity, fate):
    """At least 0.01 BTC and 2 USDT, at most 5 BTC."""
    filtered = perpetual(min_quantity=Decimal("0.01"), max_quantity=Decimal(5), min_notional=Decimal(2))
    engine = play(FLAT, {0: lambda s: s.buy(quantity)}, instruments=[filtered])
    assert fates(engine)[1] == fate


def test_a_small_rest_can_still_be_closed():
    """What reduces needs no minimum of worth."""
    falling = [flat(100), flat(100), flat(1), flat(1), flat(1)]
    filtered = perpetual(min_notional=Decimal(2))
    engine = play(falling, {0: lambda s: s.buy(0.02), 2: lambda s: s.sell(0.02)}, instruments=[filtered])
    assert lots_filled(engine) == [20, -20]


def test_an_order_reduced_below_the_minimum_tells_the_cap():
    """The cap leaves 1 USDT, the venue wants 2: the reason is the cap."""
    filtered = perpetual(min_notional=Decimal(2))
    engine = play(FLAT, {0: lambda s: s.buy(1)}, instruments=[filtered], cash=CASH, limits=caps(max_position=0.001))
    assert fates(engine)[1] == (Status.DENIED, Reason.POSITION_CAP)


def test_unlimited_means_unlimited():
    """The limits that other tests use stay out of their way."""
    engine = play(FLAT, {0: lambda s: s.desk.submit("BTCUSDT", Side.BUY, 100, OrderType.MARKET)}, limits=UNLIMITED)
    assert lots_filled(engine) == [100_000]
