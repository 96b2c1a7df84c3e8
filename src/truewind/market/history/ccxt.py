"""Any exchange of ccxt as a source: bars, trades, funding, open interest, mark and index bars, as far as it has them.

ccxt spaces the requests by the exchange's limits. What it raises becomes an error of ours in `_translated`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import polars as pl

from truewind import log
from truewind.domain.clock import WallClock
from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import HOUR_US, timeframe_name, timeframe_us
from truewind.errors import (
    ConfigError,
    InstrumentError,
    LimitedError,
    ProtocolError,
    RejectedError,
    UnknownSeriesError,
    UnreachableError,
    suggest,
)
from truewind.market.history.ccxt_markets import contract_size, instrument_of, market_of, split_venue
from truewind.market.history.ccxt_rules import Rule, exchange, rule
from truewind.market.history.provider import Chunk, DataProvider, Offer
from truewind.storage.schema import KINDS, TS, SeriesKey
from truewind.venues.binance.hosts import MAINNET, TESTNET, Hosts

_PRICES = {"bars": None, "mark_bars": "mark", "index_bars": "index", "premium_index": "premiumIndex"}
_HAS = {
    "bars": "fetchOHLCV",
    "mark_bars": "fetchMarkOHLCV",
    "index_bars": "fetchIndexOHLCV",
    "premium_index": "fetchPremiumIndexOHLCV",
    "trades": "fetchTrades",
    "funding": "fetchFundingRateHistory",
    "open_interest": "fetchOpenInterestHistory",
}
_CONTRACTS_ONLY = {kind for kind in _HAS if kind not in ("bars", "trades")}
_INTEREST_EVERY = {HOUR_US // 12: "5m", HOUR_US: "1h"}
_OHLCV = ("ts", "open", "high", "low", "close", "volume")
_TRIES, _PAUSE_MS = 4, 1000


def ccxt_provider(venue: str, where: Hosts) -> DataProvider:
    """The source of a venue through ccxt. Raises ConfigError if ccxt has no such exchange, or is not installed."""
    return CcxtProvider(venue, where)


def _ccxt() -> Any:
    try:
        import ccxt.async_support
    except ImportError:
        raise ConfigError("Other exchanges need ccxt", remedy="pip install 'truewind[ccxt]'") from None
    return ccxt.async_support


class CcxtProvider(DataProvider):
    """One exchange of ccxt. venue: its name there, with a type of market where symbols need it (`bybit_swap`).

    where: the test network or a local server instead of the exchange. now_us: what time it is.
    """

    def __init__(self, venue: str, where: Hosts = MAINNET, now_us: Callable[[], int] | None = None) -> None:
        self.name, self.venue = "ccxt", venue
        self.exchange, kind = split_venue(venue)
        library = _ccxt()
        if self.exchange not in library.exchanges:
            raise ConfigError(
                f"ccxt has no exchange '{self.exchange}'", remedy=suggest(self.exchange, library.exchanges)
            )
        self._now_us = now_us or WallClock().now_us
        self._where = where
        self._client = self._make(library)
        has = {kind for kind, method in _HAS.items() if self._client.has.get(method)}
        has -= _CONTRACTS_ONLY if kind == "spot" else set()
        refused = exchange(self.exchange).refuses
        timeframes = tuple(name for name in self._client.timeframes or {} if _is_ours(name))
        self.offers = [
            Offer(
                kind,
                timeframes if KINDS[kind].has_timeframe else (),
                known.reach,
                known.holes,
                known.lacks,
            )
            for kind in _HAS
            if kind in has and kind not in refused
            for known in [rule(self.exchange, kind)]
        ]
        self.refuses = dict(refused)

    def _make(self, library: Any) -> Any:
        client = getattr(library, self.exchange)({"enableRateLimit": True, "enableLastJsonResponse": True})
        client.has["fetchCurrencies"] = False  # needs a key at most exchanges, and nobody asks
        client.options["fetchMargins"] = False
        if types := exchange(self.exchange).markets:
            client.options["fetchMarkets"] = {"types": list(types)}
        if self._where is TESTNET:
            client.set_sandbox_mode(True)
        elif self._where is not MAINNET:
            client.urls["api"] = {name: _moved(url, self._where) for name, url in client.urls["api"].items()}
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def fetch(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        market = await self._market(key.symbol)
        if market["spot"] and key.kind in _CONTRACTS_ONLY:
            return
        known = rule(self.exchange, key.kind)
        step = key.step_us or known.step_us
        now = self._now_us()
        # A bar that is not over, and rows that the exchange may still add to, are left to the next time.
        end = min(end_us, now // step * step if key.timeframe else now)
        start = max(start_us, now - known.reach_us) if known.reach_us else start_us
        with _translated(self.exchange):
            async for low, high, rows in _PAGES[known.paging](self, key, market, known, start, end):
                yield Chunk(low, high, _table(key, rows, market), f"ccxt {self.exchange}")

    async def instruments(self, symbols: Collection[str]) -> list[Instrument]:
        made = []
        for symbol in symbols:
            market = await self._market(symbol)
            try:
                made.append(instrument_of(market, self.venue, self._client.precisionMode))
            except InstrumentError as error:  # its rows may be had all the same
                log.get("data").warning("instrument", venue=self.venue, symbol=symbol, error=error.message)
        return made

    async def _market(self, symbol: str) -> Mapping[str, Any]:
        if not self._client.markets:
            await self._ask(self._client.load_markets)
        return market_of(self._client.markets, self.venue, symbol)

    async def _ask(self, method: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """One request of ccxt, again after a pause where the network or a limit was in the way."""
        for left in reversed(range(_TRIES)):
            try:
                with _translated(self.exchange):
                    reply = await method(*args, **named)
                if not reply and self._client.last_json_response is None:  # ccxt takes what is no JSON for nothing
                    raise ProtocolError(f"{self.exchange} answered with something that is no JSON", remedy="Try again")
                return reply
            except (UnreachableError, LimitedError):
                if not left:
                    raise
                await self._client.sleep(_PAUSE_MS * 2 ** (_TRIES - 1 - left))
        raise AssertionError("unreachable")

    async def page(
        self, key: SeriesKey, market: Mapping[str, Any], start_us: int, end_us: int | None, limit: int
    ) -> list[Any]:
        """One page of rows from start_us on (to end_us, excluded, where it is told), as ccxt gives them."""
        client, symbol, since = self._client, market["symbol"], start_us // 1000
        params: dict[str, Any] = {} if end_us is None else {"until": end_us // 1000 - 1}
        if key.kind in _PRICES:
            if price := _PRICES[key.kind]:
                params["price"] = price
            rows = await self._ask(client.fetch_ohlcv, symbol, key.timeframe, since, limit, params)
        elif key.kind == "trades":
            rows = await self._ask(client.fetch_trades, symbol, since, limit, params)
        elif key.kind == "funding":
            if self.exchange == "okx" and end_us is not None:
                params = {"after": end_us // 1000}  # excluded; ccxt does not tell it
            rows = await self._ask(client.fetch_funding_rate_history, symbol, since, limit, params)
        else:
            every = _INTEREST_EVERY[rule(self.exchange, key.kind).step_us]
            rows = await self._ask(client.fetch_open_interest_history, symbol, every, since, limit, params)
        return list(rows)

    async def newest(self, key: SeriesKey, market: Mapping[str, Any], limit: int) -> list[Any]:
        """The exchange's one page of a series."""
        if key.kind == "trades":
            return list(await self._ask(self._client.fetch_trades, market["symbol"], None, limit))
        return list(await self._ask(self._client.fetch_ohlcv, market["symbol"], key.timeframe, None, limit))

    async def kraken_trades(self, market: Mapping[str, Any], token: str) -> tuple[list[Any], str]:
        """Trades after a token (ns), and the token of what follows: ccxt's own paging rounds it to seconds."""
        reply = await self._ask(self._client.publicGetTrades, {"pair": market["id"], "since": token, "count": 1000})
        result = reply["result"]
        with _translated(self.exchange):
            rows = [
                {
                    "id": str(row[6]) if len(row) > 6 else None,
                    "timestamp": round(float(row[2]) * 1e6) / 1000,  # ccxt would cut it to milliseconds
                    "price": float(row[0]),
                    "amount": float(row[1]),
                    "side": {"b": "buy", "s": "sell"}.get(row[3]),
                }
                for row in result.get(market["id"]) or []
            ]
            return rows, str(result["last"])

    async def okx_trades(self, market: Mapping[str, Any], **after: str) -> list[Any]:
        """Up to 100 trades before a time (type 2) or a number (type 1), the newest first at the exchange."""
        method = {"method": "publicGetMarketHistoryTrades"}
        return list(await self._ask(self._client.fetch_trades, market["symbol"], None, 100, method | after))


def _is_ours(timeframe: str) -> bool:
    """Whether it has a fixed length and is written as we write it."""
    return timeframe[-1] in "smhdw" and timeframe_name(timeframe_us(timeframe)) == timeframe


def _moved(url: Any, where: Hosts) -> Any:
    """An address of an exchange on a local server: its path there, futures on the port of futures."""
    if not isinstance(url, str):
        return url
    base = where.usdm_rest if urlsplit(url).netloc.startswith("fapi") else where.spot_rest
    return base + urlsplit(url).path


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """The one place where errors of ccxt become ours."""
    from ccxt.base import errors

    try:
        yield
    except errors.BaseError as error:
        words = " ".join(str(error).split())[:300]
        if isinstance(error, (errors.RateLimitExceeded, errors.DDoSProtection)):
            raise LimitedError(f"{name}: too many requests: {words}", remedy="Wait a minute, then go on") from None
        if isinstance(error, (errors.BadResponse, errors.NullResponse)):
            raise ProtocolError(f"{name} answered what ccxt cannot read: {words}", remedy="Update ccxt") from None
        if isinstance(error, errors.NetworkError):
            raise UnreachableError(f"{name} cannot be reached: {words}", remedy="Check the connection") from None
        if isinstance(error, errors.BadSymbol):
            raise UnknownSeriesError(f"{name}: {words}", remedy="Check the symbol") from None
        raise RejectedError(f"{name} refused: {words}", remedy="See what it says") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ProtocolError(
            f"{name} answered in a shape that ccxt does not know: {type(error).__name__} {error}", remedy="Update ccxt"
        ) from None


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Page = tuple[int, int, list[Any]]  # from, to (excluded), rows


def _us(row: Any) -> int:
    stamp = row[0] if isinstance(row, list) else row["timestamp"]
    if not isinstance(stamp, (int, float)):
        raise ProtocolError("A row has no time", remedy="Update ccxt")
    return round(stamp * 1000)


def _within(rows: Iterable[Any], start_us: int, end_us: int) -> list[Any]:
    return sorted((row for row in rows if start_us <= _us(row) < end_us), key=_us)


async def _windows(
    source: CcxtProvider, key: SeriesKey, market: Mapping[str, Any], known: Rule, start: int, end: int
) -> AsyncIterator[Page]:
    """Windows that hold at most one page, whichever way the exchange sorts and cuts."""
    span = known.limit * (key.step_us or known.step_us)
    for low in range(start, end, span):
        high = min(low + span, end)
        rows = await source.page(key, market, low, high, known.limit)
        yield low, high, _within(rows, low, high)


async def _recent(
    source: CcxtProvider, key: SeriesKey, market: Mapping[str, Any], known: Rule, start: int, end: int
) -> AsyncIterator[Page]:
    """One page: what it begins with may be cut, so it is the whole answer from just after its first row's time."""
    rows = await source.newest(key, market, known.limit)
    if rows:
        first = min(map(_us, rows))
        low = max(start, first if key.timeframe else first + 1)
        high = min(end, max(map(_us, rows)) + (key.step_us or 1))
        if low < high:
            yield low, high, _within(rows, low, high)


async def _tokens(
    source: CcxtProvider, key: SeriesKey, market: Mapping[str, Any], known: Rule, start: int, end: int
) -> AsyncIterator[Page]:
    """Forward by tokens. Of a page's last microsecond more may follow: it is asked for again."""
    low, token = start, str(start * 1000 - 1)
    held: list[Any] = []
    while low < end:
        rows, following = await source.kraken_trades(market, token)
        held += rows
        if int(following) < int(token):
            raise ProtocolError(f"{key}: the next page would begin before this one", remedy="Try again later")
        over = not rows or following == token
        high = end if over else min(end, int(following) // 1000)
        if high > low:
            yield low, high, _within(held, low, high)
            held = []
        only = not over and high == low  # a page within one microsecond
        low, token = high, following if only else str(high * 1000 - 1)


async def _ids(
    source: CcxtProvider, key: SeriesKey, market: Mapping[str, Any], known: Rule, start: int, end: int
) -> AsyncIterator[Page]:
    """Hour by hour, each walked back from its end: first by time, then by the number of the oldest trade seen."""
    for low in range(start, end, HOUR_US):
        high = min(low + HOUR_US, end)
        rows = page = await source.okx_trades(market, type="2", after=str(high // 1000))
        oldest: int | None = None
        while page and min(map(_us, page)) >= low:
            before, oldest = oldest, min(int(row["id"]) for row in page)
            if before is not None and oldest >= before:
                raise ProtocolError(f"{key}: the page before holds no older trades", remedy="Try again later")
            page = await source.okx_trades(market, type="1", after=str(oldest))
            rows = page + rows
        yield low, high, _within(rows, low, high)


async def _since(
    source: CcxtProvider, key: SeriesKey, market: Mapping[str, Any], known: Rule, start: int, end: int
) -> AsyncIterator[Page]:
    """Forward from a time, which many an exchange ignores: of time before the first row nothing is claimed."""
    low, proven = start, False
    while low < end:
        rows = await source.page(key, market, low, None, known.limit)
        inside = _within(rows, low, end)
        if not inside:
            if proven and not any(_us(row) < low for row in rows):
                yield low, end, []
            return
        first, last = _us(inside[0]), _us(inside[-1])
        if any(_us(row) >= end for row in rows):
            high = end
        elif key.timeframe or first == last:
            high = min(end, last + (key.step_us or 1))
        else:
            high = last  # rows of the last time may be cut off
        yield low if proven else first, high, _within(inside, low, high)
        low, proven = high, True


_PAGES: Mapping[str, Callable[..., AsyncIterator[Page]]] = {
    "window": _windows,
    "recent": _recent,
    "tokens": _tokens,
    "ids": _ids,
    "since": _since,
}


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(key: SeriesKey, rows: list[Any], market: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of ccxt as the lake's. Raises ProtocolError for values of a wrong type."""
    try:
        if key.timeframe:
            return _bars(key, rows)
        if key.kind == "trades":
            return _trades(rows, contract_size(market))
        if key.kind == "funding":
            columns = {"ts": [_us(row) for row in rows], "rate": [row["fundingRate"] for row in rows]}
            return _typed(columns)
        return _interest(rows, market)
    except (TypeError, ValueError, KeyError, IndexError, pl.exceptions.PolarsError) as error:
        raise ProtocolError(f"{key}: a row cannot be read: {error}", remedy="Update ccxt", series=str(key)) from None


def _typed(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    numbers = {name: pl.Float64() for name in columns if name != "ts"}
    return pl.DataFrame(columns, schema_overrides={"ts": pl.Int64, **numbers}, strict=False).with_columns(
        pl.col("ts").cast(TS)
    )


def _bars(key: SeriesKey, rows: list[Any]) -> pl.DataFrame:
    known = KINDS[key.kind].columns
    columns = {name: [row[i] for row in rows] for i, name in enumerate(_OHLCV) if name in known}
    columns["ts"] = [_us(row) for row in rows]
    if key.kind != "bars":
        columns.pop("volume", None)
    return _typed(columns)


def _trades(rows: list[Any], size: float) -> pl.DataFrame:
    seen: dict[Any, Any] = {}
    for number, row in enumerate(rows):
        seen.setdefault(row["id"] or number, row)
    rows = list(seen.values())
    table = _typed(
        {
            "ts": [_us(row) for row in rows],
            "price": [row["price"] for row in rows],
            "quantity": [row["amount"] * size for row in rows],
        }
    )
    sides = pl.Series("side", [{"buy": 1, "sell": -1}.get(row["side"]) for row in rows], pl.Int8)
    ids = pl.Series("id", [row["id"] for row in rows], pl.String).cast(pl.Int64, strict=False)
    table = table.with_columns(sides)
    # Numbers that are no numbers: rows are told apart by time and order.
    return table.with_columns(ids) if ids.null_count() == 0 else table


def _interest(rows: list[Any], market: Mapping[str, Any]) -> pl.DataFrame:
    size = contract_size(market)
    amounts = [row["openInterestAmount"] for row in rows]
    values = [row["openInterestValue"] for row in rows]
    if market.get("inverse"):
        amounts = [value if amount is None else amount for amount, value in zip(amounts, values, strict=True)]
        values = [None] * len(rows)
    scaled = [None if amount is None else amount * size for amount in amounts]
    table = _typed({"ts": [_us(row) for row in rows], "open_interest": scaled, "open_interest_value": values})
    return table.filter(pl.col("open_interest").is_not_null())
