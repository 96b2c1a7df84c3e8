"""Round trips: from flat to flat, and every cent in exactly one of them."""

import datetime as dt
import time
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.analytics.trades import COLUMNS, round_trips
from truewind.errors import LedgerError, SchemaError

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def at(hour):
    return START + dt.timedelta(hours=hour)


def trips(account, last_prices=None):
    return round_trips(account.fills, account.orders, last_prices or {}, account.multipliers).to_dicts()


def test_one_long_round_trip_by_hand(open_account):
    """Buy 2 at 100, sell at 110, fees 1 + 1.1, funding −0.5: 20 gross, 17.4 net, 8.7 % of 200."""
    account = open_account()
    account.trade("A", "2", "100", fee="1", slippage="0.2", tag=7)
    account.fund("A", "-0.5")
    account.trade("A", "-2", "110", fee="1.1", slippage="0.3", tag=9)
    (trip,) = trips(account)
    assert trip == {
        "symbol": "A",
        "side": 1,
        "opened": at(0),
        "closed": at(2),
        "quantity": 2.0,
        "entry": 100.0,
        "exit": 110.0,
        "gross_pnl": 20.0,
        "fees": 2.1,
        "funding": -0.5,
        "carry": 0.0,
        "slippage": 0.5,
        "net_pnl": pytest.approx(17.4),
        "return": pytest.approx(0.087),
        "r_multiple": None,
        "risk": None,
        "fills": 2,
        "entry_tag": 7,
        "exit_tag": 9,
        "entry_order": 1,
        "exit_order": 3,
        "exit_kind": "trade",
        "open": False,
    }


def test_a_short_earns_when_the_price_falls(open_account):
    account = open_account()
    account.trade("A", "-3", "50")
    account.trade("A", "3", "40")
    (trip,) = trips(account)
    assert (trip["side"], trip["gross_pnl"], trip["entry"], trip["exit"]) == (-1, 30.0, 50.0, 40.0)


def test_a_flip_ends_one_trade_and_starts_the_next(open_account):
    """Long 2, then sell 3: two thirds of the fee and slippage belong to the long, one third to the short."""
    account = open_account()
    account.trade("A", "2", "100", fee="1")
    account.trade("A", "-3", "110", fee="3", slippage="0.3", tag=5)
    account.trade("A", "1", "105", fee="1")
    long, short = trips(account)
    assert (long["side"], long["closed"], long["fees"], long["gross_pnl"]) == (1, at(1), 3.0, 20.0)
    assert (short["side"], short["opened"], short["fees"], short["gross_pnl"]) == (-1, at(1), 2.0, 5.0)
    assert (long["slippage"], short["slippage"]) == (pytest.approx(0.2), pytest.approx(0.1))
    assert (long["exit_tag"], short["entry_tag"], long["fills"], short["fills"]) == (5, 5, 2, 2)


def test_additions_and_reductions_are_one_trade_at_average_prices(open_account):
    """Buy 1 at 100 and 3 at 120 (average 115), sell 2 at 130 and 2 at 110 (average 120): 4 × 5."""
    account = open_account()
    account.trade("A", "1", "100")
    account.trade("A", "3", "120")
    account.trade("A", "-2", "130")
    account.trade("A", "-2", "110")
    (trip,) = trips(account)
    assert (trip["entry"], trip["exit"], trip["quantity"], trip["fills"]) == (115.0, 120.0, 4.0, 4)
    assert trip["gross_pnl"] == pytest.approx(20.0)
    assert trip["return"] == pytest.approx(20 / 460)


def test_an_open_trade_is_valued_at_the_last_price(open_account):
    """Buy 4 at 100, sell 1 at 120, last price 110: 20 realised and 3 × 10 on paper."""
    account = open_account()
    account.trade("A", "4", "100", fee="2")
    account.trade("A", "-1", "120", fee="1", tag=3)
    (trip,) = trips(account, {"A": 110.0})
    assert (trip["open"], trip["closed"], trip["exit_tag"]) == (True, None, 3)
    assert (trip["gross_pnl"], trip["net_pnl"]) == (pytest.approx(50.0), pytest.approx(47.0))
    assert trip["exit"] == pytest.approx((120 + 3 * 110) / 4)


def test_symbols_do_not_mix_and_trades_come_in_order_of_opening(open_account):
    account = open_account()
    account.trade("B", "1", "10")
    account.trade("A", "1", "100")
    account.trade("B", "-1", "11")
    account.trade("A", "-1", "90")
    account.trade("B", "-1", "12")
    found = [(trip["symbol"], trip["gross_pnl"], trip["open"]) for trip in trips(account, {"B": 12.0})]
    assert found == [("B", 1.0, False), ("A", -10.0, False), ("B", 0.0, True)]


def test_a_contract_multiplier_scales_money_but_not_prices(open_account):
    account = open_account(multipliers={"A": 10})
    account.trade("A", "2", "100")
    account.trade("A", "-1", "103")
    (trip,) = trips(account, {"A": 105.0})
    assert trip["gross_pnl"] == pytest.approx(1 * 3 * 10 + 1 * 5 * 10)
    assert trip["entry"] == 100.0
    assert trip["return"] == pytest.approx(80 / 2000)


def test_a_liquidation_closes_the_trade(open_account):
    account = open_account()
    account.trade("A", "1", "100")
    account.trade("A", "-1", "60", fee="0.9", kind="liquidation")
    (trip,) = trips(account)
    assert (trip["open"], trip["net_pnl"], trip["fills"]) == (False, pytest.approx(-40.9), 2)


def test_r_is_the_result_over_the_risk_at_the_first_stop(open_account):
    """Entry 100, first stop 95, moved later to 99: the risk was 5 × 2, the result 20, so 2 R."""
    account = open_account()
    account.trade("A", "2", "100", order_id=1)
    account.order("A", -1, 95.0, hour=0, order_id=2)
    account.order("A", -1, 99.0, hour=1, order_id=3)
    account.trade("A", "-2", "110", hour=2, order_id=4)
    assert trips(account)[0]["r_multiple"] == pytest.approx(2.0)


def test_the_child_of_the_entry_is_its_first_stop_though_made_before_the_fill(open_account):
    account = open_account()
    account.order("A", 1, 110.0, hour=0, order_id=11, parent=10)
    account.order("A", 1, 101.0, hour=3, order_id=12)
    account.trade("A", "-1", "100", hour=2, order_id=10)
    account.trade("A", "1", "80", hour=4, order_id=13)
    assert trips(account)[0]["r_multiple"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    "stop",
    [
        {"side": -1, "price": 95.0, "hour": 0, "status": "denied"},
        {"side": -1, "price": 95.0, "hour": 0, "status": "rejected"},
        {"side": -1, "price": 95.0, "hour": 0, "type": "limit"},
        {"side": -1, "price": 105.0, "hour": 0},  # it locked in a profit: nothing was at risk
        {"side": 1, "price": 95.0, "hour": 0},  # it would have added
        {"side": -1, "price": 95.0, "hour": 5},  # after the trade
        {"side": -1, "price": 95.0, "hour": -1},  # before it, and no child of its entry
        {"side": -1, "price": 95.0, "hour": 0, "parent": 77},  # the child of another order
    ],
)
def test_r_is_null_without_a_stop_that_protected_the_trade(open_account, stop):
    account = open_account()
    account.trade("A", "2", "100", order_id=1)
    account.trade("A", "-2", "110", hour=2, order_id=4)
    account.order("A", stop.pop("side"), stop.pop("price"), order_id=2, **stop)
    assert trips(account)[0]["r_multiple"] is None


def test_after_a_flip_each_trade_has_the_stop_on_its_own_side(open_account):
    """The short's stop is sent at the moment of the flip, which is also the last moment of the long."""
    account = open_account()
    account.trade("A", "1", "100", hour=0, order_id=1)
    account.order("A", -1, 90.0, hour=0, order_id=2)
    account.trade("A", "-2", "110", hour=1, order_id=3)
    account.order("A", 1, 115.0, hour=1, order_id=4)
    account.trade("A", "1", "100", hour=2, order_id=5)
    assert [trip["r_multiple"] for trip in trips(account)] == [pytest.approx(1.0), pytest.approx(2.0)]


def test_no_fills_are_no_trades(open_account):
    account = open_account()
    table = round_trips(account.fills, account.orders, {})
    assert table.is_empty()
    assert table.schema == pl.Schema(COLUMNS)


def test_tags_keep_their_type(open_account):
    account = open_account()
    account.trade("A", "1", "100")
    fills = account.fills.with_columns(tag=pl.lit("breakout"))
    table = round_trips(fills, account.orders, {"A": 100.0})
    assert table["entry_tag"].to_list() == ["breakout"]
    assert round_trips(fills.clear(), account.orders, {}).schema["exit_tag"] == pl.String


actions = st.tuples(
    st.sampled_from("ABC"),
    st.integers(-5, 5),  # tenths; 0 pays funding instead
    st.integers(1, 2000),  # price in hundredths
    st.integers(0, 50),  # fee, or funding, in thousandths
)


@examples(100)
@given(st.lists(actions, max_size=40), st.fixed_dictionaries({s: st.integers(1, 2000) for s in "ABC"}))
def test_the_net_results_add_up_to_the_change_of_equity(open_account, steps, last_ticks):
    """Whatever is bought, sold, turned, paid in fees or as funding: nothing is lost and nothing counted twice."""
    account = open_account(multipliers={"C": 5})
    for symbol, tenths, ticks, thousandths in steps:
        if tenths:
            account.trade(symbol, Fraction(tenths, 10), Fraction(ticks, 100), fee=Fraction(thousandths, 1000))
        elif account.held.get(symbol):
            account.fund(symbol, Fraction(thousandths - 25, 1000))
    last = {symbol: ticks / 100 for symbol, ticks in last_ticks.items()}
    table = round_trips(account.fills, account.orders, last, account.multipliers)
    assert table["net_pnl"].sum() == pytest.approx(account.equity(last) - float(account.initial), abs=1e-8)
    assert table["fees"].sum() == pytest.approx(account.fills["fee"].sum(), abs=1e-9)
    assert table["open"].sum() == sum(held != 0 for held in account.held.values())
    assert (table["quantity"] > 0).all()
    closed = table.filter(~pl.col("open"))
    units = closed["symbol"].replace_strict({"A": 1, "B": 1, "C": 5}, return_dtype=pl.Float64)
    entries = closed["gross_pnl"] - (closed["exit"] - closed["entry"]) * closed["side"] * closed["quantity"] * units
    simple = closed["fills"] == 2
    assert entries.filter(simple).abs().max() in (None, pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": 3.0}, "position went from"),
        ({"position": None}, "position went from"),
        ({"notional": 900.0}, "multiplier"),
        ({"kind": "funding", "quantity": 0.0, "position": 0.0, "realised": 4.0}, "funding"),
    ],
)
def test_fills_that_contradict_themselves_are_refused(open_account, change, message):
    account = open_account()
    account.trade("A", "1", "100")
    account.rows[0] |= change
    with pytest.raises(LedgerError, match=message):
        trips(account, {"A": 100.0})


def test_a_held_symbol_needs_a_last_price(open_account):
    account = open_account()
    account.trade("A", "1", "100")
    with pytest.raises(LedgerError, match="A is still held"):
        trips(account, {"B": 1.0})


def test_a_missing_column_is_named(open_account):
    account = open_account()
    with pytest.raises(SchemaError, match="realised"):
        round_trips(account.fills.drop("realised"), account.orders, {})


def test_forty_thousand_fills_take_less_than_a_second(open_account):
    """Alternating buys and sells of one lot in three symbols."""
    rng = np.random.default_rng(42)
    count = 40_000
    side = np.tile([1, -1], count // 2)
    price = rng.uniform(90, 110, count)
    fills = pl.DataFrame(
        {
            "ts": pl.Series(np.arange(count) * 60_000_000).cast(pl.Datetime("us", "UTC")),
            "symbol": np.repeat(["A", "B"], count // 2),
            "order_id": np.arange(1, count + 1),
            "kind": ["trade"] * count,
            "side": side,
            "price": price,
            "quantity": np.ones(count),
            "notional": price,
            "fee": np.full(count, 0.1),
            "realised": np.where(side < 0, price - np.roll(price, 1), 0.0),
            "slippage": np.zeros(count),
            "position": np.tile([1.0, 0.0], count // 2),
            "tag": np.zeros(count, np.int64),
        }
    )
    orders = open_account().orders
    started = time.perf_counter()
    table = round_trips(fills, orders, {})
    assert time.perf_counter() - started < 1.0
    assert len(table) == count // 2
    assert table["net_pnl"].sum() == pytest.approx(float(-(side * price).sum()) - 0.1 * count)
