"""Impact: the square-root law, worked out beside the kernel in plain numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import columns, done, free, play
from truewind.execution.simulated.impact import WINDOW


def market(closes, volumes):
    """Bars that open where the one before closed."""
    opens = [closes[0], *closes[:-1]]
    table = columns([(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)])
    return {"BTCUSDT": table | {"volume": np.array(volumes, np.float64)}}


def expected(closes, volumes, row, quantity, y):
    """Y · σ · √(Q / V) over the last WINDOW bars before `row`; σ from the mean absolute return of a normal variable."""
    closes, volumes = np.array(closes[:row][-WINDOW:]), np.array(volumes[:row][-WINDOW:])
    sigma = np.abs(np.diff(closes) / closes[:-1]).mean() * np.sqrt(np.pi / 2)
    return y * sigma * np.sqrt(quantity / volumes.mean())


def test_a_purchase_pays_the_square_root_of_its_share_of_volume():
    """Returns of 1 %, a volume of 100 a bar: 4 BTC move the price by 1.2533 % · √0.04 = 0.25 %."""
    closes = [100.0 * 1.01 ** (i % 2) for i in range(10)]
    engine = play(market(closes, [100.0] * 10), {7: lambda s: s.buy(4)}, costs=free(impact=1.0))
    move = expected(closes, [100.0] * 10, 8, 4.0, 1.0)
    assert move == pytest.approx(0.0025, rel=0.01)
    reference = closes[7]
    assert done(engine)[0].price == pytest.approx(np.ceil(reference * (1 + move) * 10 - 1e-9) / 10, abs=0.1001)
    assert done(engine)[0].price > reference


@given(
    moves=st.lists(st.floats(-0.05, 0.05), min_size=5, max_size=140),
    volume=st.floats(0.5, 1e4),
    quantity=st.integers(1, 50),
)
def test_slippage_is_the_law_to_a_tick(moves, volume, quantity):
    """Whatever the market: the seller gets the open less the law's share of it, rounded down by at most a tick."""
    closes = [10_000.0]
    for move in moves:
        closes.append(round(closes[-1] * (1 + move), 1))
    bars = len(closes)
    engine = play(
        market([*closes, closes[-1]], [volume] * (bars + 1)),
        {bars - 1: lambda s: s.sell(quantity)},
        costs=free(impact=0.7),
        cash=1e9,
    )
    move = expected(closes, [volume] * bars, bars, quantity, 0.7)
    paid = closes[-1] - done(engine)[0].price
    assert -1e-6 <= paid - move * closes[-1] < 0.1 + 1e-6 or move >= 1.0


def test_the_bar_of_the_fill_does_not_count():
    """Its volume and its range may be anything: the price paid is the same."""
    closes = [100.0, 101.0, 100.0, 101.0, 100.0]
    prices = []
    for volume in (1.0, 1e6):
        engine = play(market(closes, [10.0, 10.0, 10.0, 10.0, volume]), {3: lambda s: s.buy(1)}, costs=free(impact=1.0))
        prices.append(done(engine)[0].price)
    assert prices[0] == prices[1] > 101.0


def test_a_resting_order_moves_nothing():
    """It gives liquidity, and is paid its own price."""
    closes = [100.0, 101.0, 100.0, 99.0, 97.0]
    engine = play(market(closes, [1.0] * 5), {2: lambda s: s.buy(5, limit=98)}, costs=free(impact=5.0))
    assert [(fill.price, fill.maker) for fill in done(engine)] == [(98.0, True)]


def test_without_volume_there_is_no_impact():
    """A market that prints no volume says nothing of its depth; the spread remains."""
    closes = [100.0, 101.0, 100.0, 101.0]
    engine = play(market(closes, [0.0] * 4), {2: lambda s: s.buy(5)}, costs=free(impact=1.0))
    assert done(engine)[0].price == 100.0


def test_the_worst_price_of_the_bar_can_be_asked_for():
    """Open 100, high 107, low 95: a purchase gets 107, a sale 95."""
    bars = {"BTCUSDT": columns([(100, 100, 100, 100), (100, 107, 95, 100), (100, 100, 100, 100)])}
    for side, price in (("buy", 107.0), ("sell", 95.0)):
        acts = {0: lambda s, side=side: getattr(s, side)(1)}
        assert done(play(bars, acts, costs=free(market_fill="worst")))[0].price == price


def test_the_other_law_goes_by_the_square_of_the_share():
    """4 of 100 BTC is a share of 4 %; with Y = 10 the price moves by 10 · 0.0016 = 1.6 %, however still it was."""
    engine = play(
        market([100.0] * 10, [100.0] * 10),
        {7: lambda s: s.buy(4)},
        costs=free(impact=10.0, impact_law="volume_share"),
    )
    assert done(engine)[0].price == 101.6
