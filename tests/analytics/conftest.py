"""A small exact account, written apart from the code under test, whose fills and equity the tests compare with."""

import datetime as dt
from fractions import Fraction

import polars as pl
import pytest

TIME = pl.Datetime("us", "UTC")
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

FILLS = {
    "ts": TIME,
    "symbol": pl.String,
    "order_id": pl.Int64,
    "kind": pl.String,
    "side": pl.Int64,
    "maker": pl.Boolean,
    "price": pl.Float64,
    "quantity": pl.Float64,
    "notional": pl.Float64,
    "fee": pl.Float64,
    "realised": pl.Float64,
    "slippage": pl.Float64,
    "position": pl.Float64,
    "tag": pl.Int64,
}
ORDERS = {
    "order_id": pl.Int64,
    "symbol": pl.String,
    "created": TIME,
    "ended": TIME,
    "type": pl.String,
    "side": pl.Int64,
    "quantity": pl.Float64,
    "price": pl.Float64,
    "status": pl.String,
    "filled": pl.Float64,
    "reason": pl.String,
    "parent": pl.Int64,
    "reduce_only": pl.Boolean,
    "tag": pl.Int64,
}


class Account:
    """Average-cost book in exact fractions. Quantities, prices and money may be given as text ("0.1")."""

    def __init__(self, cash="10000", multipliers=None):
        self.initial = self.cash = Fraction(cash)
        self.held, self.cost, self.multipliers = {}, {}, multipliers or {}
        self.rows, self.order_rows = [], []

    def trade(self, symbol, signed, price, *, hour=None, fee="0", slippage="0", order_id=None, tag=0, kind="trade"):
        signed, price, fee = Fraction(signed), Fraction(price), Fraction(fee)
        value = signed * price * Fraction(str(self.multipliers.get(symbol, 1)))
        held, cost = self.held.get(symbol, Fraction(0)), self.cost.get(symbol, Fraction(0))
        closing = -signed if abs(signed) < abs(held) else held  # part of what is held that this fill gives back
        if held * signed >= 0:
            closing = Fraction(0)
        released = cost * closing / held if held else Fraction(0)
        realised = closing * price * Fraction(str(self.multipliers.get(symbol, 1))) - released
        self.held[symbol] = held + signed
        self.cost[symbol] = cost + value + realised
        self.cash += realised - fee
        self._row(symbol, hour, order_id, kind, signed, price, value, fee, realised, slippage, tag)

    def fund(self, symbol, payment, *, hour=None):
        self.cash += Fraction(payment)
        self._row(symbol, hour, 0, "funding", Fraction(0), Fraction(1), Fraction(0), Fraction(0), payment, "0", 0)

    def _row(self, symbol, hour, order_id, kind, signed, price, value, fee, realised, slippage, tag):
        hour = len(self.rows) if hour is None else hour
        self.rows.append(
            {
                "ts": START + dt.timedelta(hours=hour),
                "symbol": symbol,
                "order_id": len(self.rows) + 1 if order_id is None else order_id,
                "kind": kind,
                "side": (signed > 0) - (signed < 0),
                "maker": False,
                "price": float(price),
                "quantity": float(abs(signed)),
                "notional": float(abs(value)),
                "fee": float(fee),
                "realised": float(Fraction(realised)),
                "slippage": float(Fraction(slippage)),
                "position": float(self.held.get(symbol, 0)),
                "tag": tag,
            }
        )

    def order(self, symbol, side, price, *, hour, order_id, type="stop", status="cancelled", parent=0):
        created = START + dt.timedelta(hours=hour)
        self.order_rows.append(
            {
                "order_id": order_id,
                "symbol": symbol,
                "created": created,
                "ended": created,
                "type": type,
                "side": side,
                "quantity": 1.0,
                "price": price,
                "status": status,
                "filled": 0.0,
                "reason": "none",
                "parent": parent,
                "reduce_only": True,
                "tag": 0,
            }
        )

    def equity(self, last_prices):
        """Cash and open positions at the last prices."""
        open_profit = (
            held * Fraction(str(last_prices[symbol])) * Fraction(str(self.multipliers.get(symbol, 1)))
            - self.cost[symbol]
            for symbol, held in self.held.items()
            if held
        )
        return float(self.cash + sum(open_profit))

    @property
    def fills(self):
        return pl.DataFrame(self.rows, schema=FILLS, orient="row")

    @property
    def orders(self):
        return pl.DataFrame(self.order_rows, schema=ORDERS, orient="row")


@pytest.fixture(scope="session")
def open_account():
    """Opens an account: open_account(cash, multipliers)."""
    return Account
