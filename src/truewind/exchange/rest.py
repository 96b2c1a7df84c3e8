"""Public endpoints that spot and USD-M share: klines, trades, depth, tickers.

Sources: "Market Data endpoints" of binance-spot-api-docs; "Market Data Endpoints" of USD-M futures.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US
from truewind.exchange import candles, replies
from truewind.exchange.books import BookState
from truewind.exchange.candles import INTERVALS, Unit
from truewind.exchange.market import Market
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import Reply
from truewind.exchange.tape import Tape

if TYPE_CHECKING:
    from truewind.exchange.gate import Call, Gate

_MS = 1000
_LAST_MS = 1 << 52


class PublicRest:
    """What both markets answer. trade_window: of aggTrades, how far apart start and end may be (0: any)."""

    def __init__(self, market: Market, *, most_klines: int, trade_window_us: int) -> None:
        self.market = market
        self.most_klines = most_klines
        self.trade_window_us = trade_window_us

    def add_to(self, gate: "Gate", prefix: str) -> None:
        table: dict[str, Callable[[Call], Any]] = {
            "/ping": self.ping,
            "/time": self.time,
            "/klines": lambda call: self.klines(call, "bars"),
            "/aggTrades": self.agg_trades,
            "/trades": self.recent_trades,
            "/historicalTrades": self.historical_trades,
            "/depth": self.depth,
        }
        for path, handler in table.items():
            gate.add("GET", prefix + path, handler)

    # ── simple ones ─────────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self, call: "Call") -> dict[str, Any]:
        call.parameters.finish()
        return {}

    def time(self, call: "Call") -> dict[str, int]:
        call.parameters.finish()
        return {"serverTime": call.told_us // (1 if unit_of(call) == "us" else _MS)}

    # ── klines ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def klines(self, call: "Call", kind: str, name: str = "symbol") -> Reply:
        """Bars of [startTime, endTime], from the first on; without a start the last ones; the unfinished one too."""
        given = call.parameters
        tape = self.market.tape(given.need(name))
        interval = given.need("interval")
        if interval not in INTERVALS or (interval == "1s" and not self.market.spot):
            raise replies.bad_interval()
        limit = given.limit(500, self.most_klines, strict=not self.market.spot)
        first, last = span_of(given)
        given.text("timeZone")
        given.finish()
        rows = kline_rows(tape, interval, kind, (first, last), limit, call.now_us, unit_of(call))
        return Reply(f"[{','.join(rows)}]".encode())

    # ── trades ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def agg_trades(self, call: "Call") -> Reply:
        """From an id on, or of a span of time, or the last ones. Here every trade is an aggregate of its own."""
        given = call.parameters
        tape = self.market.tape(given.need("symbol"))
        limit = given.limit(500, 1000)
        from_id = given.whole("fromId")
        first, last = span_of(given)
        given.finish()
        if from_id is not None and (first is not None or last is not None):
            raise replies.bad_combination()
        if first is not None and last is not None and 0 < self.trade_window_us < last - first:
            raise replies.too_long(self.trade_window_us // HOUR_US)
        rows = self._agg_rows(tape, call.now_us, from_id, (first, last), limit)
        return Reply(self._agg_text(tape, rows, unit_of(call)).encode())

    def _agg_rows(
        self, tape: Tape, now_us: int, from_id: int | None, span: tuple[int | None, int | None], limit: int
    ) -> np.ndarray:
        until = now_us + 1
        if from_id is not None:
            return tape.trades_from(from_id, limit, until)
        first, last = span
        until = until if last is None else min(until, last + 1)
        if first is None:
            return tape.latest(limit, until)
        rows = tape.trades(first, min(until, first + HOUR_US))
        step = HOUR_US
        while len(rows) < limit and first + step < until:  # quiet times: look further, wider each time
            rows = np.concatenate([rows, tape.trades(first + step, min(until, first + 2 * step))])
            step *= 2
        return rows[:limit]

    def _agg_text(self, tape: Tape, rows: np.ndarray, unit: Unit) -> str:
        numbers, scale = tape.numbers, _scale(unit)
        best = ',"M":true' if self.market.spot else ""
        parts = [
            f'{{"a":{id_},"p":"{numbers.price(ticks)}","q":"{numbers.quantity(lots)}","f":{id_},"l":{id_},'
            f'"T":{ts // scale},"m":{"false" if side > 0 else "true"}{best}}}'
            for ts, id_, ticks, lots, side in rows.tolist()
        ]
        return f"[{','.join(parts)}]"

    def recent_trades(self, call: "Call") -> Reply:
        given = call.parameters
        tape = self.market.tape(given.need("symbol"))
        limit = given.limit(500, 1000)
        given.finish()
        return Reply(self._trade_text(tape, tape.latest(limit, call.now_us + 1), unit_of(call)).encode())

    def historical_trades(self, call: "Call") -> Reply:
        given = call.parameters
        tape = self.market.tape(given.need("symbol"))
        limit = given.limit(500, 1000)
        from_id = given.whole("fromId")
        given.finish()
        until = call.now_us + 1
        rows = tape.latest(limit, until) if from_id is None else tape.trades_from(from_id, limit, until)
        return Reply(self._trade_text(tape, rows, unit_of(call)).encode())

    def _trade_text(self, tape: Tape, rows: np.ndarray, unit: Unit) -> str:
        numbers, scale = tape.numbers, _scale(unit)
        best = ',"isBestMatch":true' if self.market.spot else ""
        parts = [
            f'{{"id":{id_},"price":"{numbers.price(ticks)}","qty":"{numbers.quantity(lots)}",'
            f'"quoteQty":"{numbers.notional(ticks * lots)}","time":{ts // scale},'
            f'"isBuyerMaker":{"false" if side > 0 else "true"}{best}}}'
            for ts, id_, ticks, lots, side in rows.tolist()
        ]
        return f"[{','.join(parts)}]"

    # ── book ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def depth(self, call: "Call") -> dict[str, Any]:
        given = call.parameters
        tape = self.market.tape(given.need("symbol"))
        if self.market.spot:
            limit = given.limit(100, 5000)
        else:
            limit = given.limit(500, 1000)
            if limit not in (5, 10, 20, 50, 100, 500, 1000):
                raise replies.RefusedError(-4021, f"'{limit}' is not valid depth limit.")
        given.finish()
        book = self.market.book(tape.symbol)
        times = {} if self.market.spot else {"E": call.told_us // _MS, "T": book.ts_us // _MS}
        return {"lastUpdateId": book.id, **times, **levels(tape, book, limit)}

    # ── tickers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def day(self, tape: Tape, now_us: int, length_us: int = DAY_US) -> dict[str, Any] | None:
        """The last 24 hours, by whole minutes; None if nothing was traded."""
        begin = (now_us - length_us) // MINUTE_US * MINUTE_US
        bars = window_bars(tape, begin, now_us)
        last = tape.latest(1, now_us + 1)
        if not bars.height or not len(last):
            return None
        numbers, row = tape.numbers, last[0]
        open_, close = numbers.ticks(bars["open"][0]), int(row["ticks"])
        volume, quote = float(bars["volume"].sum()), float(bars["quote_volume"].sum())
        mean = quote / volume if volume else close * numbers.tick_size
        return {
            "symbol": tape.symbol,
            "priceChange": numbers.price(close - open_),
            "priceChangePercent": f"{(close - open_) / open_ * 100:.3f}",
            "weightedAvgPrice": f"{mean:.{max(2, numbers.price_decimals)}f}",
            "lastPrice": numbers.price(close),
            "lastQty": numbers.quantity(int(row["lots"])),
            "openPrice": numbers.price(open_),
            "highPrice": numbers.price(numbers.ticks(bars["high"].to_numpy().max())),
            "lowPrice": numbers.price(numbers.ticks(bars["low"].to_numpy().min())),
            "volume": numbers.quantity(numbers.lots(volume)),
            "quoteVolume": f"{quote:.{numbers.notional_decimals}f}",
            "openTime": begin // _MS,
            "closeTime": now_us // _MS,
            "firstId": tape.first_id(begin, now_us),
            "lastId": int(row["id"]),
            "count": int(bars["trades"].sum()),
        }

    def asked(self, given: Parameters) -> tuple[list[Tape], bool]:
        """The symbols of `symbol`, `symbols` or of neither, which is all; and whether one object is the answer."""
        symbol, symbols = given.text("symbol"), given.symbols() if self.market.spot else None
        if symbol is not None and symbols is not None:
            raise replies.bad_combination()
        if symbol is not None:
            return [self.market.tape(symbol)], True
        if symbols is not None:
            return [self.market.tape(name) for name in symbols], False
        return list(self.market.tapes.values()), False


def unit_of(call: "Call") -> Unit:
    """Of times in the answer: spot gives microseconds to who asks for them by a header."""
    wanted = call.headers.get("X-MBX-TIME-UNIT", "").lower() if call.market == "spot" else ""
    return "us" if wanted == "microsecond" else "ms"


def span_of(given: Parameters) -> tuple[int | None, int | None]:
    """startTime and endTime in µs, the end's millisecond included. Raises RefusedError (-1100, -1128)."""
    start, end = given.whole("startTime"), given.whole("endTime")
    if start is not None and end is not None and start > end:
        raise replies.bad_combination()
    return _us(start), None if end is None else (_us(end) or 0) + _MS - 1


def _us(time: int | None) -> int | None:
    """A time that a client wrote: milliseconds, or microseconds if it has their 16 digits."""
    if time is None:
        return None
    return min(time, _LAST_MS) * _MS if time < 10**14 else min(time, _LAST_MS * _MS)


def _scale(unit: Unit) -> int:
    return _MS if unit == "ms" else 1


def kline_rows(
    tape: Tape,
    interval: str,
    kind: str,
    span: tuple[int | None, int | None],
    limit: int,
    now_us: int,
    unit: Unit,
) -> list[str]:
    """Bars as they are known at `now_us`."""
    first, last = span
    current = candles.opens_us(interval, now_us)
    if interval == "1s" and kind == "bars" and tape.base != "1s":
        return _second_rows(tape, span, limit, now_us, unit)
    klines = tape.klines(interval, kind)
    start, stop = klines.between(first or 0, min(last if last is not None else now_us, current - 1))
    has_current = (last is None or last >= current) and (first is None or first <= current)
    partial = tape.partial(interval, now_us, kind) if has_current else None
    extra = (
        candles.written(partial, interval, tape.decimals(kind), unit) if partial is not None and partial.height else []
    )
    if first is None:
        start = max(start, stop - limit + len(extra))
    else:
        stop = min(stop, start + limit)
    return (klines.rows(start, stop, unit) + extra)[:limit]


def _second_rows(tape: Tape, span: tuple[int | None, int | None], limit: int, now_us: int, unit: Unit) -> list[str]:
    """Bars of a second, of trades; seconds without a trade are left out."""
    first, last = span
    end = min(now_us, now_us if last is None else last)
    begin = end - limit * 1_000_000 if first is None else first
    end = min(end, begin // 1_000_000 * 1_000_000 + limit * 1_000_000 - 1)
    if end < begin:
        return []
    begin = -(-begin // 1_000_000) * 1_000_000
    return candles.written(tape.seconds(begin, end), "1s", tape.decimals(), unit)[:limit]


def window_bars(tape: Tape, begin_us: int, now_us: int) -> pl.DataFrame:
    """Finished base bars from `begin_us` on, and the unfinished one."""
    ts = tape.bars["ts"].to_numpy()
    current = candles.opens_us(tape.base, now_us)
    start, stop = np.searchsorted(ts, (begin_us, current))
    partial = tape.partial(tape.base, now_us)
    return pl.concat([tape.bars[start:stop], partial]) if partial.height else tape.bars[start:stop]


def levels(tape: Tape, book: BookState, limit: int) -> dict[str, list[list[str]]]:
    numbers = tape.numbers
    return {
        name: [[numbers.price(ticks), numbers.quantity(lots)] for ticks, lots in side[:limit]]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }


def best(tape: Tape, book: BookState) -> dict[str, str]:
    """Best prices and what is displayed there; zeros where a side is empty."""
    numbers = tape.numbers
    bid, ask = (side[0] if side else (0, 0) for side in (book.bids, book.asks))
    return {
        "bidPrice": numbers.price(bid[0]),
        "bidQty": numbers.quantity(bid[1]),
        "askPrice": numbers.price(ask[0]),
        "askQty": numbers.quantity(ask[1]),
    }
