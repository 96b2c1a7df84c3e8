"""Messages of the market's streams, as texts of JSON; times in the unit that the connection asked for.

Futures carry `st` and `ps`, as recorded in 2025.
"""

from typing import Any

from truewind.exchange.books import BookState, Levels
from truewind.exchange.candles import Unit
from truewind.exchange.events import Depth, Liquidated, Marked, Traded
from truewind.exchange.klines import KlineRow
from truewind.exchange.tape import Tape

_TICKER = (
    *(("p", "priceChange"), ("P", "priceChangePercent"), ("w", "weightedAvgPrice"), ("c", "lastPrice")),
    *(("Q", "lastQty"), ("o", "openPrice"), ("h", "highPrice"), ("l", "lowPrice"), ("v", "volume")),
    ("q", "quoteVolume"),
)
_MINI = (("c", "lastPrice"), ("o", "openPrice"), ("h", "highPrice"), ("l", "lowPrice"), ("v", "volume"))
_COUNTS = (("O", "openTime"), ("C", "closeTime"), ("F", "firstId"), ("L", "lastId"), ("n", "count"))


class Words:
    """How one symbol's events are told."""

    def __init__(self, tape: Tape, unit: Unit) -> None:
        self._tape = tape
        self._numbers = tape.numbers
        self._symbol = tape.symbol
        self._spot = tape.spot
        self._scale = 1000 if unit == "ms" else 1
        self._tail = ',"M":true}' if tape.spot else ',"st":1}'

    def agg_trade(self, event: Traded) -> str:
        numbers, at = self._numbers, event.ts_us // self._scale
        maker = "false" if event.side > 0 else "true"
        return (
            f'{{"e":"aggTrade","E":{at},"s":"{self._symbol}","a":{event.id},"p":"{numbers.price(event.ticks)}",'
            f'"q":"{numbers.quantity(event.lots)}","f":{event.id},"l":{event.id},"T":{at},"m":{maker}{self._tail}'
        )

    def trade(self, event: Traded) -> str:
        numbers, at = self._numbers, event.ts_us // self._scale
        maker = "false" if event.side > 0 else "true"
        tail = ',"M":true}' if self._spot else ',"X":"MARKET"}'
        return (
            f'{{"e":"trade","E":{at},"s":"{self._symbol}","t":{event.id},"p":"{numbers.price(event.ticks)}",'
            f'"q":"{numbers.quantity(event.lots)}","T":{at},"m":{maker}{tail}'
        )

    def kline(self, row: KlineRow, ts_us: int) -> str:
        open_, high, low, close = row.prices
        return (
            f'{{"e":"kline","E":{ts_us // self._scale},"s":"{self._symbol}","k":{{"t":{row.open_us // self._scale},'
            f'"T":{row.close_us // self._scale - 1},"s":"{self._symbol}","i":"{row.interval}","f":{row.first},'
            f'"L":{row.last},"o":"{open_}","c":"{close}","h":"{high}","l":"{low}","v":"{row.volume}","n":{row.count},'
            f'"x":{"true" if row.closed else "false"},"q":"{row.quote}","V":"{row.bought}","Q":"{row.bought_quote}",'
            f'"B":"0"}}}}'
        )

    def diff(self, event: Depth) -> str:
        at = event.ts_us // self._scale
        futures = "" if self._spot else f',"T":{at}'
        previous = "" if self._spot else f',"pu":{event.previous}'
        tail = "" if self._spot else f',"ps":"{self._symbol}","st":1'
        return (
            f'{{"e":"depthUpdate","E":{at}{futures},"s":"{self._symbol}","U":{event.first},"u":{event.final}{previous},'
            f'"b":{self._pairs(event.bids)},"a":{self._pairs(event.asks)}{tail}}}'
        )

    def levels(self, book: BookState, event: Depth, count: int) -> str:
        bids, asks = self._pairs(book.bids[:count]), self._pairs(book.asks[:count])
        if self._spot:
            return f'{{"lastUpdateId":{book.id},"bids":{bids},"asks":{asks}}}'
        at = event.ts_us // self._scale
        return (
            f'{{"e":"depthUpdate","E":{at},"T":{at},"s":"{self._symbol}","U":{event.first},"u":{event.final},'
            f'"pu":{event.previous},"b":{bids},"a":{asks},"ps":"{self._symbol}","st":1}}'
        )

    def book_ticker(self, id_: int, bid: tuple[int, int], ask: tuple[int, int], ts_us: int) -> str:
        numbers, at = self._numbers, ts_us // self._scale
        head = "" if self._spot else '"e":"bookTicker",'
        tail = "" if self._spot else f',"T":{at},"E":{at},"ps":"{self._symbol}","st":1'
        return (
            f'{{{head}"u":{id_},"s":"{self._symbol}","b":"{numbers.price(bid[0])}","B":"{numbers.quantity(bid[1])}",'
            f'"a":"{numbers.price(ask[0])}","A":"{numbers.quantity(ask[1])}"{tail}}}'
        )

    def mark(self, event: Marked) -> str:
        return (
            f'{{"e":"markPriceUpdate","E":{event.ts_us // self._scale},"s":"{self._symbol}","p":"{event.mark:.8f}",'
            f'"i":"{event.index:.8f}","P":"{event.index:.8f}","r":"{event.rate:.8f}",'
            f'"T":{event.next_funding_us // self._scale},"st":1}}'
        )

    def liquidation(self, event: Liquidated) -> str:
        at, side = event.ts_us // self._scale, "BUY" if event.side > 0 else "SELL"
        price, quantity = self._numbers.price(event.ticks), self._numbers.quantity(event.lots)
        return (
            f'{{"e":"forceOrder","E":{at},"o":{{"s":"{self._symbol}","S":"{side}","o":"LIMIT","f":"IOC","q":"{quantity}",'
            f'"p":"{price}","ap":"{price}","X":"FILLED","l":"{quantity}","z":"{quantity}","T":{at}}}}}'
        )

    def ticker(self, day: dict[str, Any], ts_us: int) -> str:
        parts = [f'"e":"24hrTicker","E":{ts_us // self._scale},"s":"{self._symbol}"']
        parts += [f'"{short}":"{day[name]}"' for short, name in _TICKER]
        if self._spot:
            parts.append(self._best(day, ts_us))
        parts += [f'"{short}":{day[name]}' for short, name in _COUNTS]
        return f"{{{','.join(parts)}}}" if self._spot else f'{{{",".join(parts)},"st":1}}'

    def mini_ticker(self, day: dict[str, Any], ts_us: int) -> str:
        parts = [f'"e":"24hrMiniTicker","E":{ts_us // self._scale},"s":"{self._symbol}"']
        parts += [f'"{short}":"{day[name]}"' for short, name in (*_MINI, ("q", "quoteVolume"))]
        return f"{{{','.join(parts)}}}"

    def _best(self, day: dict[str, Any], ts_us: int) -> str:
        """Spot tells the best prices, and the price before the day, besides."""
        numbers, book = self._numbers, self._tape.book.at(ts_us, 1)
        bid, ask = (side[0] if side else (0, 0) for side in (book.bids, book.asks))
        return (
            f'"x":"{day["openPrice"]}","b":"{numbers.price(bid[0])}","B":"{numbers.quantity(bid[1])}",'
            f'"a":"{numbers.price(ask[0])}","A":"{numbers.quantity(ask[1])}"'
        )

    def _pairs(self, levels: Levels) -> str:
        numbers = self._numbers
        pairs = [f'["{numbers.price(ticks)}","{numbers.quantity(lots)}"]' for ticks, lots in levels]
        return f"[{','.join(pairs)}]"
