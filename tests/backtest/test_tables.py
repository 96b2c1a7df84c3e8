"""The tables of a run: units and names that people use, worked out by hand."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from contracts import inverse
from scripted import MINUTE, columns, flat, free, perpetual, play
from truewind.analytics.trades import round_trips
from truewind.backtest import tables
from truewind.backtest.tables import Units
from truewind.domain.terms import Tier, TierTable
from truewind.portfolio.margin import MarginSettings


def units(engine):
    return Units(engine.instruments, engine.state.instruments, engine.state.scale)


@pytest.fixture(scope="module")
def engine():
    """Long 2 at 100 with a stop of 95 that is hit, a denied order, one that rests to the end, and funding."""
    bars = [flat(100), flat(100), flat(110), (100, 100, 94, 96), flat(96)]
    return play(
        bars,
        {0: lambda s: s.buy(2, stop_loss=95, take_profit=150, tag=4), 1: lambda s: (s.buy(0), s.buy(1, limit=50))},
        costs=free(taker_fee=0.001, half_spread_bps=10), cash=1000.0,
        funding={"BTCUSDT": [(2 * MINUTE, 0.001, 0.0)]},
    )  # fmt: skip


def test_fills(engine):
    """Bought at 100.1, funding of 0.22 on 220, stopped at 94.9 for a loss of 10.4."""
    table = tables.fills_table(engine.fills, units(engine))
    rows = table.to_dicts()
    assert [row["kind"] for row in rows] == ["trade", "funding", "trade"]
    assert [row["price"] for row in rows] == [100.1, 110.0, 94.9]
    assert [row["quantity"] for row in rows] == [2.0, 0.0, 2.0]
    assert [row["notional"] for row in rows] == [200.2, 220.0, 189.8]
    assert [row["fee"] for row in rows] == [0.2002, 0.0, 0.1898]
    assert [row["realised"] for row in rows] == [0.0, -0.22, -10.4]
    assert [row["slippage"] for row in rows] == [0.2, 0.0, 0.2]
    assert [row["position"] for row in rows] == [2.0, 2.0, 0.0]
    assert [row["order_id"] for row in rows] == [1, 0, 2]
    assert [row["side"] for row in rows] == [1, 1, -1]
    assert rows[0]["symbol"] == "BTCUSDT"
    assert rows[0]["tag"] == rows[2]["tag"] == 4
    assert table.schema["ts"] == pl.Datetime("us", "UTC")
    assert [int(ts.timestamp()) for ts in table["ts"]] == [60, 120, 240]


def test_orders(engine):
    """One row each: entry filled, stop filled, target expired, one denied, one at the end of the data."""
    table = tables.orders_table(engine.events, units(engine))
    rows = table.to_dicts()
    assert [row["order_id"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["type"] for row in rows] == ["market", "stop", "limit", "market", "limit"]
    assert [row["status"] for row in rows] == ["filled", "filled", "expired", "denied", "expired"]
    assert [row["reason"] for row in rows] == [
        "none", "none", "nothing_to_reduce", "below_min_quantity", "end_of_data"
    ]  # fmt: skip
    assert [row["price"] for row in rows] == [None, 95.0, 150.0, None, 50.0]
    assert [row["filled"] for row in rows] == [2.0, 2.0, 0.0, 0.0, 0.0]
    assert [row["quantity"] for row in rows] == [2.0, 2.0, 2.0, 0.0, 1.0]
    assert [row["parent"] for row in rows] == [0, 1, 1, 0, 0]
    assert [row["reduce_only"] for row in rows] == [False, True, True, False, False]
    assert [int(row["created"].timestamp()) for row in rows] == [60, 60, 60, 120, 120]
    assert [int(row["ended"].timestamp()) for row in rows] == [60, 240, 240, 120, 300]


def test_a_partly_filled_order_says_how_much():
    """3 held, 5 to be reduced."""
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(3), 2: lambda s: s.sell(5, reduce_only=True)})
    row = tables.orders_table(engine.events, units(engine)).to_dicts()[1]
    assert (row["quantity"], row["filled"], row["status"], row["reason"]) == (5.0, 3.0, "expired", "nothing_to_reduce")


def test_equity(engine):
    """Wallet and open profit after each bar; gross is what is held at the close."""
    table = tables.equity_table(engine, engine.fills, units(engine))
    assert table["equity"].to_list() == pytest.approx(
        [1000, 1000 - 0.2002 - 0.2, 1000 - 0.2002 - 0.22 + 19.8, 989.4 - 0.2002 - 0.22 - 0.1898 + 0.2, 988.99]
    )
    assert table["cash"].to_list() == pytest.approx([1000, 999.7998, 999.5798, 988.99, 988.99])
    assert table["gross"].to_list() == [0.0, 200.0, 220.0, 0.0, 0.0]
    assert [int(ts.timestamp()) // 60 for ts in table["ts"]] == [1, 2, 3, 4, 5]


def test_one_equity_row_a_time_and_all_symbols_in_it():
    """Two symbols, one of them starting later: a row a minute, gross of both, contracts by their multiplier."""
    from decimal import Decimal

    bars = {"AAA": columns([flat(100)] * 4), "BBB": columns([flat(10)] * 3, start=MINUTE)}
    engine = play(
        bars, {0: lambda s: s.buy(1, symbol="AAA"), 2: lambda s: s.sell(2, symbol="BBB")}, cash=1000.0,
        instruments=[perpetual("AAA"), perpetual("BBB", multiplier=Decimal(5))],
    )  # fmt: skip
    table = tables.equity_table(engine, engine.fills, units(engine))
    assert table.height == 4
    assert table["gross"].to_list() == [0.0, 100.0, 200.0, 200.0]
    assert table["equity"].to_list() == [1000.0] * 4


def test_the_benchmark_holds_every_symbol_evenly():
    """500 in each: AAA doubles, BBB comes a minute later and halves."""
    bars = {"AAA": columns([flat(100), flat(100), flat(200)]), "BBB": columns([flat(10), flat(5)], start=MINUTE)}
    engine = play(bars, {}, instruments=[perpetual("AAA"), perpetual("BBB")], cash=1000.0)
    table = tables.benchmark_table(engine, 1000.0)
    assert table["equity"].to_list() == [1000.0, 1000.0, 1250.0]


def test_candles_are_joined_where_there_are_too_many(monkeypatch):
    """Seven bars in at most three candles: threes, first open, last close, extremes, volumes added."""
    monkeypatch.setattr(tables, "MAX_CANDLES", 3)
    bars = [(10 + i, 20 + i, 5 - i / 10, 11 + i) for i in range(7)]
    engine = play({"AAA": columns(bars)}, {}, instruments=[perpetual("AAA")])
    rows = tables.candles_table(engine.timeline).to_dicts()
    found = [(row["open"], row["high"], row["low"], row["close"], row["volume"]) for row in rows]
    assert found == [(10, 22, 4.8, 13, 3), (13, 25, 4.5, 16, 3), (16, 26, 4.4, 17, 1)]
    assert [int(row["ts"].timestamp()) // 60 for row in rows] == [0, 3, 6]


def test_a_run_without_trades_has_its_tables():
    """Empty, with every column; equity is the cash."""
    engine = play([flat(100)] * 3, {}, cash=1000.0)
    fills = tables.fills_table(engine.fills, units(engine))
    orders = tables.orders_table(engine.events, units(engine))
    assert (fills.height, orders.height) == (0, 0)
    assert fills.columns[:3] == ["ts", "symbol", "order_id"]
    equity = tables.equity_table(engine, engine.fills, units(engine))
    assert equity["equity"].to_list() == equity["cash"].to_list() == [1000.0] * 3
    assert np.all(equity["gross"].to_numpy() == 0.0)


def test_round_trips_of_an_inverse_contract_add_up_to_the_coins_gained():
    """1,000 contracts of 100 dollars: 2 BTC from 10,000 to 12,500, then short at 12,500, marked at 10,000: 2 BTC."""
    perp = inverse("100")
    rise = [flat(10_000), flat(10_000), flat(12_500), flat(12_500), flat(12_500), flat(10_000)]
    engine = play(
        {perp.symbol: rise}, {0: lambda s: s.buy(1_000), 1: lambda s: s.close(), 3: lambda s: s.sell(1_000)},
        instruments=[perp], cash=10.0, currency="BTC",
    )  # fmt: skip
    fills, orders = tables.fills_table(engine.fills, units(engine)), tables.orders_table(engine.events, units(engine))
    trades = round_trips(fills, orders, {perp.symbol: 10_000.0}, {perp.symbol: 100.0}, {perp.symbol})
    assert trades.select("side", "entry", "exit", "gross_pnl", "open").rows() == [
        (1, 10_000.0, pytest.approx(12_500.0), 2.0, False), (-1, pytest.approx(12_500.0), 10_000.0, 2.0, True)
    ]  # fmt: skip
    assert engine.equity[-1] == 14.0


def test_the_sides_of_a_hedge_are_trades_of_their_own():
    """Long 2 and short 1 at 100, both closed at 110: 20 won and 10 lost, by two trades that overlap."""
    engine = play(
        [flat(100), flat(100), flat(110), flat(110)],
        {0: lambda s: (s.buy(2), s.sell(1)), 2: lambda s: (s.sell(2, reduce_only=True), s.buy(1, reduce_only=True))},
        margin=MarginSettings(position_mode="hedge"),
    )  # fmt: skip
    fills, orders = tables.fills_table(engine.fills, units(engine)), tables.orders_table(engine.events, units(engine))
    assert fills["leg"].to_list() == [0, 1, 0, 1]
    trades = round_trips(fills, orders, {})
    assert trades.select("side", "quantity", "gross_pnl").rows() == [(1, 2.0, 20.0), (-1, 1.0, -10.0)]
    gross = tables.equity_table(engine, engine.fills, units(engine))["gross"].to_list()
    assert gross == [0.0, 300.0, 330.0, 0.0]


def test_what_the_insurance_fund_pays_belongs_to_the_trade_that_it_ended():
    """10 bought at 100 with 100, gone at 80: 200 lost, 100 of them the fund's: the trade's result is the account's."""
    engine = play([flat(100), flat(100), flat(80), flat(80)], {0: lambda s: s.buy(10)}, cash=100.0, gate_leverage=1e6)
    fills, orders = tables.fills_table(engine.fills, units(engine)), tables.orders_table(engine.events, units(engine))
    assert fills["kind"].to_list() == ["trade", "liquidation", "insurance"]
    trades = round_trips(fills, orders, {})
    assert trades.select("net_pnl", "fills").rows() == [(-100.0, 2)]


def test_refusals_tell_the_venues_code_and_words():
    """Below the minimum notional of 100 USDT, and a tier that allows 10× only: as Binance USD-M answers."""
    coin = perpetual("AAAUSDT", venue="binance_usdm", min_notional=Decimal(100))
    tiers = [TierTable(0, [Tier(Decimal(1_000), Decimal("0.01"), 20), Tier(Decimal(10_000), Decimal("0.02"), 10)])]
    engine = play(
        {"AAAUSDT": [flat(100)] * 4}, {0: lambda s: (s.buy(0.5), s.buy(20))}, instruments=[coin],
        margin=MarginSettings(tiers="venue").terms([coin], {coin.id: tiers}, 20.0),
    )  # fmt: skip
    lines = tables.refusals(tables.orders_table(engine.events, units(engine)), [coin])
    assert [line.partition(", the first")[0] for line in lines] == [
        "1 orders were denied (below min notional; at the venue -4164: Order's notional must be no smaller than 100 "
        "(unless you choose reduce only))",
        "1 orders were rejected (leverage limit; at the venue -2027: Exceeded the maximum allowable position at "
        "current leverage)",
    ]


def test_an_open_trade_that_paid_funding_is_worth_what_the_account_says():
    """2 bought at 100, 1 % funding on 220 paid, still held at 110: 20 won, 2.2 paid."""
    engine = play(
        [flat(100), flat(100), flat(110), flat(110)], {0: lambda s: s.buy(2)},
        funding={"BTCUSDT": [(3 * MINUTE, 0.01, 110.0)]},
    )  # fmt: skip
    fills, orders = tables.fills_table(engine.fills, units(engine)), tables.orders_table(engine.events, units(engine))
    trade = round_trips(fills, orders, {"BTCUSDT": 110.0}).row(0, named=True)
    assert (trade["gross_pnl"], trade["funding"], trade["net_pnl"], trade["open"]) == (20.0, -2.2, 17.8, True)
