"""What was withheld: paths through bars and what they come to, reckoned by hand."""

import math

import numpy as np
import polars as pl
import pytest

from truewind.analytics.withheld import Market, Ruling, by_rule, follow, outcomes
from truewind.domain.signal import FLAT, HOLD, Signal, Want

NAN = math.nan
MINUTE = 60_000_000


def market(*candles: tuple[float, float, float, float], worth: float = 1.0, inverse: bool = False) -> Market:
    """Minutes from (open, high, low, close), on rows 0, 1 …"""
    table = np.array(candles, np.float64).T
    count = table.shape[1]
    return Market(np.arange(count), (np.arange(count) + 1) * MINUTE, *table, worth, inverse)


def ruling(
    side: int = 1, entry: float = NAN, stop: float = NAN, targets: tuple[float, ...] = (), **more: int
) -> Ruling:
    return Ruling(side, entry, stop, targets, more.get("until", 1 << 62), more.get("leaves", 1 << 40))


OUT = {"side": 0, "ruling": "approved"}
RISES = market((100, 101, 99, 100), (100, 104, 100, 103), (103, 111, 103, 110), (110, 112, 95, 96), (96, 97, 90, 91))


@pytest.mark.parametrize(
    ("order", "first", "entered", "bought", "exited", "sold", "ended"),
    [
        (ruling(stop=98.0), 1, 1, 100.0, 3, 98.0, "stop"),  # bar 3 trades from 112 to 95
        (ruling(stop=98.0, targets=(110.0,)), 1, 1, 100.0, 2, 110.0, "target"),
        (ruling(stop=98.0, targets=(104.0, 120.0)), 1, 1, 100.0, 3, (104.0 + 98.0) / 2, "stop"),
        (ruling(stop=98.0, targets=(112.0,)), 3, 3, 110.0, 3, 98.0, "stop"),  # both in one bar: the stop first
        (ruling(stop=80.0), 1, 1, 100.0, 4, 91.0, "end of data"),
        (
            ruling(until=2 * MINUTE),
            1,
            1,
            100.0,
            2,
            103.0,
            "horizon",
        ),  # over at the close of bar 1
        (ruling(leaves=3), 1, 1, 100.0, 3, 110.0, "signal"),
        (ruling(entry=99.5), 1, 3, 99.5, 4, 91.0, "end of data"),  # bar 3 is the first from 1 on to trade below 99.5
        (ruling(entry=99.5, until=3 * MINUTE), 1, -1, NAN, 2, NAN, "not filled"),
        (ruling(side=-1, stop=111.5), 3, 3, 110.0, 3, 111.5, "stop"),
        (ruling(side=-1, targets=(92.0,)), 3, 3, 110.0, 4, 92.0, "target"),
        (ruling(side=-1, stop=105.0), 2, 2, 103.0, 2, 105.0, "stop"),
        (ruling(stop=97.0), 4, 4, 96.0, 4, 96.0, "stop"),  # opened beyond the stop: out at that open
    ],
)
def test_an_order_is_followed_to_its_end(order, first, entered, bought, exited, sold, ended) -> None:
    path = follow(order, RISES, first, None)
    assert (path.entered, path.exited, path.ended) == (entered, exited, ended)
    assert path.bought == pytest.approx(bought, nan_ok=True)
    assert path.sold == pytest.approx(sold, nan_ok=True)


def test_a_strategy_is_asked_as_if_it_held_the_position() -> None:
    """It sees entry, stop and risk, may move the stop nearer (never farther), and says when it wants to be out."""
    seen = []

    def trails(i, position):
        seen.append((i, position.side, position.entry, position.stop, position.risk))
        return Signal(Want.LONG, stop=(99.0, 102.0, 50.0, 0.0)[i - 1])

    path = follow(ruling(stop=98.0), RISES, 1, trails)
    assert seen == [(1, 1, 100.0, 98.0, 2.0), (2, 1, 100.0, 99.0, 2.0)]
    assert (path.exited, path.sold, path.ended) == (3, 102.0, "stop")

    path = follow(ruling(), RISES, 1, lambda i, position: FLAT if i == 2 else HOLD)
    assert (path.exited, path.sold, path.ended) == (3, 110.0, "signal")


def verdicts(*rows: dict) -> pl.DataFrame:
    """A table of rulings; what a row leaves out is that of a denied purchase of two units at market."""
    plain = {
        "symbol": "AAA", "order_id": 1, "side": 1, "ruling": "denied", "reason": "exposure_cap", "asked": 2.0,
        "allowed": 0.0, "price": 100.0, "stop": None, "entry": None, "target_1": None, "target_2": None,
        "target_3": None, "target_4": None, "horizon": 0, "confidence": 1.0, "signal": True, "tag": 0, "owner": 0,
        "row": 0,
    }  # fmt: skip
    table = pl.DataFrame([plain | row for row in rows], infer_schema_length=None)
    numbers = [name for name in table.columns if table.schema[name] == pl.Null]
    return table.with_columns(
        pl.col(numbers).cast(pl.Float64), pl.col("horizon").cast(pl.Duration("us")),
        ts=((pl.col("row") + 1) * MINUTE).cast(pl.Datetime("us", "UTC")),
    )  # fmt: skip


def test_money_and_r_of_what_was_withheld() -> None:
    """Two units bought at 100, stopped at 98: a loss of 2 a unit, and 1 % of both prices. Of three one was let pass."""
    table = verdicts({"stop": 98.0}, {"stop": 98.0, "asked": 3.0, "allowed": 1.0, "ruling": "reduced", "row": 3})
    found = outcomes(table, lambda symbol: RISES, cost=0.01)
    assert found["withheld"].to_list() == [2.0, 2.0]
    assert found["ended"].to_list() == ["stop", "stop"]
    assert found["result"].to_list() == pytest.approx([-2 * (2.0 + 1.98), -2 * (0.0 + 0.96 * 2)])
    assert found["r"].to_list() == pytest.approx([-1.0, 0.0])


def test_an_inverse_contract_is_worth_one_over_its_price() -> None:
    """Short 3 contracts of 10: from 100 down to 80, 30 × (1/80 − 1/100) of the coin."""
    fell = market((100, 100, 100, 100), (100, 100, 100, 100), (80, 80, 80, 80), worth=10.0, inverse=True)
    found = outcomes(verdicts({"side": -1, "asked": 3.0}, OUT | {"row": 1}), lambda symbol: fell, cost=0.0)
    assert found["result"].to_list() == pytest.approx([30 * (1 / 80 - 1 / 100)])
    assert found["ended"].to_list() == ["signal"]


def test_of_orders_that_repeat_one_another_only_the_first_is_followed() -> None:
    table = verdicts({}, {"row": 1}, {"row": 2}, {"side": -1, "row": 2, "ruling": "approved"}, {"row": 3})
    found = outcomes(table, lambda symbol: RISES, cost=0.0)
    assert found["ended"].to_list() == ["signal", "another was open", "another was open", "end of data"]
    assert found["result"].to_list() == [
        pytest.approx(2 * (110.0 - 100.0)),
        None,
        None,
        pytest.approx(2 * (91.0 - 96.0)),
    ]


def test_rules_are_counted() -> None:
    table = verdicts({}, {"row": 3, "reason": "no_stop"}, {"ruling": "approved", "row": 3}, OUT)
    told = by_rule(table, outcomes(table, lambda symbol: RISES, cost=0.0))
    assert (told["approved"], told["reduced"], told["denied"]) == (1, 0, 2)
    assert {rule["rule"]: rule["denied"] for rule in told["rules"]} == {"exposure_cap": 1, "no_stop": 1}


def test_where_nothing_was_withheld_there_is_nothing_to_follow() -> None:
    table = verdicts({"ruling": "approved", "reason": "none"})
    found = outcomes(table, lambda symbol: pytest.fail("no market is needed"), cost=0.0)
    assert found.is_empty()
    assert by_rule(table, found)["rules"] == []
