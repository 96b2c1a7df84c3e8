"""Bars from trades, as tables: by time, or by what was traded.

bars_from_trades(trades, every="1s")              time: on the UTC grid, weeks from Monday
bars_from_trades(trades, ticks=1_000)             every 1,000 trades
bars_from_trades(trades, volume=50.0)             as soon as 50 have been traded
bars_from_trades(trades, dollar=1e6)              … worth a million
bars_from_trades(trades, tick_imbalance=1_000)    as soon as buyers and sellers are out of balance

Trades are `ts price quantity side` as in the lake, `side` above 0 where the buyer was the taker. Bars are the lake's:
`ts open high low close volume quote_volume trades taker_buy_volume`. A piece of time without a trade makes no bar. The
trade that ends a bar by its amount belongs to it whole. Bars that end by an amount are as long as they are: `ts` is
their first trade and a column `ts_known` their last one, which is when the bar was known.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from truewind.domain.clock import iso
from truewind.domain.timeframe import origin_us, timeframe_us
from truewind.errors import FeatureError, SchemaError, ValidationError
from truewind.numerics import bars as kernels

TIME = pl.Datetime("us", "UTC")
_NEEDED = ("ts", "price", "quantity", "side")
_RULES = {
    "ticks": kernels.TICKS,
    "volume": kernels.VOLUME,
    "dollar": kernels.DOLLAR,
    "tick_imbalance": kernels.TICK_IMBALANCE,
    "volume_imbalance": kernels.VOLUME_IMBALANCE,
    "dollar_imbalance": kernels.DOLLAR_IMBALANCE,
}


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    """A builder on paper: what ends its bars, and the unfinished one."""

    rule: str
    size: float
    span: float
    state: bytes


class _Rule(NamedTuple):
    """name: one of _RULES, or "every" with its length in µs as the size."""

    name: str
    size: float
    span: float


class TradeBars:
    """Bars from trades that come piece by piece; the pieces do not matter, to the bit.

    Exactly one of these says what ends a bar. every: a timeframe, "1s" … "1d". ticks, volume, dollar: that many trades,
    units or quote units. tick_imbalance, volume_imbalance, dollar_imbalance: as soon as the signed sum θ of trades
    (each counted as 1, its quantity or its worth; + where the buyer took) reaches |θ| ≥ E[T]·|E[b·v]|, where E[T] is
    the expected number of trades of a bar and E[b·v] the expected signed amount of one (López de Prado, Advances in
    Financial Machine Learning, 2018, ch. 2.3.2). The number given is that of the first bar, of which nothing is
    expected yet; after each bar both expectations move to what it was by 2 / (span + 1). The book takes signs from the
    tick rule; here the venue has told them. Left alone, E[T] can run away to one trade or to all of them, so it stays
    within a tenth and ten times of its first value.
    """

    def __init__(
        self,
        *,
        every: str | None = None,
        ticks: float | None = None,
        volume: float | None = None,
        dollar: float | None = None,
        tick_imbalance: float | None = None,
        volume_imbalance: float | None = None,
        dollar_imbalance: float | None = None,
        span: float = 20.0,
    ) -> None:
        sizes = (ticks, volume, dollar, tick_imbalance, volume_imbalance, dollar_imbalance)
        given: dict[str, Any] = dict(zip(_RULES, sizes, strict=True))
        given = {name: size for name, size in ({"every": every} | given).items() if size is not None}
        if len(given) != 1:
            raise FeatureError(
                f"Bars end by one rule; {' and '.join(given) or 'none'} was given",
                remedy=f"Give one of every, {', '.join(_RULES)}",
            )
        ((name, size),) = given.items()
        size = timeframe_us(size) if name == "every" else size
        for what, value, least in ((name, size, 0.0), ("span", span, 1.0)):
            if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value < 1e100 or not value:
                raise FeatureError(
                    f"{what} = {value!r} makes no bars", remedy="Give a positive number, span at least 1"
                )
        self._rule = _Rule(name, float(size), float(span))
        self._state = kernels.no_bar()

    def extend(self, trades: pl.DataFrame | Mapping[str, Any], *, until_us: int | None = None) -> pl.DataFrame:
        """The bars that the next trades end. The one in the making is kept until a later trade ends it.

        until_us: no trade before it is still to come, so that the last bar is over too if it ends by then; of bars that
        end by an amount, time says nothing. Raises SchemaError for a column that is missing or of another type, and
        ValidationError where time goes back, a price is not above zero, a quantity below zero or a value missing; the
        builder is then as it was.
        """
        arrays = _arrays(trades)
        state = self._state.copy()
        if self._rule.name == "every":
            length, threads = int(self._rule.size), os.cpu_count() or 1
            bars = kernels.make_time_bars(arrays, length, origin_us(length), state, until=until_us, threads=threads)
        else:
            bars = kernels.make_event_bars(arrays, _RULES[self._rule.name], self._rule.size, self._rule.span, state)
        if bars is None:
            raise _wrong(arrays, self._state[0])
        self._state = state
        known = [] if self._rule.name == "every" else [pl.Series("ts_known", bars.known).cast(TIME)]
        values = (pl.Series(name, column) for name, column in zip(kernels.COLUMNS, bars.values, strict=True))
        return pl.DataFrame([pl.Series("ts", bars.ts).cast(TIME), *values, *known])

    def save(self) -> bytes:
        """The state after the trades so far, to go on from by `load`."""
        return msgspec.msgpack.encode(_Saved(*self._rule, self._state.tobytes()))

    def load(self, saved: bytes) -> None:
        """Go on from a saved state. Raises FeatureError if it is damaged or of other bars."""
        try:
            found = msgspec.msgpack.decode(saved, type=_Saved)
        except msgspec.MsgspecError as error:
            raise FeatureError(f"The saved bar is damaged: {error}", remedy="Begin anew from the trades") from None
        if (found.rule, found.size, found.span) != self._rule or len(found.state) != self._state.nbytes:
            raise FeatureError(
                f"The saved bar ends by {found.rule} = {found.size:g}, not by {self._rule.name} = {self._rule.size:g}",
                remedy="Begin anew from the trades",
            )
        self._state = np.frombuffer(found.state, kernels.BAR).copy()


def bars_from_trades(
    trades: pl.DataFrame | Mapping[str, Any], *, until_us: int | None = None, **rule: Any
) -> pl.DataFrame:
    """The bars of `trades` that are over, by one rule of `TradeBars`: `every="1s"`, `ticks=1_000`, `dollar=1e6` …

    until_us: the trades are complete up to here, exclusive; time bars that end later are left out. Without it the bar
    of the last trade is left out, since nothing shows that it was over. Raises as `TradeBars` does.
    """
    bars = TradeBars(**rule).extend(trades, until_us=until_us)
    if until_us is None or "every" not in rule:
        return bars
    over = bars["ts"].to_physical().search_sorted(until_us - timeframe_us(rule["every"]), side="right")
    return bars.head(int(over))


def _arrays(trades: pl.DataFrame | Mapping[str, Any]) -> kernels.Trades:
    """The columns of trades as arrays. Raises SchemaError, and ValidationError for a missing value."""
    try:
        table = trades if isinstance(trades, pl.DataFrame) else pl.DataFrame(dict(trades))
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise SchemaError(f"The trades are no table: {error}", remedy="Give columns of equal length") from None
    for name in _NEEDED:
        if name not in table.columns:
            raise SchemaError(f"The trades have no '{name}'", remedy=f"Bars need {', '.join(_NEEDED)}", column=name)
        dtype = table.schema[name]
        fits = dtype.is_integer() or (dtype.is_temporal() if name == "ts" else name != "side" and dtype.is_numeric())
        if not fits or dtype in (pl.Date, pl.Time, pl.Duration):
            what = "times or whole µs" if name == "ts" else "whole numbers" if name == "side" else "numbers"
            raise SchemaError(f"The trades' {name} is {dtype}, not {what}", remedy="Cast it", column=name)
        if table[name].null_count():
            row = table[name].is_null().arg_max() or 0
            raise ValidationError(f"The trades' {name} is missing in row {row}", remedy="Leave it out", row=row)
    ts = table["ts"] if table.schema["ts"].is_integer() else table["ts"].cast(TIME).to_physical()
    return kernels.Trades(
        np.ascontiguousarray(ts.to_numpy(), np.int64),
        np.ascontiguousarray(table["price"].to_numpy(), np.float64),
        np.ascontiguousarray(table["quantity"].to_numpy(), np.float64),
        np.ascontiguousarray(table["side"].to_numpy(), np.int8),
    )


def _wrong(trades: kernels.Trades, state: Any) -> ValidationError:
    """What is wrong with the first trade that cannot be."""
    before = np.concatenate([[state["known"]], trades.ts[:-1]])
    rules = (
        (trades.ts < before, "time goes back", "Sort the trades by ts"),
        (~((trades.price > 0.0) & (trades.price < np.inf)), "the price is not above zero", "Leave the trade out"),
        (~((trades.quantity >= 0.0) & (trades.quantity < np.inf)), "the quantity is below zero", "Leave the trade out"),
    )
    row, what, remedy = min((int(bad.argmax()), what, remedy) for bad, what, remedy in rules if bad.any())
    return ValidationError(
        f"Trades: {what} in row {row} at {iso(int(trades.ts[row]))} "
        f"(price {trades.price[row]}, quantity {trades.quantity[row]})",
        remedy=remedy,
        row=row,
    )
