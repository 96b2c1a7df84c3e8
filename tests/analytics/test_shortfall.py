"""Implementation shortfall: by hand, and as the difference of two portfolios reckoned apart."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.analytics import shortfall
from truewind.analytics.report import Report

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
EMPTY = pl.DataFrame()


def order(**given):
    plain = {
        "order_id": 1, "symbol": "A", "created": START, "type": "market", "side": 1, "reduce_only": False, "parent": 0,
        "decision_price": 100.0, "arrival_price": 100.0, "end_price": 100.0, "left": 0.0, "point_value": 1.0,
        "inverse": False,
    }  # fmt: skip
    return plain | given


def fill(price, quantity, **given):
    plain = {"order_id": 1, "kind": "trade", "price": price, "quantity": quantity, "fee": 0.0, "slippage": 0.0}
    return plain | given


def report(orders, fills):
    columns = {"order_id": pl.Int64, "kind": pl.String, "price": pl.Float64, "quantity": pl.Float64, "fee": pl.Float64,
               "slippage": pl.Float64}  # fmt: skip
    return Report(
        name="", equity=EMPTY, trades=EMPTY, fills=pl.DataFrame(fills, schema=columns), candles={}, benchmark=None,
        summary={}, config_yaml="", info={}, assumptions=[], warnings=[],
        orders=pl.DataFrame(orders, infer_schema_length=None),
    )  # fmt: skip


def one(orders, fills):
    return shortfall.of_orders(report(orders, fills)).row(0, named=True)


def test_perolds_parts_by_hand():
    """Decided to buy 1,000 at 50.00; 50.10 when it arrived; 800 bought at 50.25 for 8 of fees; given up at 51.00.

    Delay 800 × 0.10 = 80, trading 800 × 0.15 = 120, fees 8, opportunity 200 × 1.00 = 200: 408 of 50,000 are 81.6 bps.
    """
    orders = [order(decision_price=50.0, arrival_price=50.1, end_price=51.0, left=200.0, type="limit")]
    row = one(orders, [fill(50.25, 500.0, fee=5.0), fill(50.25, 300.0, fee=3.0)])
    assert {name: row[name] for name in shortfall.PARTS} == pytest.approx(
        {"delay": 80.0, "trading": 120.0, "fees": 8.0, "opportunity": 200.0}
    )
    assert row["total"] == pytest.approx(408.0)
    (summed,) = shortfall.by(shortfall.of_orders(report(orders, [fill(50.25, 800.0, fee=8.0)])), "kind").to_dicts()
    assert (summed["kind"], summed["bps"]) == ("limit entry", pytest.approx(81.6))


def test_a_sale_that_rises_before_it_fills_gains():
    row = one([order(side=-1, arrival_price=101.0)], [fill(100.5, 2.0)])
    assert (row["delay"], row["trading"], row["total"]) == pytest.approx((-2.0, 1.0, -1.0))


def test_an_inverse_contract_counts_in_coins():
    """100 contracts of 100 USD bought at 20,000 instead of 19,000: 10,000/19,000 − 10,000/20,000 coins less."""
    orders = [order(decision_price=19_000.0, arrival_price=19_000.0, point_value=100.0, inverse=True)]
    row = one(orders, [fill(20_000.0, 100.0)])
    assert row["total"] == pytest.approx(10_000 / 19_000 - 10_000 / 20_000)
    assert row["worth"] == pytest.approx(10_000 / 19_000)


def test_what_was_never_reached_or_never_sent_does_not_count():
    orders = [order(type="stop", reduce_only=True, parent=7), order(order_id=2, decision_price=None)]
    assert shortfall.of_orders(report(orders, [])).is_empty()


def test_a_folder_without_prices_of_decisions_has_no_shortfall():
    bare = pl.DataFrame([order()]).drop("decision_price")
    assert shortfall.of_orders(report(bare, [])) is None


prices = st.floats(1.0, 1000.0)


@examples(60)
@given(
    side=st.sampled_from([-1, 1]),
    decided=prices,
    arrived=st.none() | prices,
    end=prices,
    left=st.floats(0.0, 50.0),
    fills=st.lists(st.tuples(prices, st.floats(0.001, 20.0), st.floats(0.0, 5.0)), max_size=5),
    value=st.floats(0.01, 100.0),
)
def test_paper_less_real_is_the_sum_of_the_parts(side, decided, arrived, end, left, fills, value):
    """Both portfolios are valued at one price after the end; it must not matter which."""
    arrived = arrived if arrived is not None or not fills else decided
    done = sum(quantity for _, quantity, _ in fills)
    if done + left == 0.0:
        return
    paper = side * (done + left) * (end - decided) * value
    real = sum(side * quantity * (end - price) * value - fee for price, quantity, fee in fills)
    orders = [order(side=side, decision_price=decided, arrival_price=arrived, end_price=end, left=left,
                    point_value=value)]  # fmt: skip
    row = one(pl.DataFrame(orders, schema_overrides={"arrival_price": pl.Float64}),
              [fill(price, quantity, fee=fee) for price, quantity, fee in fills])  # fmt: skip
    assert row["total"] == pytest.approx(paper - real, rel=1e-9, abs=1e-6)
