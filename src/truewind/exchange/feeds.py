"""The market's streams: each turns events of its symbols into the venue's messages.

Sources: "WebSocket Streams" of binance-spot-api-docs and of USD-M futures: names, speeds, fields.
"""

import re
from collections.abc import Callable
from typing import Any

from truewind.exchange import candles, messages
from truewind.exchange.candles import INTERVALS, Unit
from truewind.exchange.events import Beat, Depth, Event, Liquidated, Marked, Quoted, Traded
from truewind.exchange.klines import KlineState
from truewind.exchange.market import Market
from truewind.exchange.rest import PublicRest
from truewind.exchange.tape import Tape

_MS = 1000
_SYMBOL = re.compile(r"([a-z0-9_\-]{1,40})@(.+)")
_DIFF = re.compile(r"depth(?:@(0|100|250|500|1000)ms)?")
_PARTIAL = re.compile(r"depth(5|10|20)(?:@(100|250|500|1000)ms)?")
_SPEEDS = {"spot": (1000, (100, 1000)), "usdm": (250, (0, 100, 250, 500))}
Take = Callable[[Any], list[str]]
Best = tuple[tuple[int, int], tuple[int, int]]


class Feed:
    """One stream. symbols: those it needs; takes: the events it needs of them, each answered by messages."""

    def __init__(self, name: str, symbols: list[str], takes: dict[type, Take]) -> None:
        self.name = name
        self.symbols = symbols
        self.takes = takes


def make_feed(name: str, market: Market, unit: Unit) -> Feed | None:
    """The stream of a name; None if the venue has no such one. Of a symbol that is not traded: a silent one."""
    if name.startswith("!"):
        return _all_symbols(name, market, unit)
    found = _SYMBOL.fullmatch(name)
    if not found:
        return None
    symbol, kind = found[1].upper(), found[2]
    tape = market.tapes.get(symbol)
    if tape is None:
        return Feed(name, [], {})
    takes = _of_symbol(kind, tape, market, unit)
    return None if takes is None else Feed(name, [symbol], takes)


def _of_symbol(kind: str, tape: Tape, market: Market, unit: Unit) -> dict[type, Take] | None:
    words = messages.Words(tape, unit)
    simple: dict[str, dict[type, Take]] = {
        "aggTrade": {Traded: lambda event: [words.agg_trade(event)]},
        "trade": {Traded: lambda event: [words.trade(event)]},
        "bookTicker": _best_prices(tape, words),
        "ticker": {Beat: _Ticker(tape, market, words.ticker)},
        "miniTicker": {Beat: _Ticker(tape, market, words.mini_ticker)},
    }
    if kind in simple:
        return simple[kind]
    if kind.startswith("kline_") and kind[6:] in INTERVALS and (market.spot or kind != "kline_1s"):
        kline = _Kline(tape, market, kind[6:], words)
        return {Traded: kline.trade, Beat: kline.beat}
    if (speed := _speed(_DIFF.fullmatch(kind), 1, market)) is not None:
        return {Depth: _Diffs(words, speed)}
    if (partial := _PARTIAL.fullmatch(kind)) and (speed := _speed(partial, 2, market)) is not None:
        return {Depth: _Levels(tape, words, int(partial[1]), speed)}
    if not market.spot:
        futures: dict[str, dict[type, Take]] = {
            "markPrice": {Marked: lambda event: [words.mark(event)] if event.ts_us % 3_000_000 == 0 else []},
            "markPrice@1s": {Marked: lambda event: [words.mark(event)]},
            "forceOrder": {Liquidated: _Liquidations(words)},
        }
        return futures.get(kind)
    return None


def _speed(found: re.Match[str] | None, group: int, market: Market) -> int | None:
    """How often in µs; None for none that this market has."""
    if found is None:
        return None
    usual, known = _SPEEDS[market.name]
    speed = int(found[group] or usual)
    return speed * _MS if speed in known else None


def _all_symbols(name: str, market: Market, unit: Unit) -> Feed | None:
    words = {symbol: messages.Words(tape, unit) for symbol, tape in market.tapes.items()}
    symbols = list(market.tapes)
    if name == "!bookTicker":
        takes = {symbol: _best_prices(tape, words[symbol]) for symbol, tape in market.tapes.items()}

        def best(event: Any) -> list[str]:
            take = takes[event.symbol].get(type(event))
            return take(event) if take else []

        return Feed(name, symbols, {Depth: best, Quoted: best})
    if name in ("!ticker@arr", "!miniTicker@arr"):
        write = {s: w.mini_ticker if "mini" in name else w.ticker for s, w in words.items()}
        tickers = {symbol: _Ticker(tape, market, write[symbol]) for symbol, tape in market.tapes.items()}
        return Feed(name, symbols, {Beat: _Gathered(symbols, lambda event: tickers[event.symbol](event))})
    if market.spot:
        return None
    if name in ("!markPrice@arr", "!markPrice@arr@1s"):
        every = 1_000_000 if name.endswith("@1s") else 3_000_000

        def mark(event: Any) -> list[str]:
            return [words[event.symbol].mark(event)] if event.ts_us % every == 0 else []

        return Feed(name, symbols, {Marked: _Gathered(symbols, mark)})
    if name == "!forceOrder@arr":
        liquidations = {symbol: _Liquidations(words[symbol]) for symbol in symbols}
        return Feed(name, symbols, {Liquidated: lambda event: liquidations[event.symbol](event)})
    return None


def _best_prices(tape: Tape, words: messages.Words) -> dict[type, Take]:
    """Of quotes where the source has them, else of the book."""
    if tape.has_quotes:
        return {Quoted: lambda event: [words.book_ticker(event.id, event.bid, event.ask, event.ts_us)]}
    return {Depth: _BookTicker(tape, words)}


class _Gathered:
    """One list of what all symbols say at a time."""

    def __init__(self, symbols: list[str], take: Take) -> None:
        self._last = max(symbols, default="")
        self._take = take
        self._parts: list[str] = []

    def __call__(self, event: Event) -> list[str]:
        self._parts += self._take(event)
        if event.symbol != self._last or not self._parts:
            return []
        whole, self._parts = f"[{','.join(self._parts)}]", []
        return [whole]


class _Diffs:
    """Updates of the book, joined to one every `speed` µs: the last word on each price."""

    def __init__(self, words: messages.Words, speed_us: int) -> None:
        self._words = words
        self._speed_us = speed_us
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._first: Depth | None = None
        self._final = -1

    def __call__(self, event: Depth) -> list[str]:
        if event.restarts:  # a snapshot is nothing that streams tell
            return []
        if self._speed_us <= 100_000:
            return [self._words.diff(event)]
        follows = event.previous == self._final or event.first == self._final + 1
        if self._first is None or not follows:
            self._first, self._bids, self._asks = event, {}, {}
        self._final = event.final
        self._bids.update(event.bids)
        self._asks.update(event.asks)
        if event.ts_us % self._speed_us >= 100_000:
            return []
        first, self._first = self._first, None
        levels = (list(self._bids.items()), list(self._asks.items()))
        return [self._words.diff(Depth(event.symbol, event.ts_us, first.first, event.final, first.previous, *levels))]


class _Levels:
    """The best levels every `speed` µs."""

    def __init__(self, tape: Tape, words: messages.Words, count: int, speed_us: int) -> None:
        self._tape = tape
        self._words = words
        self._count = count
        self._speed_us = speed_us

    def __call__(self, event: Depth) -> list[str]:
        if self._speed_us > 100_000 and event.ts_us % self._speed_us >= 100_000:
            return []
        return [self._words.levels(self._tape.book.at(event.ts_us, self._count), event, self._count)]


class _BookTicker:
    """The best prices and what is displayed there, whenever that changes."""

    def __init__(self, tape: Tape, words: messages.Words) -> None:
        self._tape = tape
        self._words = words
        self._latest: Best | None = None

    def __call__(self, event: Depth) -> list[str]:
        best = event.best or self._of_book(event.ts_us)
        if best is None or best == self._latest:
            return []
        self._latest = best
        return [self._words.book_ticker(event.final, *best, event.ts_us)]

    def _of_book(self, ts_us: int) -> Best | None:
        book = self._tape.book.at(ts_us, 1)
        return (book.bids[0], book.asks[0]) if book.bids and book.asks else None


class _Ticker:
    """The last 24 hours, every second; of futures every two."""

    def __init__(self, tape: Tape, market: Market, write: Callable[[dict[str, Any], int], str]) -> None:
        self._tape = tape
        self._rest = PublicRest(market, most_klines=1, trade_window_us=0)
        self._write = write
        self._every = 1_000_000 if market.spot else 2_000_000

    def __call__(self, event: Beat) -> list[str]:
        if event.ts_us % self._every:
            return []
        day = self._rest.day(self._tape, event.ts_us - 1)
        return [self._write(day, event.ts_us)] if day else []


class _Liquidations:
    """At most one a second: the censored sample that the venue gives."""

    def __init__(self, words: messages.Words) -> None:
        self._words = words
        self._second = -1

    def __call__(self, event: Liquidated) -> list[str]:
        second = event.ts_us // 1_000_000
        if second == self._second:
            return []
        self._second = second
        return [self._words.liquidation(event)]


class _Kline:
    """A bar as it grows: every quarter second (spot: every second, but for 1s bars) in which something was traded,
    and when it ends, then with the figures that REST will give."""

    def __init__(self, tape: Tape, market: Market, interval: str, words: messages.Words) -> None:
        self._tape = tape
        self._interval = interval
        self._words = words
        self._every = 1_000_000 if market.spot else 250_000
        self._state = KlineState(tape, interval, market.now_us)
        self._traded = False

    def trade(self, event: Traded) -> list[str]:
        self._state.add(event)
        self._traded = True
        return []

    def beat(self, event: Beat) -> list[str]:
        state = self._state
        if event.ts_us >= state.close_us:
            told = [self._words.kline(row, event.ts_us) for row in state.finish()]
            state.begin(candles.opens_us(self._interval, event.ts_us))
            self._traded = False
            return told
        if not self._traded or event.ts_us % self._every:
            return []
        self._traded = False
        return [self._words.kline(state.row(), event.ts_us)]
