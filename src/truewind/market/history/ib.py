"""Shares, currencies and indices by Interactive Brokers (ib_async): bars, and ticks of trades and quotes.

TWS or IB Gateway must run, with its API switched on, at TRUEWIND_IB (host:port, 127.0.0.1:4001 if not set); who is
logged in there decides what data may be had. Symbols: `AAPL` a share in USD, `EUR.USD` a currency pair, `^SPX@CBOE` an
index.

Source of names and rules: the TWS API's pages on historical bars, historical ticks and pacing. Bars are asked for
window by window, each by its end and length. Ticks come forward, 1,000 at a time, with times to the second; of a page's
last second more may follow. Of ticks no more than 60 requests may be made in ten minutes. Currencies have no trades:
their bars are of the middle, without volume. Sides of trades are inferred by the tick rule (`sides`).
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from truewind.domain.clock import WallClock, parse_ts_us
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, SECOND_US
from truewind.errors import (
    ConfigError,
    LimitedError,
    ProtocolError,
    RejectedError,
    UnknownSeriesError,
    UnreachableError,
)
from truewind.market.history.provider import Chunk, DataProvider, Offer
from truewind.market.history.sides import with_sides
from truewind.storage.schema import TS, SeriesKey
from truewind.venues.binance.hosts import MAINNET, TESTNET, Hosts

ADDRESS = "TRUEWIND_IB"
_LIVE, _PAPER = "127.0.0.1:4001", "127.0.0.1:4002"
_CLIENT = 717
_PATIENCE_S = 60.0
_BARS = {
    "1m": "1 min",
    "5m": "5 mins",
    "15m": "15 mins",
    "30m": "30 mins",
    "1h": "1 hour",
    "4h": "4 hours",
    "1d": "1 day",
}
# How much one request may ask for, in days ("Historical Bar Data: step sizes").
_SPAN_DAYS = {"1m": 1, "5m": 7, "15m": 14, "30m": 28, "1h": 28, "4h": 28, "1d": 365}
_TICKS = 1000
_REQUESTS, _WITHIN_S = 60, 600.0
_NO_DATA, _NO_CONTRACT, _HISTORICAL = "no data", 200, 162


def ib_provider(venue: str, where: Hosts) -> DataProvider:
    """The source of venue `ib`. where: the test network is the paper account's Gateway."""
    default = {MAINNET: _LIVE, TESTNET: _PAPER}.get(where, where.spot_rest.removeprefix("http://"))
    return InteractiveBrokers(venue, os.environ.get(ADDRESS) or default)


class Pace:
    """No more than so many requests in so many seconds: `await turn()` before each."""

    def __init__(
        self,
        requests: int = _REQUESTS,
        within_s: float = _WITHIN_S,
        now_s: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._requests, self._within_s, self._sleep = requests, within_s, sleep
        self._now_s = now_s or (lambda: WallClock().now_us() / SECOND_US)
        self._made: deque[float] = deque()

    async def turn(self) -> None:
        """Wait until one more may be made."""
        while len(self._made) >= self._requests:
            wait = self._made[0] + self._within_s - self._now_s()
            if wait > 0:
                await self._sleep(wait)
            else:
                self._made.popleft()
        self._made.append(self._now_s())


class InteractiveBrokers(DataProvider):
    """What TWS or IB Gateway at `address` (host:port) gives. now_us: what time it is; pace: of requests for ticks."""

    name = "ib"
    offers = (
        Offer("bars", tuple(_BARS), "years, by subscription", lacks="volume of currencies and indices"),
        Offer(
            "trades", reach="years, by subscription", lacks="fractions of a second; the aggressor: the tick rule; ids"
        ),
        Offer("quotes", reach="years, by subscription", lacks="fractions of a second; depth"),
    )

    def __init__(
        self, venue: str, address: str = _LIVE, now_us: Callable[[], int] | None = None, pace: Pace | None = None
    ) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise ConfigError(
                f"'{address}' is no address of TWS or IB Gateway", remedy="Write host:port, as 127.0.0.1:4001"
            )
        self.venue, self._host, self._port = venue, host, int(port)
        self._now_us, self._pace = now_us or WallClock().now_us, pace or Pace()
        self._ib: Any = None
        self._connecting = asyncio.Lock()

    async def _connected(self) -> Any:
        """The connection, made when it is first needed: other sources of a job shall not fail for want of a broker."""
        async with self._connecting:
            if self._ib is None:
                try:
                    import ib_async
                except ImportError:
                    raise ConfigError(
                        "Interactive Brokers needs ib_async", remedy="pip install 'truewind[ib]'"
                    ) from None
                made = ib_async.IB()
                made.RaiseRequestErrors = True
                with _translated():
                    await made.connectAsync(
                        self._host, self._port, _CLIENT, readonly=True, fetchFields=ib_async.ib.StartupFetch(0)
                    )
                self._ib = made
            return self._ib

    async def __aexit__(self, *_: object) -> None:
        if self._ib is not None and self._ib.isConnected():
            self._ib.disconnect()

    async def fetch(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        contract = _contract(key.symbol)
        if key.kind == "trades" and contract.secType != "STK":
            raise ConfigError(f"{key}: only shares have trades", remedy="Ask for quotes or bars")
        step = key.step_us or SECOND_US
        end = min(end_us, self._now_us() // step * step)
        pages = self._bars if key.kind == "bars" else self._ticks
        async for low, high, table in pages(key, contract, start_us, end):
            yield Chunk(low, high, table, f"ib {contract.secType} {contract.symbol}")

    async def instruments(self, symbols: Collection[str]) -> list[Instrument]:
        return [await self._instrument(symbol) for symbol in symbols]

    async def _instrument(self, symbol: str) -> Instrument:
        contract = _contract(symbol)
        broker = await self._connected()
        details = await self._ask(broker.reqContractDetailsAsync(contract), symbol)
        if not details:
            raise UnknownSeriesError(f"Interactive Brokers knows no {symbol}", remedy=_SPELLING, symbol=symbol)
        about = details[0]
        kind = {"CASH": Kind.FX, "IND": Kind.INDEX}.get(contract.secType, Kind.EQUITY)
        return Instrument(
            symbol=symbol,
            venue=self.venue,
            kind=kind,
            base=contract.symbol,
            quote=about.contract.currency or contract.currency,
            tick_size=Decimal(str(about.minTick)),
            lot_size=Decimal(1),
            calendar="fx" if kind is Kind.FX else "us_equities",
        )

    async def _bars(self, key: SeriesKey, contract: Any, start: int, end: int) -> AsyncIterator["_Page"]:
        span = _SPAN_DAYS[key.timeframe] * DAY_US
        broker = await self._connected()
        what = "MIDPOINT" if contract.secType == "CASH" else "TRADES"
        # A day of the exchange is its session; within the day all hours are asked for.
        session = key.timeframe == "1d" and contract.secType != "CASH"
        for low in range(start, end, span):
            high = min(low + span, end)
            seconds = -(-(high - low) // SECOND_US)
            length = f"{seconds} S" if seconds <= 86_400 else f"{-(-seconds // 86_400)} D"
            rows = await self._ask(
                broker.reqHistoricalDataAsync(
                    contract, _moment(high), length, _BARS[key.timeframe], what, session, 2, timeout=0
                ),
                str(key),
            )
            yield low, high, _bars(rows, low, high)

    async def _ticks(self, key: SeriesKey, contract: Any, start: int, end: int) -> AsyncIterator["_Page"]:
        trades = key.kind == "trades"
        # Sides go from trade to trade, from the day's beginning on.
        at = start // DAY_US * DAY_US if trades else start
        broker = await self._connected()
        low, last = start, None
        what = "TRADES" if trades else "BID_ASK"
        while at < end:
            await self._pace.turn()
            rows = await self._ask(
                broker.reqHistoricalTicksAsync(contract, _moment(at), "", _TICKS, what, False), str(key)
            )
            times = [_us(row.time) for row in rows]
            whole = len(rows) < _TICKS or max(times) >= end
            # Of the last second more may follow, unless it is all that a page can hold.
            cut = end if whole else max(times) if max(times) > at else at + SECOND_US
            taken = [row for row, ts in zip(rows, times, strict=True) if at <= ts < cut]
            table = _trades(taken) if trades else _quotes(taken)
            if trades:
                table, last = with_sides(table, last)
            if cut > low:
                yield low, cut, table.filter(pl.col("ts").to_physical() >= low)
                low = cut
            at = cut

    async def _ask(self, request: Awaitable[Any], what: str) -> Any:
        with _translated(what):
            try:
                return await asyncio.wait_for(asyncio.ensure_future(request), _PATIENCE_S)
            except _request_error() as error:
                if error.code == _HISTORICAL and _NO_DATA in error.message:
                    return []
                raise


_Page = tuple[int, int, pl.DataFrame]
_SPELLING = "Write AAPL for a share, EUR.USD for currencies, ^SPX@CBOE for an index"


def _request_error() -> type[Any]:
    from ib_async.wrapper import RequestError

    return RequestError


@contextmanager
def _translated(what: str = "") -> Iterator[None]:
    """The one place where errors of ib_async become ours."""
    start = f"{what}: " if what else ""
    try:
        yield
    except (TimeoutError, ConnectionError, OSError) as error:
        raise UnreachableError(
            f"{start}TWS or IB Gateway does not answer: {str(error) or type(error).__name__}",
            remedy=f"Start it, switch its API on, and check {ADDRESS}",
        ) from None
    except _request_error() as error:
        if error.code == _NO_CONTRACT:
            words = f"{start}Interactive Brokers knows no such contract"
            raise UnknownSeriesError(words, remedy=_SPELLING, symbol=what) from None
        if error.code == _HISTORICAL and "pacing" in error.message.lower():
            raise LimitedError(f"{start}too many requests: {error.message}", remedy="Go on in ten minutes") from None
        raise RejectedError(
            f"{start}Interactive Brokers refused: {error.message} ({error.code})",
            remedy="Check the subscriptions of the account",
            code=error.code,
        ) from None
    except (ValueError, IndexError, KeyError) as error:
        raise ProtocolError(f"{start}a message cannot be read: {error}", remedy="Update ib_async") from None


def _contract(symbol: str) -> Any:
    """The contract that a symbol means. Raises ConfigError."""
    from ib_async import Contract, Index, Stock

    if symbol.startswith("^"):
        name, _, market = symbol[1:].partition("@")
        if name and market:
            return Index(name, market, "USD")
    elif "." in symbol:
        base, _, quote = symbol.partition(".")
        if len(base) == len(quote) == 3:
            return Contract(secType="CASH", symbol=base, currency=quote, exchange="IDEALPRO")
    elif symbol.replace(" ", "").isalnum():
        return Stock(symbol, "SMART", "USD")
    raise ConfigError(f"'{symbol}' is no symbol of Interactive Brokers'", remedy=_SPELLING, symbol=symbol)


def _moment(ts_us: int) -> datetime:
    """A time as IB takes it: whole seconds, the next one if it is not."""
    return datetime.fromtimestamp(-(-ts_us // SECOND_US), UTC)


def _us(moment: date | datetime) -> int:
    return parse_ts_us(moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day))


def _bars(rows: Sequence[Any], low: int, high: int) -> pl.DataFrame:
    """Bars that open in [low, high). IB tells −1 where there is no volume."""
    inside = sorted(((_us(row.date), row) for row in rows if low <= _us(row.date) < high), key=lambda pair: pair[0])
    prices = {name: [getattr(row, name) for _, row in inside] for name in ("open", "high", "low", "close")}
    volume = [max(float(row.volume), 0.0) for _, row in inside]
    return _typed({"ts": [ts for ts, _ in inside], **prices, "volume": volume})


def _quotes(rows: Sequence[Any]) -> pl.DataFrame:
    names = {"bid": "priceBid", "bid_quantity": "sizeBid", "ask": "priceAsk", "ask_quantity": "sizeAsk"}
    values = {ours: [getattr(row, theirs) for row in rows] for ours, theirs in names.items()}
    return _typed({"ts": [_us(row.time) for row in rows], **values})


def _trades(rows: Sequence[Any]) -> pl.DataFrame:
    prices, sizes = [row.price for row in rows], [row.size for row in rows]
    return _typed({"ts": [_us(row.time) for row in rows], "price": prices, "quantity": sizes})


def _typed(columns: dict[str, list[Any]]) -> pl.DataFrame:
    schema = {name: pl.Int64() if name == "ts" else pl.Float64() for name in columns}
    return pl.DataFrame(columns, schema=schema, strict=False).with_columns(pl.col("ts").cast(TS))
