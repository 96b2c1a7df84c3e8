"""Where a local exchange has its market from: the lake's series of a symbol, or the synthetic market's."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import polars as pl

from truewind.domain.book import BookKind
from truewind.domain.clock import WallClock
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, HOUR_US, timeframe_us
from truewind.errors import ConfigError, EmptyRangeError, UnknownSeriesError
from truewind.exchange.config import ExchangeConfig
from truewind.market.infer import infer_instrument, price_decimals, quantity_decimals
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.storage.lake import Lake
from truewind.storage.schema import KINDS, SeriesKey
from truewind.venues.binance.endpoints import SPOT, USDM

VENUES = {SPOT: "binance", USDM: "binance_usdm"}
_TRADED = ("bars", "trades", "book")
_TRADE = int(BookKind.TRADE)
_NO_HOURS = pl.DataFrame(schema={"ts": pl.Int64, "id": pl.Int64})


class Source(Protocol):
    """All that is known of one symbol; tables have the lake's columns.

    series: whole tables of a kind (and timeframe), empty where there is none. rows: of what is too long for memory
    (trades, book, quotes). timeframes: of its bars, shortest first. span: first and last ts of a kind. trade_hours: the
    hours with trades and the first id in each (ts as integers, id); empty if there are none.
    """

    about: Instrument

    def timeframes(self) -> list[str]: ...
    def span(self, kind: str) -> tuple[int, int] | None: ...
    def series(self, kind: str, timeframe: str = "") -> pl.DataFrame: ...
    def rows(self, kind: str, start_us: int, end_us: int) -> pl.DataFrame: ...
    def trade_hours(self) -> pl.DataFrame: ...


class Opened(msgspec.Struct, frozen=True):
    """Sources by market and symbol, and when the exchange opens (None: now)."""

    markets: Mapping[str, dict[str, Source]]
    start_us: int | None


def open_sources(config: ExchangeConfig) -> Opened:
    """What `config` says is traded. Raises ConfigError if a lake has nothing of Binance's markets."""
    return _open_lake(config) if config.lake is not None else _open_synthetic(config)


# ── the lake ────────────────────────────────────────────────────────────────────────────────────────────────────────


class LakeSource:
    def __init__(self, lake: Lake, about: Instrument, keys: list[SeriesKey], spans: dict[SeriesKey, tuple[int, int]]):
        self.about = about
        self._lake = lake
        self._keys = keys
        self._spans = spans

    def timeframes(self) -> list[str]:
        return sorted((key.timeframe for key in self._keys if key.kind == "bars"), key=timeframe_us)

    def span(self, kind: str) -> tuple[int, int] | None:
        kind = self._stored(kind)
        spans = [self._spans[key] for key in self._keys if key.kind == kind]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def series(self, kind: str, timeframe: str = "") -> pl.DataFrame:
        key = self._key(kind, timeframe)
        return _nothing(kind) if key is None else self._lake.read(key)

    def rows(self, kind: str, start_us: int, end_us: int) -> pl.DataFrame:
        key = self._key(self._stored(kind))
        if key is None:
            return _nothing(kind)
        try:
            rows = self._lake.read(key, start_us=start_us, end_us=end_us)
        except EmptyRangeError:
            return _nothing(kind)
        return rows if key.kind == kind else rows.filter(pl.col("kind") == _TRADE).select(_nothing(kind).columns)

    def trade_hours(self) -> pl.DataFrame:
        key = self._key(self._stored("trades"))
        if key is None:
            return _NO_HOURS
        hour = (pl.col("ts").to_physical() // HOUR_US * HOUR_US).alias("hour")
        rows = self._lake.scan(key)
        if key.kind == "book":
            rows = rows.filter(pl.col("kind") == _TRADE)
        given = "id" in rows.collect_schema()
        first = pl.col("id").min() if given else pl.len().cast(pl.Int64).alias("id")
        hours = rows.group_by(hour).agg(first).sort("hour").rename({"hour": "ts"}).collect()
        return hours if given else hours.with_columns(1 + pl.col("id").cum_sum() - pl.col("id"))

    def _stored(self, kind: str) -> str:
        """Where rows of a kind are: trades of a recording lie among the rows of its book."""
        return "book" if kind == "trades" and self._key("trades") is None else kind

    def _key(self, kind: str, timeframe: str = "") -> SeriesKey | None:
        for key in self._keys:
            if key.kind == kind and key.timeframe == timeframe:
                return key
        return None


def _open_lake(config: ExchangeConfig) -> Opened:
    lake = Lake(str(config.lake))
    markets: dict[str, dict[str, Source]] = {}
    for market, venue in VENUES.items():
        by_symbol: dict[str, list[SeriesKey]] = {}
        spans: dict[SeriesKey, tuple[int, int]] = {}
        for info in lake.series(venue=venue):
            if info.key.layer == "raw":
                by_symbol.setdefault(info.key.symbol, []).append(info.key)
                spans[info.key] = (info.start_us, info.end_us)
        markets[market] = {
            symbol: LakeSource(lake, _instrument(lake, venue, symbol, keys), keys, spans)
            for symbol, keys in by_symbol.items()
            if any(key.kind in _TRADED for key in keys)
        }
    if not any(markets.values()):
        raise ConfigError(
            f"The lake {config.lake} has nothing of venues {' and '.join(VENUES.values())}",
            remedy="Import or download some, or leave --lake out: then a synthetic market is traded",
        )
    return Opened(markets, config.start_us if config.start else _first_moment(markets))


def _instrument(lake: Lake, venue: str, symbol: str, keys: list[SeriesKey]) -> Instrument:
    """The lake's own, else one inferred from the rows."""
    try:
        return lake.instrument(venue, symbol)
    except UnknownSeriesError:
        key = min(keys, key=lambda key: _TRADED.index(key.kind) if key.kind in _TRADED else len(_TRADED))
        rows = lake.scan(key).head(10_000).collect()
        return infer_instrument(venue, symbol, price_decimals(rows), quantity_decimals(rows))


def _first_moment(markets: Mapping[str, Mapping[str, Source]]) -> int:
    """The last day of bars; of trades and books their begin, if they were recorded for less than that."""
    sources = [source for market in markets.values() for source in market.values()]
    begins = []
    for kind, most in (("book", DAY_US), ("trades", DAY_US), ("bars", 0)):
        spans = [span for source in sources if (span := source.span(kind))]
        if spans:
            first, last = min(span[0] for span in spans), max(span[1] for span in spans)
            if kind == "bars" or last - first <= most:
                begins.append(max(first, last // HOUR_US * HOUR_US - DAY_US) if kind == "bars" else first)
                break
    return begins[0] if begins else 0


def _nothing(kind: str) -> pl.DataFrame:
    return pl.DataFrame(schema=KINDS[kind].columns)


# ── the synthetic market ────────────────────────────────────────────────────────────────────────────────────────────


class SyntheticSource:
    """One symbol of the synthetic market, in a market object of its own: those keep one symbol at a time."""

    def __init__(self, config: SyntheticConfig, symbol: str, venue: str) -> None:
        self._market = SyntheticMarket(config.model_copy(update={"symbols": (symbol,)}))
        self._symbol = symbol
        self.about = msgspec.structs.replace(self._market.instruments()[0], venue=venue)

    def timeframes(self) -> list[str]:
        return ["1m"]

    def span(self, kind: str) -> tuple[int, int] | None:
        config = self._market.config
        has_funding = config.kind is Kind.PERPETUAL
        kinds = ("bars", "trades", "funding") if has_funding else ("bars", "trades")
        return (config.start_us, config.end_us - 1) if kind in kinds else None

    def series(self, kind: str, timeframe: str = "") -> pl.DataFrame:
        if kind == "bars" and timeframe == "1m":
            return self._market.bars(self._symbol, timeframe)
        if kind == "funding" and self._market.config.kind is Kind.PERPETUAL:
            return self._market.funding(self._symbol)
        return _nothing(kind)

    def rows(self, kind: str, start_us: int, end_us: int) -> pl.DataFrame:
        config = self._market.config
        if kind != "trades" or max(start_us, config.start_us) >= min(end_us, config.end_us):
            return _nothing(kind)
        return self._market.trades(self._symbol, start_us, end_us)

    def trade_hours(self) -> pl.DataFrame:
        hours = self._market.bars(self._symbol, "1h").select(
            pl.col("ts").to_physical(), pl.col("trades").cast(pl.Int64)
        )
        return hours.select("ts", id=1 + pl.col("trades").cum_sum() - pl.col("trades"))


_AHEAD_DAYS = 8  # how long an exchange at the wall's time can run


def _usual_market(now_us: int) -> SyntheticConfig:
    """From the month before this one until the end of the next: the same all month, however often it is opened."""
    this = datetime.fromtimestamp(now_us / 1e6, UTC).date().replace(day=1)
    before, after = (this - timedelta(days=1)).replace(day=1), (this + timedelta(days=62)).replace(day=1)
    return SyntheticConfig(start=before, days=(after - before).days)


def _open_synthetic(config: ExchangeConfig) -> Opened:
    start_us, wall_us = config.start_us, WallClock().now_us()
    wanted = config.synthetic or _usual_market(wall_us if start_us is None else start_us)
    if "start" not in wanted.model_fields_set and start_us is None:
        today = datetime.fromtimestamp(wall_us / 1e6, UTC).date()
        wanted = wanted.model_copy(
            update={"start": today - timedelta(days=wanted.days), "days": wanted.days + _AHEAD_DAYS}
        )
    elif start_us is None and config.synthetic is not None:
        start_us = wanted.end_us - DAY_US
    kinds = {SPOT: Kind.SPOT, USDM: Kind.PERPETUAL}
    return Opened(
        {
            market: {
                symbol: SyntheticSource(wanted.model_copy(update={"kind": kind}), symbol, VENUES[market])
                for symbol in wanted.symbols
            }
            for market, kind in kinds.items()
        },
        start_us,
    )
