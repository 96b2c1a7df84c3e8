"""What the venue lets a position come to, and what an order takes of a bar; reckoned anew in fractions, or by hand.

1 BTC is 1 000 lots, a tick is 0.1.
"""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scripted import MINUTE, Done, build, columns, done, fates, flat, free, perpetual, play, spot
from truewind.domain.order import Event, Reason, SelfTrade, Status, TimeInForce
from truewind.domain.terms import Tier, TierTable
from truewind.execution.simulated.filling import ALL, check_leg, lots_on_offer
from truewind.portfolio.margin import MarginSettings

UNIT = 100_000_000
CALM = flat(100)
TIERS = ((2_000, 20), (5_000, 10), (9_000, 4))  # USDT, and the most leverage up to there
TAKER = Fraction(4, 1000)


class Account:
    """AAA and BBB, a lot of each one coin, with a long and a short leg entered at 100; marks are 100 and 110."""

    MARKS = (100, 110, 100, 110)

    def __init__(self, held, wallets, cash, leverage, *, kind=perpetual):
        coins = [kind(name, lot="1") for name in ("AAAUSDT", "BBBUSDT")]
        table = TierTable(0, [Tier(Decimal(cap), Decimal("0.01"), most) for cap, most in TIERS])
        margin = MarginSettings(position_mode="hedge").terms(coins, {coin.id: [table] for coin in coins}, leverage)
        bars = {coin.symbol: [CALM] for coin in coins}
        self.state = build(bars, {}, instruments=coins, cash=float(cash), margin=margin).state
        self.state.margins["taker"] = int(TAKER * UNIT)
        self.state.margins["leverage"][1] = 2 * leverage  # BBB's own; only AAA is traded
        self.held, self.wallets, self.cash, self.leverage = held, wallets, cash, leverage
        for leg, position in enumerate(self.state.positions):
            position["lots"], position["cost"] = held[leg], held[leg] * 100 * UNIT
            position["wallet"] = -1 if wallets[leg] < 0 else wallets[leg] * UNIT
            position["mark"] = self.MARKS[leg]

    def have(self, cash):
        self.cash = cash
        self.state.account["cash"] = cash * UNIT

    def asks(self, leg, lots, price, *tied):
        return Reason(check_leg(self.state.handle, leg, lots, float(price), *(UNIT * units for units in tied)))

    def lacks(self, leg, lots, price, tied):
        """What is needed for `lots` at `price` less what is there for it."""
        there = self.cash - sum(max(0, wallet) for wallet in self.wallets) - tied
        needed = Fraction(0)
        for i, (held, wallet, mark) in enumerate(zip(self.held, self.wallets, self.MARKS, strict=True)):
            if wallet < 0:
                there += held * (mark - 100)
                if i != leg:
                    needed += Fraction(abs(held) * mark, self.leverage * (1 + i % 2))
        own, wallet = self.held[leg], self.wallets[leg]
        if wallet < 0:
            return needed + abs(lots) * price / self.leverage - there
        added = abs(lots)
        if own * lots < 0:  # turned: the old one is closed, and what its wallet holds then is free
            there += wallet + own * (price - 100)
        else:
            added -= abs(own)
        return needed + added * price / self.leverage + TAKER * added * price - there


@given(
    st.lists(st.integers(-30, 30), min_size=4, max_size=4),
    st.lists(st.sampled_from([-1, -1, 100, 400]), min_size=4, max_size=4),
    st.integers(-60, 60), st.integers(800, 1_300), st.integers(-3, 3), st.sampled_from([0, 0, 70]),
    st.sampled_from([0, 2]),
)  # fmt: skip
def test_a_position_may_grow_as_far_as_the_money_reaches(held, wallets, lots, ticks, spare, tied, leg):
    """Initial margin of all cross legs, or the addition to an isolated wallet and its fee, against what is free.

    The cash is set near to what is needed, so that every part of the reckoning decides.
    """
    price, wallets = Fraction(ticks, 10), [w if h else min(w, 0) for h, w in zip(held, wallets, strict=True)]
    assume(abs(lots) > abs(held[leg]) or lots * held[leg] < 0)  # what only takes off is not asked for
    assume(abs(lots) * price <= 5_000)
    account = Account(held, wallets, 10**6, 5)
    account.have(10**6 + int(account.lacks(leg, lots, price, tied)) + spare)
    lacks = account.lacks(leg, lots, price, tied)
    assume(abs(lacks) > Fraction(1, 10**4))
    assert account.asks(leg, lots, price, tied) == (Reason.INSUFFICIENT_BALANCE if lacks > 0 else Reason.NONE)
    if tied == 0:
        assert account.asks(leg, lots, price) == account.asks(leg, lots, price, 0)


def test_all_of_the_money_may_be_used_and_no_unit_more():
    """10 at 100 need 200 at leverage 5: one unit that is tied up is one too many, and none is unless one says so."""
    account = Account([0, 0, 0, 0], [-1, -1, -1, -1], 200, 5)
    assert account.asks(0, 10, 100) == Reason.NONE
    assert Reason(check_leg(account.state.handle, 0, 10, 100.0, 1)) == Reason.INSUFFICIENT_BALANCE


@pytest.mark.parametrize(("leverage", "most"), [(20, 20), (11, 20), (10, 50), (5, 50), (4, 90), (3, 90)])
def test_the_size_of_a_position_bounds_its_leverage(leverage, most):
    """Up to 2,000 USDT at 20 ×, 5,000 at 10 ×, 9,000 at 4 ×: at 100 that many coins either way, no more."""
    account = Account([0, 0, 0, 0], [-1, -1, -1, -1], 10**7, leverage)
    for side in (1, -1):
        assert account.asks(0, side * most, 100) == Reason.NONE
        assert account.asks(0, side * (most + 1), 100) == Reason.LEVERAGE_LIMIT
    assert account.asks(0, most, Fraction(1001, 10)) == Reason.LEVERAGE_LIMIT


def test_what_is_owned_outright_has_no_tiers():
    """10,000 coins at 100 are a matter of money alone."""
    account = Account([0, 0, 0, 0], [-1, -1, -1, -1], 10**6, 1, kind=spot)
    assert account.asks(0, 10_000, 100) == Reason.NONE
    assert account.asks(0, 10_001, 100) == Reason.INSUFFICIENT_BALANCE


# -- orders that end without a fill let others of the bar fill -------------------------------------------------------


def later(s, **how):
    """A purchase that waits for 105."""
    s.buy(**{"quantity": 3, "stop": 105} | how)


RISING = (100, 111, 99, 110)


@pytest.mark.parametrize(
    ("volume", "how", "fate"),
    [
        (2, {"tif": TimeInForce.FOK}, (Status.EXPIRED, Reason.NOT_FILLED_AT_ONCE)),
        (10**7, {"quantity": 10**6}, (Status.REJECTED, Reason.INSUFFICIENT_BALANCE)),
    ],
)
def test_a_stop_that_gets_nothing_does_not_hold_up_a_target(volume, how, fate):
    """Of 2 that a bar trades, 3 at once are not to be had, nor 10^6 with this money: the target of 1 at 110 is met."""
    table = columns([CALM, CALM, RISING, CALM])
    table["volume"] = [9.0, 9.0, volume, 9.0]
    acts = {0: lambda s: s.buy(1), 1: lambda s: (later(s, **how), s.sell(1, limit=110, reduce_only=True))}
    engine = play({"BTCUSDT": table}, acts, costs=free(volume_share=1.0))
    assert fates(engine)[2] == fate
    assert done(engine)[1:] == [Done(2, "trade", -1, 110.0, 1000, maker=True)]


def test_a_stop_that_meets_our_own_order_does_not_hold_it_up():
    """The purchase at 105 would meet our sale at 104 and ends in that moment; the sale is executed later in the bar."""
    acts = {0: lambda s: s.buy(1), 1: lambda s: (s.sell(1, limit=104), s.buy(1, stop=105, self_trade=1))}
    engine = play([CALM, CALM, RISING, CALM], acts)
    assert fates(engine)[3] == (Status.EXPIRED, Reason.SELF_TRADE)
    assert done(engine)[1:] == [Done(2, "trade", -1, 104.0, 1000, maker=True)]
    (ended,) = [event for event in engine.events if event["reason"] == Reason.SELF_TRADE]
    assert (ended["ts"], ended["row"], ended["event"]) == (3 * MINUTE, 2, Event.EXPIRE)


def test_what_ends_for_the_one_that_takes_ends_in_that_moment():
    """Our sales at 104 and 105 make way for the purchase at 105; that at 106 stays, and what we bid for, too."""
    mode = SelfTrade.EXPIRE_MAKER
    acts = {
        0: lambda s: (s.buy(1, limit=90), *(s.sell(1, limit=price) for price in (106, 104, 105))),
        1: lambda s: s.buy(1, stop=105, self_trade=mode),
    }
    engine = play([CALM, CALM, (100, 105, 99, 100), CALM], acts)
    ended = [event for event in engine.events if event["reason"] == Reason.SELF_TRADE]
    assert [(event["order"], event["ts"], event["row"], event["event"]) for event in ended] == [
        (order, 3 * MINUTE, 2, Event.EXPIRE) for order in (3, 4)
    ]
    assert done(engine) == [Done(2, "trade", 1, 105.0, 1000)]


def test_what_reduces_nothing_does_not_hold_up_a_target():
    """A reduce-only purchase at 105 while 1 is held long ends; the target at 110 is met in the same bar."""
    acts = {0: lambda s: s.buy(1), 1: lambda s: (later(s, reduce_only=True), s.sell(1, limit=110, reduce_only=True))}
    engine = play([CALM, CALM, RISING, CALM], acts)
    assert fates(engine)[2] == (Status.EXPIRED, Reason.NOTHING_TO_REDUCE)
    assert done(engine)[1:] == [Done(2, "trade", -1, 110.0, 1000, maker=True)]


def test_in_an_empty_bar_both_triggers_are_reached():
    """Nothing is traded, but the bar's range tells: stop and take-profit both trigger and wait for the next bar."""
    table = columns([CALM, CALM, RISING, CALM])
    table["volume"] = [9.0, 9.0, 0.0, 9.0]
    acts = {0: lambda s: s.buy(1), 1: lambda s: (s.buy(1, stop=105), s.sell(1, touch=110, reduce_only=True))}
    engine = play({"BTCUSDT": table}, acts, costs=free(volume_share=1.0))
    triggered = [int(event["order"]) for event in engine.events if event["event"] == Event.TRIGGER]
    assert triggered == [2, 3]


# -- prices and sizes at the edge ------------------------------------------------------------------------------------


def test_no_price_is_below_the_first_tick():
    """At 0.1 half a spread of 5 % is a tick: a sale gets 0.1 and not nothing; a purchase pays 0.2, but 0.1 if that is
    its limit."""
    acts = {0: lambda s: s.sell(1), 1: lambda s: s.buy(1), 2: lambda s: s.buy(1, limit=0.1)}
    costs = free(half_spread_bps=500, limit_fill="touch")
    engine = play([flat(0.1)] * 5, acts, costs=costs)
    assert [(fill.row, fill.side, fill.price) for fill in done(engine)] == [(1, -1, 0.1), (2, 1, 0.2), (3, 1, 0.1)]


@pytest.mark.parametrize(
    ("volume", "share", "lots"), [(1e30, 1.0, ALL), (float("nan"), 1.0, ALL), (2.5, None, ALL), (2.5, 1.0, 2_500)]
)
def test_what_a_bar_offers(volume, share, lots):
    """More than 64 bits hold, an unknown volume, or no wish to know: all there are."""
    table = columns([CALM])
    table["volume"] = [volume]
    engine = build({"BTCUSDT": table}, {}, costs=free(volume_share=share))
    assert lots_on_offer(engine.state.handle, 0) == lots
