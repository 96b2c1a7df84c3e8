"""US equities by Alpaca (alpaca-py): bars, trades, quotes, dividends and splits, unadjusted.

Keys come from the environment, TRUEWIND_ALPACA_KEY and TRUEWIND_ALPACA_SECRET, and are never shown. Source of names and
rules: docs.alpaca.markets, "Historical stock data" and "Corporate actions". Pages of up to 10,000 rows follow each
other by tokens; of a page's last moment more rows may follow.

Reported trades do not say who was the aggressor: sides are inferred by the tick rule (higher than before: bought),
begun anew each day, so that they do not depend on where a download began.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from truewind.domain.clock import WallClock
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, SECOND_US
from truewind.errors import ConfigError, LimitedError, ProtocolError, RejectedError, UnreachableError
from truewind.market.history.provider import Chunk, DataProvider, Offer
from truewind.market.history.sides import with_sides
from truewind.storage.schema import TS, SeriesKey
from truewind.venues.binance.hosts import MAINNET, TESTNET, Hosts
from truewind.venues.binance.signing import Secret

KEY, SECRET = "TRUEWIND_ALPACA_KEY", "TRUEWIND_ALPACA_SECRET"
ZONE = "America/New_York"
_TIMEFRAMES = {"1m": "1Min", "5m": "5Min", "15m": "15Min", "30m": "30Min", "1h": "1Hour", "1d": "1Day"}
_REACH = "since 2016"
_PAGE = 10_000
_CANCELLED = ("canceled", "incorrect")
_Rows = list[dict[str, Any]]


def alpaca_provider(venue: str, where: Hosts) -> DataProvider:
    """The source of venue `alpaca`."""
    return Alpaca(venue, where)


class Alpaca(DataProvider):
    """US equities. where: a local server instead of Alpaca, or its sandbox. now_us: what time it is."""

    name = "alpaca"
    offers = (
        Offer("bars", tuple(_TIMEFRAMES), _REACH, lacks="bars without trades; prices are not adjusted"),
        Offer("trades", reach=_REACH, lacks="the aggressor: sides are inferred by the tick rule; ids"),
        Offer("quotes", reach=_REACH, lacks="depth; sizes as the tape tells them (round lots until November 2025)"),
        Offer("dividends", reach="since 2020", lacks="what was announced later than it was due"),
        Offer("splits", reach="since 2020", lacks="spin-offs and mergers"),
    )

    def __init__(self, venue: str, where: Hosts = MAINNET, now_us: Callable[[], int] | None = None) -> None:
        self.venue = venue
        self._where = where
        self._now_us = now_us or WallClock().now_us
        self._client: Any = None

    def _connected(self) -> Any:
        """The client, made when it is first needed: other sources of a job shall not fail for want of a key."""
        if self._client is not None:
            return self._client
        try:
            from alpaca.data.historical import StockHistoricalDataClient
        except ImportError:
            raise ConfigError("US equities need alpaca-py", remedy="pip install 'truewind[alpaca]'") from None
        key, secret = (Secret(os.environ.get(name, "")) for name in (KEY, SECRET))
        if not key.reveal() or not secret.reveal():
            raise ConfigError(
                "Alpaca gives nothing without a key", remedy=f"Set {KEY} and {SECRET}; a free one will do"
            )
        local = self._where.spot_rest if self._where not in (MAINNET, TESTNET) else None
        self._client = StockHistoricalDataClient(
            key.reveal().decode(),
            secret.reveal().decode(),
            raw_data=True,
            url_override=local,
            sandbox=self._where is TESTNET,
        )
        return self._client

    async def fetch(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        now = self._now_us()
        end = min(end_us, now // key.step_us * key.step_us if key.timeframe else now)
        if start_us >= end:
            return
        if key.kind in ("dividends", "splits"):
            rows = [row async for page in self._actions(key, start_us, end) for row in page]
            yield Chunk(start_us, end, _actions(key.kind, rows, start_us, end), "alpaca corporate-actions")
            return
        async for low, high, table in self._pages(key, start_us, end):
            yield Chunk(low, high, table, f"alpaca stocks/{key.kind}")

    async def instruments(self, symbols: Collection[str]) -> list[Instrument]:
        """US equities trade in cents and in whole shares: these rules hold for all of them priced from a dollar."""
        cent, share = Decimal("0.01"), Decimal(1)
        return [
            Instrument(
                symbol=symbol,
                venue=self.venue,
                kind=Kind.EQUITY,
                base=symbol,
                quote="USD",
                tick_size=cent,
                lot_size=share,
                calendar="us_equities",
            )
            for symbol in symbols
        ]

    async def _pages(self, key: SeriesKey, start: int, end: int) -> AsyncIterator[tuple[int, int, pl.DataFrame]]:
        daily = key.timeframe == "1d"
        # Days are asked for by their date in New York; trades from the day's beginning, for their sides.
        first = start - DAY_US if daily else start // DAY_US * DAY_US if key.kind == "trades" else start
        asked: dict[str, Any] = {"symbols": key.symbol, "start": _rfc3339(first), "end": _rfc3339(end), "limit": _PAGE}
        if key.kind == "bars":
            asked |= {"timeframe": _TIMEFRAMES[key.timeframe], "adjustment": "raw"}
        low, token, held = start, None, pl.DataFrame()
        last: pl.DataFrame | None = None
        while True:
            reply = await self._get(f"/stocks/{key.kind}", asked | ({"page_token": token} if token else {}))
            page = (reply.get(key.kind) or {}).get(key.symbol) or []
            token = _following(reply, token)
            table = _read(key, page)
            if key.kind == "trades":
                table, last = with_sides(table, last)
            held = pl.concat([held, table], how="diagonal") if held.height else table
            high = end if not token else min(end, int(held["ts"].to_physical().to_numpy().max(initial=low)))
            if high > low:
                times = held["ts"].to_physical()
                yield low, high, held.filter((times >= low) & (times < high))
                held, low = held.filter(times >= high), high
            if not token:
                return

    async def _actions(self, key: SeriesKey, start: int, end: int) -> AsyncIterator[_Rows]:
        kinds = {"dividends": ("cash_dividends",), "splits": ("forward_splits", "reverse_splits")}[key.kind]
        asked: dict[str, Any] = {
            "symbols": key.symbol,
            "types": ",".join(kind.removesuffix("s") for kind in kinds),
            "start": _rfc3339(start)[:10],
            "end": _rfc3339(end)[:10],
            "limit": 1000,
        }
        token = None
        while True:
            reply = await self._get("/corporate-actions", asked | ({"page_token": token} if token else {}), "v1")
            found = reply.get("corporate_actions") or {}
            yield [row for kind in kinds for row in found.get(kind) or []]
            token = _following(reply, token)
            if not token:
                return

    async def _get(self, path: str, parameters: Mapping[str, Any], version: str = "v2") -> dict[str, Any]:
        client = self._connected()

        def ask() -> Any:
            with _translated():
                return client.get(path, dict(parameters), api_version=version)

        reply = await asyncio.to_thread(ask)
        if not isinstance(reply, dict):
            raise ProtocolError("Alpaca answered something else than its documents say", remedy="Try again later")
        return reply


@contextmanager
def _translated() -> Iterator[None]:
    """The one place where errors of alpaca-py, and of requests below it, become ours. They may quote a header: ours
    tell the status and the server's own words only.
    """
    import requests
    from alpaca.common.exceptions import APIError

    try:
        yield
    except APIError as error:
        status = error.status_code or 0
        words = " ".join(str(error).split())[:200]
        if status == 429:
            raise LimitedError("Alpaca: too many requests", remedy="Wait a minute, then go on", status=status) from None
        if status >= 500:
            raise UnreachableError(f"Alpaca has trouble of its own: HTTP {status}", remedy="Try again later") from None
        if status in (401, 403):
            raise RejectedError(
                f"Alpaca refused the key, or what was asked is beyond its subscription: {words}",
                remedy=f"Check {KEY} and {SECRET}, or ask for data older than 15 minutes",
                status=status,
            ) from None
        raise RejectedError(
            f"Alpaca refused: {words}", remedy="Check the symbol and the times", status=status
        ) from None
    except requests.exceptions.JSONDecodeError:
        raise ProtocolError("Alpaca answered with something that is no JSON", remedy="Try again later") from None
    except requests.exceptions.RequestException as error:
        raise UnreachableError(
            f"Alpaca cannot be reached: {type(error).__name__}", remedy="Check the connection"
        ) from None


def _following(reply: Mapping[str, Any], token: str | None) -> str | None:
    """The token of the page after this one, None after the last. Raises ProtocolError if it is this one's own."""
    following = reply.get("next_page_token")
    if following and following == token:
        raise ProtocolError("Alpaca's next page is this one again", remedy="Try again later")
    return str(following) if following else None


def _rfc3339(ts_us: int) -> str:
    return datetime.fromtimestamp(ts_us / SECOND_US, UTC).isoformat().replace("+00:00", "Z")


def _read(key: SeriesKey, rows: _Rows) -> pl.DataFrame:
    """A page's rows as the lake's. Raises ProtocolError for one without its fields."""
    try:
        if key.kind == "trades":
            rows = [row for row in rows if row.get("u") not in _CANCELLED]
        columns: dict[str, list[Any]] = {"ts": [row["t"] for row in rows]}
        for ours, theirs in _FIELDS[key.kind].items():
            columns[ours] = [float(row[theirs]) for row in rows]
        if key.kind == "bars":
            columns["quote_volume"] = [float(row["vw"]) * float(row["v"]) if "vw" in row else None for row in rows]
            columns["trades"] = [row.get("n") for row in rows]
        numbers = {name: pl.Float64() for name in columns if name != "ts"}
        table = pl.DataFrame(columns, schema={"ts": pl.String(), **numbers}, strict=False)
        return table.with_columns(_times(key.timeframe == "1d"))
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise ProtocolError(f"{key}: a row of Alpaca cannot be read: {error}", remedy="Update truewind") from None


_FIELDS: Mapping[str, Mapping[str, str]] = {
    "bars": {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"},
    "trades": {"price": "p", "quantity": "s"},
    "quotes": {"bid": "bp", "bid_quantity": "bs", "ask": "ap", "ask_quantity": "as"},
}


def _times(daily: bool) -> pl.Expr:
    """RFC 3339 with up to nine digits; of days the date in New York, as midnight UTC."""
    ts = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns").dt.cast_time_unit("us")
    if daily:
        ts = ts.dt.replace_time_zone("UTC").dt.convert_time_zone(ZONE).dt.date().cast(pl.Datetime("us"))
    return ts.dt.replace_time_zone("UTC").cast(TS).alias("ts")


def _actions(kind: str, rows: _Rows, start_us: int, end_us: int) -> pl.DataFrame:
    """Dividends of one day added up; splits as new shares for an old one. Raises ProtocolError."""
    name = {"dividends": "dividend", "splits": "split"}[kind]
    found: dict[int, float] = {}
    try:
        for row in rows:
            day = datetime.fromisoformat(row["ex_date"]).replace(tzinfo=UTC)
            ts = round(day.timestamp()) * SECOND_US
            if not start_us <= ts < end_us:
                continue
            if kind == "dividends":
                found[ts] = found.get(ts, 0.0) + float(row["rate"])
            else:
                found[ts] = float(row["new_rate"]) / float(row["old_rate"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ProtocolError(f"A corporate action of Alpaca cannot be read: {error}", remedy="Update truewind") from None
    table = pl.DataFrame({"ts": list(found), name: list(found.values())}, schema={"ts": pl.Int64, name: pl.Float64})
    return table.sort("ts").with_columns(pl.col("ts").cast(TS))
