"""Data: which rows of the lake a run goes over, as a config says it."""

import re
from datetime import date, datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from truewind.config import Settings
from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import timeframe_us
from truewind.errors import ConfigError
from truewind.market.selection import UniverseSettings
from truewind.storage.schema import SeriesKey

_OF_VENUE = re.compile(r"([a-z][a-z0-9_]*):(.+)")


class DataSettings(Settings):
    """Which bars (with kind: trades, book or quotes: which of those) to run on.

    Of a universe the rows of a symbol begin with its first choice; `bar.member` is 1 while it is chosen and 0 after
    that. What is held of a symbol that is delisted is settled at its end.
    Bars before start, as far as they exist, warm the features up (until they are within 1e-9 of what a long history
    gives; what counts from its beginning gets all bars); the strategy does not see them.
    Margin goes by the mark, triggers by what the order says; where there is no bar of theirs, and in runs on trades,
    the traded prices stand in.
    """

    venue: str = Field(description="where the symbols are traded, as the lake names it")
    symbols: tuple[str, ...] = Field(
        default=(),
        description="of venue; one of another venue is written with it, binance:BTCUSDT, and called so in the run",
    )
    universe: UniverseSettings | None = Field(
        default=None, description="those that were listed and chosen at the time, of symbols only if both are given"
    )
    timeframe: str = Field(default="", description="length of the bars: 1m, 1h, 1d; none for trades and books")
    kind: Literal["bars", "trades", "book", "quotes"] = Field(default="bars", description="what the run goes over")
    exchange: str = Field(
        default="", description="code of a market with opening hours (ISO 10383), as XNYS, for features that read them"
    )
    start: str | None = Field(
        default=None, description="first moment, UTC; left out: all; earlier bars only warm the features up"
    )
    end: str | None = Field(default=None, description="last moment, itself excluded, UTC; left out: all")
    mark: Literal["auto", "last"] = Field(
        default="auto", description="auto: mark prices of the lake, where it has them; last: traded prices stand in"
    )
    index: Literal["auto", "last"] = Field(
        default="auto", description="auto: index prices of the lake, where it has them; last: traded prices stand in"
    )
    inner_timeframe: str = Field(
        default="", description="shorter bars on which orders are matched and margin is watched; empty: the same"
    )

    @property
    def on_book(self) -> bool:
        """Whether the run goes over displayed orders: a book, or its best prices."""
        return self.kind in ("book", "quotes")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # YAML reads 2024-01-01 as a date; an ISO text survives being written out and read again.
        return value.isoformat() if isinstance(value, (date, datetime)) else value

    @field_validator("symbols", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _of_something(self) -> "DataSettings":
        if not self.symbols and self.universe is None:
            raise ValueError("name at least one of symbols, or a universe")
        if self.universe is not None and self.kind != "bars":
            raise ValueError("a universe is of bars")
        if self.universe is not None and self.venues != (self.venue,):
            raise ValueError("a universe is of one venue: name symbols without one")
        if self.on_book and self.venues != (self.venue,):
            raise ValueError("a run on an order book is of venue: name the symbol without one")
        return self

    @model_validator(mode="after")
    def _of_one_kind(self) -> "DataSettings":
        if (self.kind == "bars") != bool(self.timeframe):
            raise ValueError("bars need a timeframe (1m, 5m, 1h …); trades and books have none")
        if self.inner_timeframe:
            if self.kind != "bars":
                raise ValueError("only bars have an inner_timeframe")
            if (
                timeframe_us(self.timeframe) % timeframe_us(self.inner_timeframe)
                or self.inner_timeframe == self.timeframe
            ):
                raise ValueError(f"inner_timeframe {self.inner_timeframe} does not divide timeframe {self.timeframe}")
        return self

    def key(self, symbol: str, kind: str = "", timeframe: str = "") -> SeriesKey:
        """The series of a symbol as the run names it: of its own kind and timeframe, or of others."""
        venue, plain = self._placed(symbol)
        return SeriesKey(kind or self.kind, venue, plain, timeframe or self.timeframe)

    @property
    def venues(self) -> tuple[str, ...]:
        """Those of its symbols."""
        return tuple(dict.fromkeys(self._placed(symbol)[0] for symbol in self.symbols)) or (self.venue,)

    def _placed(self, symbol: str) -> tuple[str, str]:
        """The venue of a symbol as the run names it, and what it is called there."""
        found = _OF_VENUE.fullmatch(symbol)
        return (found[1], found[2]) if found else (self.venue, symbol)

    def span_us(self) -> tuple[int | None, int | None]:
        """Start and end in µs. Raises ConfigError if end does not come after start."""
        start = None if self.start is None else parse_ts_us(self.start)
        end = None if self.end is None else parse_ts_us(self.end)
        if start is not None and end is not None and end <= start:
            raise ConfigError(
                f"data.end {self.end} does not come after data.start {self.start}", remedy="Exchange or mend them"
            )
        return start, end
