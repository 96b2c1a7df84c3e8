"""What the stream of mark prices means for a session on bars: mark bars, and funding when it has fallen due."""

import math
from collections.abc import Sequence

from truewind.domain.market import Funding
from truewind.market.stream.events import MarkPrice

Prices = tuple[float, float, float, float]
UNKNOWN: Prices = (math.nan,) * 4


class Marks:
    """Mark prices of several symbols, folded into the bars in which they were told. step_us: length of the bars."""

    def __init__(self, symbols: Sequence[str], step_us: int) -> None:
        self._step_us = step_us
        self._bars: dict[str, dict[int, Prices]] = {symbol: {} for symbol in symbols}
        self._last: dict[str, MarkPrice] = {}
        self._paid: dict[str, int] = {}

    def hear(self, event: MarkPrice) -> Funding | None:
        """A mark price was told; if that shows that funding has fallen due, by which rate and at which mark price.

        The stream tells the rate that the next funding would have, until the moment it has it.
        """
        bars, opened = self._bars[event.symbol], event.ts_event - event.ts_event % self._step_us
        price = event.mark_price
        first, high, low, _ = bars.get(opened, (price,) * 4)
        bars[opened] = first, max(high, price), min(low, price), price
        before = self._last.get(event.symbol)
        if before is not None and event.ts_event < before.ts_event:
            return None
        self._last[event.symbol] = event
        due = before.next_funding_ts if before is not None else 0
        paid = self._paid.get(event.symbol, 0)  # messages go on telling of a time that has come for a second or two
        if before is None or not paid < due <= event.ts_event or math.isnan(before.funding_rate):
            return None
        self._paid[event.symbol] = due
        return Funding(event.symbol, due, event.ts_recv, before.funding_rate, before.mark_price)

    def take(self, symbol: str, ts: int) -> Prices:
        """Open, high, low and close of the mark in the bar that opened at `ts`, NaN if none was told; those of earlier
        bars are forgotten."""
        bars = self._bars[symbol]
        found = bars.pop(ts, UNKNOWN)
        for opened in [opened for opened in bars if opened < ts]:
            del bars[opened]
        return found
