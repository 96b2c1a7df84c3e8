"""A bar while it grows, trade by trade."""

from typing import Any

import msgspec
import numpy as np
import orjson

from truewind.exchange import candles
from truewind.exchange.events import Traded
from truewind.exchange.tape import Tape

HIGH, LOW, CLOSE = 1, 2, 3


class KlineRow(msgspec.Struct):
    """What a kline message says. Texts as the venue writes them; first, last: trade ids, -1 without a trade.

    prices: open, high, low, close.
    """

    interval: str
    open_us: int
    close_us: int
    first: int
    last: int
    closed: bool
    prices: tuple[str, str, str, str]
    volume: str
    quote: str
    count: int
    bought: str
    bought_quote: str


class KlineState:
    """One symbol's current bar of one interval, from whatever time on it is watched."""

    def __init__(self, tape: Tape, interval: str, now_us: int) -> None:
        self._tape = tape
        self.interval = interval
        self.begin(candles.opens_us(interval, now_us))
        self._catch_up(now_us)

    def begin(self, open_us: int) -> None:
        """A new bar, in which nothing has happened."""
        self.open_us, self.close_us = open_us, candles.closes_us(self.interval, open_us)
        self.prices = [0, 0, 0, 0]
        self.lots = self.bought = self.count = 0
        self.quote = 0.0
        self.first = self.last = -1

    def add(self, trade: Traded) -> None:
        prices = self.prices
        if self.count == 0:
            prices[:] = [trade.ticks] * 4
            self.first = trade.id
        else:
            prices[HIGH] = max(prices[HIGH], trade.ticks)
            prices[LOW] = min(prices[LOW], trade.ticks)
            prices[CLOSE] = trade.ticks
        self.last = trade.id
        self.count += 1
        self.lots += trade.lots
        self.bought += trade.lots if trade.side > 0 else 0
        numbers = self._tape.numbers
        self.quote += trade.ticks * trade.lots * numbers.tick_size * numbers.lot_size

    def row(self) -> KlineRow:
        """As it is now."""
        numbers = self._tape.numbers
        open_, high, low, close = self.prices
        places = numbers.notional_decimals
        share = self.bought / self.lots if self.lots else 0.0
        return self._row(
            False,
            (numbers.price(open_), numbers.price(high), numbers.price(low), numbers.price(close)),
            (numbers.quantity(self.lots), f"{self.quote:.{places}f}", self.count),
            (numbers.quantity(self.bought), f"{self.quote * share:.{places}f}"),
        )

    def _row(
        self, closed: bool, prices: tuple[str, str, str, str], traded: tuple[str, str, int], bought: tuple[str, str]
    ) -> KlineRow:
        times = (self.interval, self.open_us, self.close_us, self.first, self.last)
        return KlineRow(*times, closed, prices, *traded, *bought)

    def finish(self) -> list[KlineRow]:
        """The finished bar, as REST gives it; none if the venue has no such bar."""
        if self.interval == "1s" and self._tape.base != "1s":
            bars = self._tape.seconds(self.open_us, self.close_us - 1)
        else:
            found = self._tape.klines(self.interval)
            at = int(np.searchsorted(found.ts, self.open_us))
            bars = found.bars[at : at + 1] if at < len(found.ts) and found.ts[at] == self.open_us else found.bars[:0]
        if not bars.height:
            return []
        values: list[Any] = orjson.loads(candles.written(bars, self.interval, self._tape.decimals())[0])
        prices = (values[1], values[2], values[3], values[4])
        return [self._row(True, prices, (values[5], values[7], values[8]), (values[9], values[10]))]

    def _catch_up(self, now_us: int) -> None:
        """What has happened in the bar so far."""
        bars = self._tape.partial(self.interval, now_us)
        if not bars.height:
            return
        numbers, bar = self._tape.numbers, bars.row(0, named=True)
        self.prices = [numbers.ticks(bar[name]) for name in ("open", "high", "low", "close")]
        self.lots, self.bought = numbers.lots(bar["volume"]), numbers.lots(bar["taker_buy_volume"])
        self.quote, self.count = float(bar["quote_volume"]), round(bar["trades"])
        first = self._tape.first_id(self.open_us, now_us)
        latest = self._tape.latest(1, now_us + 1)
        self.first, self.last = first, int(latest["id"][0]) if len(latest) and first >= 0 else -1
