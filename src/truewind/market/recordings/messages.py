"""Messages of recordings as columns: one entry a message, one a price level."""

from typing import Protocol

import numpy as np
import polars as pl

from truewind.market.recordings.lines import Line
from truewind.market.recordings.rows import SCHEMA

NONE = -1  # of an id or a time that the venue does not tell
Levels = list[tuple[str, str]]  # (price, quantity)


class Decoder(Protocol):
    """Sorts one venue's payloads into `messages`, and counts those that are no depth, trades or quotes in `others`.

    format: as reports call it. venue: "" if the rows must tell it.
    """

    format: str
    venue: str
    messages: "Messages"
    others: dict[str, int]

    def add(self, line: Line, source: str) -> None:
        """Take one line. Raises FormatError if it is no JSON, or no payload of this venue."""


def in_us(stamp: int) -> int:
    """A venue's stamp in µs: 13 digits are milliseconds, 16 microseconds. NONE for none."""
    if stamp <= 0:
        return NONE
    return stamp * 1000 if stamp < 10**14 else stamp


class Messages:
    """Columns of messages in the order in which they were received; `rows` makes one table of them."""

    def __init__(self) -> None:
        self._head: dict[str, list[int]] = {
            name: [] for name in ("recv_us", "event_us", "kind", "first", "id", "previous", "start")
        }
        self._symbol: list[str] = []
        self._source: list[str] = []
        self._side: list[int] = []
        self._price: list[str] = []
        self._quantity: list[str] = []

    def add(
        self,
        line: Line,
        source: str,
        symbol: str,
        kind: int,
        event: int,
        ids: tuple[int, int, int],
        bids: Levels,
        asks: Levels,
    ) -> None:
        """Append a message. event: the venue's time, ms or µs; ids: first, final, previous; −1 for none."""
        head = (line.recv_us, in_us(event), kind, *ids, len(self._price))
        for column, value in zip(self._head.values(), head, strict=True):
            column.append(value)
        self._symbol.append(symbol)
        self._source.append(f"{source}:{line.number}")
        for side, levels in ((1, bids), (-1, asks)):
            for price, quantity in levels:
                self._side.append(side)
                self._price.append(price)
                self._quantity.append(quantity)
        if not bids and not asks:  # it changes nothing, but the next update follows it
            self._side.append(0)
            self._price.append("0")
            self._quantity.append("0")

    def rows(self) -> pl.DataFrame:
        """One row a level or trade, as `recordings.rows` describes them."""
        start = np.array([*self._head["start"], len(self._price)], np.int64)
        message = np.repeat(np.arange(len(self._source)), np.diff(start))
        head = pl.DataFrame(
            {name: column for name, column in self._head.items() if name != "start"}
            | {"symbol": self._symbol, "source": self._source},
            schema_overrides={"kind": pl.Int8},
        )[message]
        return head.with_columns(
            pl.when(pl.col(name) >= 0).then(pl.col(name)).alias(name)
            for name in ("event_us", "first", "id", "previous")
        ).with_columns(
            pl.Series("side", self._side, pl.Int8),
            pl.Series("price", self._price, pl.String).cast(pl.Float64, strict=False),
            pl.Series("quantity", self._quantity, pl.String).cast(pl.Float64, strict=False),
        ).select(*SCHEMA)  # fmt: skip
