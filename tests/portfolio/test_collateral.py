"""Collateral of several currencies: haircuts, debts, and their automatic exchange."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.portfolio.collateral import COLLATERAL, auto_exchange, collateral_value, exchange_value

UNIT = 100_000_000


def assets(*rows: tuple[float, float, float, float]) -> np.ndarray:
    """(balance, index, haircut, threshold) in whole units; the exchange takes the same haircut, debts no mark-up."""
    table = np.zeros(len(rows), COLLATERAL)
    for i, (balance, index, haircut, threshold) in enumerate(rows):
        table[i] = (round(balance * UNIT), round(threshold * UNIT), UNIT, index, haircut, 0.0, haircut, 0.0)
    return table


def test_haircut_of_the_published_example() -> None:
    """FAQ 29b45c485d664028b9ca1cdf90b24f6f: BNB worth 1,000 dollars counts as 950, ADA as 900."""
    table = assets((2.0, 500.0, 0.05, 0.0), (800.0, 1.25, 0.10, 0.0))
    assert [collateral_value(asset, asset["balance"]) for asset in table] == [950.0, 900.0]


def test_buffers_of_the_documented_reply() -> None:
    """GET /fapi/v1/assetIndex, the documented reply for ADAUSD: index 1.92957370 with buffers of 10 % and 5 %."""
    table = np.zeros(1, COLLATERAL)
    table[0] = (UNIT, 0, UNIT, 1.92957370, 0.1, 0.1, 0.05, 0.05)
    assert round(collateral_value(table[0], UNIT), 8) == 1.73661633
    assert round(collateral_value(table[0], -UNIT), 8) == -2.12253107
    assert round(exchange_value(table[0]), 8) == pytest.approx(1.83309501, abs=1.1e-8)


def test_a_debt_is_exchanged_with_the_haircut() -> None:
    """The multi-asset page: a debt of 5,000 USDC takes 5,128.20 dollars of BTC at a haircut of 2.5 %."""
    table = assets((-5_000, 1.0, 0.0, 5_000), (1.0, 100_000.0, 0.025, 0.1))
    assert auto_exchange(table, False)
    assert table["balance"][0] == 0
    assert (UNIT - table["balance"][1]) / UNIT * 100_000 == pytest.approx(5_128.20, abs=0.01)


def test_a_small_debt_stays_until_it_must_go() -> None:
    """Below its threshold a debt is kept, unless the exchange is forced."""
    table = assets((-4_999, 1.0, 0.0, 5_000), (1.0, 100_000.0, 0.025, 0.1))
    assert not auto_exchange(table, False)
    assert auto_exchange(table, True)
    assert table["balance"][0] == 0


def test_a_debt_larger_than_everything_leaves_the_rest_of_it() -> None:
    """By hand: 10,000 owed, coins bring 4,000 × 0.975 = 3,900: nothing is left of them, 6,100 of the debt."""
    table = assets((-10_000, 1.0, 0.0, 5_000), (1.0, 4_000.0, 0.025, 0.1))
    assert auto_exchange(table, False)
    assert table["balance"].tolist() == [-6_100 * UNIT, 0]


@given(
    st.integers(1, 10**6),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 10**5), st.integers(0, 50)), min_size=1, max_size=5),
)
def test_backing_is_sold_in_proportion_and_pays_the_debt(debt: int, held: list[tuple[int, int, int]]) -> None:
    """Every other balance gives the same share, within a unit, and what they bring is what the debt shrinks by."""
    rows = [(float(balance), float(index), cut / 100, 0.0) for balance, index, cut in held]
    table = assets((-float(debt), 1.0, 0.0, 0.0), *rows)
    before = table.copy()
    changed = auto_exchange(table, False)
    assert changed == any(balance > 0 for balance, _, _ in held)
    shares = [1 - now / was for now, was in zip(table["balance"][1:], before["balance"][1:], strict=True) if was > 0]
    assert not shares or max(shares) - min(shares) < 1e-6
    brought = sum(exchange_value(old) - exchange_value(new) for old, new in zip(before[1:], table[1:], strict=True))
    paid = (table["balance"][0] - before["balance"][0]) / UNIT
    assert brought >= paid - 1e-6
    assert brought == pytest.approx(paid, abs=1e-2)
