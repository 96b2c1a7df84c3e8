"""Continuous series of dated futures: what a holder who rolls would have had."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from profiles import examples
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import EmptyRangeError, ValidationError
from truewind.market.continuous import PRICES, Contract, continuous

START = 1_700_006_400_000_000 // DAY_US * DAY_US


def contract(
    symbol: str, closes: list[float], first: int, expiry: float, volume: float | list[float] = 1.0
) -> Contract:
    """Hourly bars from hour `first` on, flat within the bar; expiry in days."""
    count = len(closes)
    volumes = volume if isinstance(volume, list) else [volume] * count
    bars = pl.DataFrame(
        {
            "ts": pl.Series(START + (first + np.arange(count)) * HOUR_US).cast(pl.Datetime("us", "UTC")),
            **dict.fromkeys(PRICES, closes),
            "volume": volumes,
        }
    )
    return Contract(symbol, START + round(expiry * DAY_US), bars)


def hours(table: pl.DataFrame) -> list[int]:
    return ((table["ts"].to_physical() - START) // HOUR_US).to_list()


walks = st.lists(st.floats(-0.05, 0.05), min_size=24 * 6, max_size=24 * 6).map(
    lambda steps: (100 * np.cumprod(1 + np.array(steps))).tolist()
)


@examples(30)
@given(walks, walks, walks, st.sampled_from(["expiry", "volume"]))
def test_a_roll_makes_no_profit(first: list[float], second: list[float], third: list[float], roll: str) -> None:
    """Ratio: every return, also across both rolls, is one contract's own; difference: so is every change."""
    chain = [contract("A", first, 0, 6), contract("B", second, 48, 8), contract("C", third, 72, 9)]
    own = pl.concat(
        item.bars.select("ts", now="close", before=pl.col("close").shift(), contract=pl.lit(item.symbol))
        for item in chain
    )
    for adjust in ("ratio", "difference"):
        joined = continuous(chain, roll=roll, days=1, adjust=adjust)
        assert hours(joined) == list(range(72 + 144))
        both = joined.join(own, on=["ts", "contract"], how="left")[1:]
        closes, now, before = joined["close"].to_numpy(), both["now"].to_numpy(), both["before"].to_numpy()
        if adjust == "ratio":
            np.testing.assert_allclose(closes[1:] / closes[:-1], now / before, rtol=1e-9)
        else:
            np.testing.assert_allclose(np.diff(closes), now - before, atol=1e-7)


def test_rolls_at_expiry_by_hand() -> None:
    """A (100, expires on day 4) into B (110) a day before: 72 hours of A, then B; the jump is taken out or left."""
    chain = [contract("B", [110.0] * 120, 24, 8), contract("A", [100.0] * 96, 0, 4)]
    plain = continuous(chain, days=1, adjust="none")
    assert plain["contract"].to_list() == ["A"] * 72 + ["B"] * 72
    assert plain["close"].to_list() == [100.0] * 72 + [110.0] * 72
    for adjust in ("ratio", "difference"):
        joined = continuous(chain, days=1, adjust=adjust)
        assert joined["close"].to_list() == pytest.approx([110.0] * 144, rel=1e-12)
    assert plain["volume"].to_list() == [1.0] * 144


def test_rolls_when_the_next_contract_is_busier() -> None:
    """B trades more than A on day 2 for the first time: the roll is on the first bar of day 3, when that is known."""
    busy = [0.5] * 48 + [2.0] * 72
    chain = [contract("A", [100.0] * 144, 0, 6), contract("B", [100.0] * 120, 0, 8, busy)]
    joined = continuous(chain, roll="volume", days=1)
    assert joined["contract"].to_list() == ["A"] * 72 + ["B"] * 48
    never = [contract("A", [100.0] * 144, 0, 6), contract("B", [100.0] * 160, 0, 8, 0.5)]
    assert continuous(never, roll="volume", days=1)["contract"].to_list() == ["A"] * 120 + ["B"] * 40


def test_the_volume_of_the_roll_day_decides_nothing() -> None:
    """Changing volumes from the roll on leaves everything before it as it was."""
    base, changed = [0.5] * 48 + [2.0] * 24 + [2.0] * 48, [0.5] * 48 + [2.0] * 24 + [0.0] * 48
    old = contract("A", [100.0] * 144, 0, 6)
    tables = [
        continuous([old, contract("B", [100.0] * 120, 0, 8, volumes)], roll="volume", days=1)
        for volumes in (base, changed)
    ]
    assert_frame_equal(*(table.drop("volume") for table in tables))


def test_one_contract_is_itself() -> None:
    """Nothing to join, nothing to adjust."""
    alone = contract("A", [1.0, 2.0], 0, 1)
    assert_frame_equal(continuous([alone]).drop("contract"), alone.bars)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([contract("A", [1.0] * 24, 0, 1), contract("B", [1.0] * 24, 48, 3)], "no bar in common"),
        ([contract("A", [1.0] * 24, 0, 3), contract("B", [1.0] * 24, 0, 8)], "B has no bars from the roll out of A"),
        ([contract("A", [1.0] * 96, 0, 3), contract("A", [1.0] * 96, 0, 3)], "no bars from the roll"),
    ],
)
def test_contracts_that_do_not_meet_are_refused(chain: list[Contract], message: str) -> None:
    """Without a bar in common the jump is unknown; without bars after the roll there is nothing to roll into."""
    with pytest.raises(ValidationError, match=message):
        continuous(chain, days=1)


def test_no_contracts() -> None:
    """An empty chain is refused."""
    with pytest.raises(EmptyRangeError):
        continuous([])
