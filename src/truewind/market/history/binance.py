"""History of Binance by REST: spot (`binance`) and USD-M futures (`binance_usdm`).

Pages are cut before they are asked for, so that many can be under way at once: bars by time, since a page holds so many
steps; trades by id, since aggregates are numbered one by one. A reply outside of what was asked for (another unit of
time, the future, another symbol) is a ProtocolError.

Sources: "Market Data endpoints" in binance-spot-api-docs; "Market Data" of USD-M futures on developers.binance.com.
USD-M klines weigh 2 up to 499 rows and 10 at 1500: by weight, 499 rows are the cheapest. aggTrades by time reach over
an hour at most. /futures/data keeps 30 days; whether it stamps five minutes with their begin or their end is not told:
it is taken for the end, as in the archive.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import polars as pl

from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US, SECOND_US, origin_us
from truewind.errors import ConfigError, FormatError, ProtocolError, UnknownSeriesError, suggest
from truewind.market.history.provider import Chunk, DataProvider, Offer
from truewind.market.history.queue import Queue, in_order
from truewind.market.http import Http
from truewind.storage.schema import TS, SeriesKey, readable
from truewind.venues.binance import payloads
from truewind.venues.binance.hosts import Hosts
from truewind.venues.binance.instruments import SPOT, USDM, instruments

_TIMEFRAMES = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3m", "1w")
_SETTLED_US = 2 * SECOND_US  # the last trades of a bar may reach its kline a moment after its end
_AHEAD = 16  # pages under way for one series
_FEW = 8  # pages that are asked for without looking for the first one that has rows
_TRADES = 1000
_PERIOD_US, _REACH_US = 5 * MINUTE_US, 30 * DAY_US
_CURRENT = "no history: only the book as it is now, as a snapshot of 5000 levels (spot) or 1000"

_SPOT_OFFERS = (
    Offer("bars", ("1s", *_TIMEFRAMES), holes="down", lacks="3d and 1M: their grid is not documented"),
    Offer("trades", lacks="single trades: these are aggregates of one price, side and millisecond"),
    Offer("book", reach="now", lacks=_CURRENT),
)
_USDM_OFFERS = (
    Offer("bars", _TIMEFRAMES, holes="down", lacks="3d and 1M: their grid is not documented"),
    Offer("mark_bars", _TIMEFRAMES, holes="down", lacks="volume: mark prices have none"),
    Offer("index_bars", _TIMEFRAMES, holes="down", lacks="volume: index prices have none"),
    Offer("premium_index", _TIMEFRAMES, holes="down"),
    Offer("trades", lacks="single trades, and trades with the insurance fund and by auto-deleveraging"),
    Offer("funding", lacks="mark prices of early settlements"),
    Offer("open_interest", reach="30 days, every 5m", lacks="older: the archive's metrics"),
    Offer("long_short", reach="30 days, every 5m", lacks="older: the archive's metrics"),
    Offer("book", reach="now", lacks=_CURRENT),
)
_LIVE_ONLY = "published live only: truewind data record"
_SPOT_REFUSES = {
    "quotes": _LIVE_ONLY,
    "funding": "spot pays no funding",
    "open_interest": "spot has no open interest",
    "mark_bars": "spot has no mark price",
}
_USDM_REFUSES = {
    "quotes": _LIVE_ONLY,
    "marks": f"every second, {_LIVE_ONLY}; by minutes: mark_bars",
    "liquidations": f"the venue took its REST history away; {_LIVE_ONLY}",
    "depth_bands": "in the archive only",
}
_RATIOS = {
    "top_accounts": "topLongShortAccountRatio",
    "top_positions": "topLongShortPositionRatio",
    "accounts": "globalLongShortAccountRatio",
    "taker_volume": "takerlongshortRatio",
}
_PRICE_KLINES = {
    "mark_bars": "markPriceKlines",
    "index_bars": "indexPriceKlines",
    "premium_index": "premiumIndexKlines",
}

_Decode = Callable[[bytes], pl.DataFrame]


class BinanceRest(DataProvider):
    """One of Binance's markets by REST."""

    def __init__(self, venue: str, hosts: Hosts) -> None:
        if venue not in (SPOT, USDM):
            raise ConfigError(f"No REST history of {venue}", remedy=suggest(venue, (SPOT, USDM)))
        spot = venue == SPOT
        self.name, self.venue = f"{venue} REST", venue
        self.offers = _SPOT_OFFERS if spot else _USDM_OFFERS
        self.refuses = _SPOT_REFUSES if spot else _USDM_REFUSES
        self._prefix = "/api/v3" if spot else "/fapi/v1"
        self._rows, self._depth = (1000, 5000) if spot else (499, 1000)
        self._http = Http()
        address = hosts.spot_rest if spot else hosts.usdm_rest
        self.queue = Queue(self._http, address, "spot" if spot else "usdm")
        self._host = urlsplit(address).netloc

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        self.queue.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.__aexit__(*error)

    def use(self, share: float) -> None:
        """See `DataProvider.use`."""
        self.queue.use(share)

    def fetch(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        """See `DataProvider.fetch`. Raises RejectedError for a symbol that the venue does not know."""
        kinds: Mapping[str, Callable[[SeriesKey, int, int], AsyncIterator[Chunk]]] = {
            "trades": self._trades,
            "funding": self._funding,
            "open_interest": self._open_interest,
            "long_short": self._long_short,
            "book": self._book,
        }
        if self.offer(key) is None:
            raise ConfigError(
                f"{self.name} cannot give {key}: {self.why_not(key)}",
                remedy="Ask another source: truewind data sources",
            )
        return kinds.get(key.kind, self._bars)(key, start_us, end_us)

    async def instruments(self, symbols: Collection[str]) -> list[Instrument]:
        """See `DataProvider.instruments`. Raises ProtocolError for rules that cannot be read."""
        reply = await self.queue.get(f"{self._prefix}/exchangeInfo", {}, payloads.exchange_information)
        listed = {one["symbol"]: one for one in reply["symbols"]}
        for symbol in symbols:
            if symbol not in listed:
                raise UnknownSeriesError(
                    f"{self.venue} lists no {symbol} today", remedy=suggest(symbol, listed), symbol=symbol
                )
        try:
            return list(instruments({"symbols": [listed[symbol] for symbol in dict.fromkeys(symbols)]}, self.venue))
        except FormatError as error:
            raise ProtocolError(str(error), remedy="This truewind may be too old") from None

    # ── by time ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _bars(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        step, origin = key.step_us, origin_us(key.step_us)
        over_us = await self.queue.server_time_us() - _SETTLED_US
        start_us = start_us + (origin - start_us) % step  # the first bar that opens in there
        end_us = min(end_us + (origin - end_us) % step, over_us - (over_us - origin) % step)
        path = f"{self._prefix}/{_PRICE_KLINES.get(key.kind, 'klines')}"
        asked = {"pair" if key.kind == "index_bars" else "symbol": key.symbol, "interval": key.timeframe}
        decode = payloads.klines if key.kind == "bars" else payloads.price_klines
        if end_us - start_us > _FEW * self._rows * step:
            first = await self._page(path, asked | {"limit": 1}, decode, start_us, end_us)
            found = first["ts"].to_physical()[0] if first.height else end_us
            if found > start_us:
                yield self._chunk(start_us, found, first.clear(), path)
                start_us = found
        spans = _spans(start_us, end_us, self._rows * step)
        async for chunk in self._pages(path, asked | {"limit": self._rows}, decode, spans):
            yield chunk

    async def _funding(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        # Settlements are whole hours apart, and stamped some milliseconds late.
        end_us = min(end_us, await self.queue.server_time_us() - MINUTE_US)
        decode = partial(payloads.funding_rates, symbol=key.symbol)
        spans = _spans(start_us, end_us, 1000 * HOUR_US)
        path, asked = f"{self._prefix}/fundingRate", {"symbol": key.symbol, "limit": 1000}
        async for chunk in self._pages(path, asked, decode, spans):
            yield chunk

    async def _open_interest(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        decode = partial(payloads.open_interest_history, symbol=key.symbol)
        asked = {"symbol": key.symbol, "period": "5m", "limit": 500}
        spans = await self._kept(start_us, end_us)
        async for chunk in self._pages("/futures/data/openInterestHist", asked, decode, spans):
            yield chunk

    async def _long_short(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        asked = {"symbol": key.symbol, "period": "5m", "limit": 500}
        for start, end in await self._kept(start_us, end_us):
            whole = pl.DataFrame(schema={"ts": TS})
            for column, name in _RATIOS.items():
                decode = payloads.taker_ratios if column == "taker_volume" else payloads.ratios
                part = await self._page(f"/futures/data/{name}", asked, partial(decode, column=column), start, end)
                whole = whole.join(part, on="ts", how="full", coalesce=True)
            yield self._chunk(start, end, whole.sort("ts"), "/futures/data")

    async def _kept(self, start_us: int, end_us: int) -> list[tuple[int, int]]:
        """Spans of what /futures/data still keeps and will not change any more."""
        now_us = await self.queue.server_time_us()
        start_us = max(start_us, now_us - _REACH_US + _PERIOD_US)
        end_us = min(end_us, now_us - _PERIOD_US)
        return list(_spans(start_us, end_us - end_us % _PERIOD_US, 500 * _PERIOD_US))

    async def _pages(
        self,
        path: str,
        asked: Mapping[str, object],
        decode: _Decode,
        spans: Collection[tuple[int, int]] | Iterator[tuple[int, int]],
    ) -> AsyncIterator[Chunk]:
        def ask(start: int, end: int) -> Callable[[], Awaitable[Chunk]]:
            async def one() -> Chunk:
                return self._chunk(start, end, await self._page(path, asked, decode, start, end), path)

            return one

        async for chunk in in_order((ask(start, end) for start, end in spans), _AHEAD):
            yield chunk

    async def _page(
        self, path: str, asked: Mapping[str, object], decode: _Decode, start_us: int, end_us: int
    ) -> pl.DataFrame:
        """What the venue has of [start_us, end_us); its ends are both inclusive, and in milliseconds."""
        window = {"startTime": -(-start_us // 1000), "endTime": (end_us - 1) // 1000}
        return await self.queue.get(path, {**asked, **window}, lambda data: _inside(decode(data), start_us, end_us))

    # ── by id, and as it is now ─────────────────────────────────────────────────────────────────────────────────────

    async def _trades(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        path = f"{self._prefix}/aggTrades"
        end_us = min(end_us, await self.queue.server_time_us() - _SETTLED_US)
        latest = await self.queue.get(path, {"symbol": key.symbol, "limit": 1}, payloads.agg_trades)
        if end_us <= start_us:
            return
        if latest.is_empty() or latest["ts"].to_physical()[0] < start_us:
            yield self._chunk(start_us, end_us, latest.clear(), path)
            return
        last = int(latest["id"][0])
        first = await self._first_id(key.symbol, start_us, last)
        beyond = last + 1 if latest["ts"].to_physical()[0] < end_us else await self._first_id(key.symbol, end_us, last)
        held = latest.clear()  # the last millisecond of a page may go on in the next
        work = (self._by_id(key.symbol, number) for number in range(first, beyond, _TRADES))
        async for page in in_order(work, _AHEAD):
            rows = pl.concat([held, page]).filter(pl.col("ts").to_physical() < end_us)
            if rows.is_empty():
                break
            until = int(rows["ts"].to_physical()[-1])
            held = rows.filter(pl.col("ts").to_physical() >= until)
            if until > start_us:
                yield self._chunk(start_us, until, rows.filter(pl.col("ts").to_physical() < until), path)
                start_us = until
        yield self._chunk(start_us, end_us, held, path)

    def _by_id(self, symbol: str, number: int, rows: int = _TRADES) -> Callable[[], Awaitable[pl.DataFrame]]:
        def decode(data: bytes) -> pl.DataFrame:
            page = payloads.agg_trades(data)
            if (page["id"] < number).any():
                raise ProtocolError(
                    f"Trades of {symbol} from id {number} were asked for, older ones came", remedy="It is asked again"
                )
            return page

        asked = {"symbol": symbol, "fromId": number, "limit": rows}
        return lambda: self.queue.get(f"{self._prefix}/aggTrades", asked, decode)

    async def _first_id(self, symbol: str, ts_us: int, last: int) -> int:
        """The id of the first trade at or after a time, at which `last` was not before.

        Quick where something was traded in the hour after it, else by halving.
        """
        asked = {"symbol": symbol, "limit": 1}
        page = await self._page(f"{self._prefix}/aggTrades", asked, payloads.agg_trades, ts_us, ts_us + HOUR_US)
        if page.height:
            return int(page["id"][0])
        low, high = 0, last
        while low < high:
            middle = (low + high) // 2
            row = await self._by_id(symbol, middle, 1)()
            if row.height and row["ts"].to_physical()[0] < ts_us:
                low = int(row["id"][0]) + 1
            else:
                high = middle
        return low

    async def _book(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        path = f"{self._prefix}/depth"
        now_us = await self.queue.server_time_us()
        if start_us <= now_us < end_us:
            asked = {"symbol": key.symbol, "limit": self._depth}
            rows = await self.queue.get(path, asked, lambda data: payloads.depth(data, now_us))
            at = rows["ts"].to_physical()[0] if rows.height else now_us
            yield self._chunk(at, at + 1, rows, path)

    def _chunk(self, start_us: int, end_us: int, rows: pl.DataFrame, path: str) -> Chunk:
        return Chunk(start_us, end_us, rows, self._host + path)


def _spans(start_us: int, end_us: int, length_us: int) -> Iterator[tuple[int, int]]:
    """[start_us, end_us) in pieces of at most `length_us`."""
    for start in range(start_us, end_us, length_us):
        yield start, min(start + length_us, end_us)


def _inside(rows: pl.DataFrame, start_us: int, end_us: int) -> pl.DataFrame:
    """`rows`, if all lie where they were asked for. Raises ProtocolError."""
    times = rows["ts"].to_physical()
    strays = times.filter((times < start_us) | (times >= end_us))
    if len(strays):
        raise ProtocolError(
            f"Rows from {readable(start_us)} to {readable(end_us)} were asked for, and {readable(strays[0])} came",
            remedy="The venue or something in between is out of order: try again later",
        )
    return rows
