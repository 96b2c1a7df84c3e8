"""Binance's messages as events: times in µs, sides as signs, and nothing that cannot be.

Each function takes a decoded message, the time of its receipt and its stream, and raises ProtocolError for values that
no market has.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from truewind.domain.clock import iso
from truewind.domain.market import Bar, Quote, Trade
from truewind.domain.timeframe import origin_us, timeframe_us
from truewind.errors import ProtocolError
from truewind.market.stream import events as out
from truewind.venues.binance import messages
from truewind.venues.binance.messages import Stream, micros

INF = float("inf")


def _agg_trade(message: messages.AggTrade | messages.Trade, recv: int, stream: Stream) -> Trade:
    price, quantity = message.price, message.quantity
    if not (0.0 < price < INF and 0.0 < quantity < INF):
        raise impossible(stream, f"{quantity} at {price}")
    ts = micros(message.time, stream.name)
    return Trade(message.symbol, ts, recv, price, quantity, -1 if message.sold else 1, message.id)


def _kline(message: messages.Kline, recv: int, stream: Stream) -> Bar | out.Forming:
    k = message.candle
    low, high = k.low, k.high
    if not (0.0 < low <= k.open <= high < INF and low <= k.close <= high and 0.0 <= k.volume < INF):
        raise impossible(stream, f"open {k.open}, high {high}, low {low}, close {k.close}, volume {k.volume}")
    ts, told = micros(k.start, stream.name), micros(message.event, stream.name)
    step, origin = _grid(stream.timeframe)
    if k.timeframe != stream.timeframe or (ts - origin) % step or told < ts:
        raise impossible(stream, f"a bar of {k.timeframe} that opens at {iso(ts)}, told at {iso(told)},")
    over = ts + step
    bar = Bar(
        *(message.symbol, ts, over if k.closed else told, recv, k.open, high, low, k.close, k.volume),
        *(k.quote_volume, float(k.trades), k.taker_buy_volume),
    )
    return bar if k.closed else out.Forming(bar, stream.timeframe)


@cache
def _grid(timeframe: str) -> tuple[int, int]:
    """Length of bars, and a time at which one opens."""
    step = timeframe_us(timeframe)
    return step, origin_us(step)


def _depth(message: messages.DepthUpdate, recv: int, stream: Stream) -> out.Depth:
    _check_levels(message.bids, message.asks, stream)
    if message.final < message.first:
        raise impossible(stream, f"update ids {message.first} … {message.final}")
    ts = micros(message.time or message.event, stream.name)
    return out.Depth(
        *(message.symbol, ts, recv, message.final, message.bids, message.asks, message.first, message.previous)
    )


def _partial(message: Any, recv: int, stream: Stream) -> out.Partial:
    _check_levels(message.bids, message.asks, stream)
    is_spot = isinstance(message, messages.PartialDepth)
    symbol = stream.symbol if is_spot else message.symbol
    ts = recv if is_spot else micros(message.time or message.event, stream.name)
    return out.Partial(symbol, ts, recv, message.final, message.bids, message.asks)


def _check_levels(bids: messages.Levels, asks: messages.Levels, stream: Stream) -> None:
    for levels in (bids, asks):
        for price, quantity in levels:
            if not (0.0 < price < INF and 0.0 <= quantity < INF):
                raise impossible(stream, f"{quantity} at {price}")


def _quote(message: messages.BookTicker, recv: int, stream: Stream) -> Quote:
    bid, ask = message.bid, message.ask
    if not (0.0 < bid < ask < INF and 0.0 <= message.bid_quantity < INF and 0.0 <= message.ask_quantity < INF):
        raise impossible(stream, f"bid {message.bid_quantity} at {bid}, ask {message.ask_quantity} at {ask}")
    ts = micros(message.time, stream.name) if message.time else recv
    return Quote(message.symbol, ts, recv, bid, message.bid_quantity, ask, message.ask_quantity, message.id)


def _mark_price(message: messages.MarkPrice, recv: int, stream: Stream) -> out.MarkPrice:
    try:
        rate = float(message.rate or "nan")
    except ValueError:
        rate = INF
    if not (0.0 < message.mark < INF and 0.0 <= message.index < INF and abs(rate) != INF):
        raise impossible(stream, f"mark price {message.mark}, index price {message.index}, rate {message.rate}")
    due = micros(message.next_funding, stream.name) if message.next_funding else 0
    ts = micros(message.event, stream.name)
    return out.MarkPrice(message.symbol, ts, recv, message.mark, message.index, rate, due)


def _forced(message: messages.ForceOrder, recv: int, stream: Stream) -> out.Forced:
    order = message.order
    side = {"BUY": 1, "SELL": -1}.get(order.side, 0)
    if not (side and 0.0 < order.price < INF and 0.0 < order.quantity < INF and 0.0 <= order.average < INF):
        raise impossible(stream, f"{order.side} {order.quantity} at {order.price}")
    ts = micros(order.time, stream.name)
    return out.Forced(order.symbol, ts, recv, side, order.price, order.quantity, order.average)


def _ticker(m: messages.DayTicker, recv: int, stream: Stream) -> out.DayTicker:
    ts = micros(m.event, stream.name)
    return out.DayTicker(m.symbol, ts, recv, m.last, m.open, m.high, m.low, m.volume, m.quote_volume, float(m.trades))


def impossible(stream: Stream, what: str, reason: str = "values that cannot be") -> ProtocolError:
    return ProtocolError(
        f"{stream.name}: {what} cannot be", remedy="The message was set aside", stream=stream.name, reason=reason
    )


MAKERS: dict[str, Callable[[Any, int, Stream], Any]] = {
    "aggTrade": _agg_trade,
    "trade": _agg_trade,
    "kline": _kline,
    "depth": _depth,
    "partial": _partial,
    "bookTicker": _quote,
    "markPrice": _mark_price,
    "forceOrder": _forced,
    "ticker": _ticker,
}
