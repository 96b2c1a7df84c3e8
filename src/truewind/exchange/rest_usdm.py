"""USD-M's public endpoints beyond those of `rest`: mark, index, funding, open interest and who is long.

The venue's statistics reach 30 days back; earlier times are refused with -1130, as the venue does.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from truewind.domain.timeframe import DAY_US, HOUR_US, timeframe_us
from truewind.exchange import info, replies
from truewind.exchange.market import Market
from truewind.exchange.rest import PublicRest, best, span_of
from truewind.exchange.tape import Tape

if TYPE_CHECKING:
    from truewind.exchange.gate import Call, Gate

_PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
REACH_US = 30 * DAY_US
_LONG_SHORT = {
    "/topLongShortAccountRatio": "top_accounts",
    "/topLongShortPositionRatio": "top_positions",
    "/globalLongShortAccountRatio": "accounts",
}


def add_to(gate: "Gate", market: Market) -> None:
    rest = UsdmRest(market, most_klines=1500, trade_window_us=HOUR_US)
    rest.add_to(gate, "/fapi/v1")
    table = {
        "/fapi/v1/exchangeInfo": rest.exchange_info,
        "/fapi/v1/markPriceKlines": lambda call: rest.klines(call, "mark_bars"),
        "/fapi/v1/indexPriceKlines": lambda call: rest.klines(call, "index_bars", "pair"),
        "/fapi/v1/premiumIndexKlines": lambda call: rest.klines(call, "premium_index"),
        "/fapi/v1/continuousKlines": rest.continuous_klines,
        "/fapi/v1/premiumIndex": rest.premium_index,
        "/fapi/v1/fundingRate": rest.funding_rate,
        "/fapi/v1/fundingInfo": rest.funding_info,
        "/fapi/v1/openInterest": rest.open_interest,
        "/fapi/v1/ticker/24hr": rest.day_ticker,
        "/fapi/v1/ticker/price": rest.price_ticker,
        "/fapi/v2/ticker/price": rest.price_ticker,
        "/fapi/v1/ticker/bookTicker": rest.book_ticker,
        "/futures/data/openInterestHist": rest.open_interest_history,
        "/futures/data/takerlongshortRatio": rest.taker_ratio,
    }
    for path, handler in table.items():
        gate.add("GET", path, handler)
    for path, column in _LONG_SHORT.items():
        gate.add("GET", f"/futures/data{path}", partial(rest.ratio, column=column))


class UsdmRest(PublicRest):
    def exchange_info(self, call: "Call") -> dict[str, Any]:
        onboard = {name: tape.span[0] // 1000 for name, tape in self.market.tapes.items()}
        return info.usdm([tape.about for tape in self.market.tapes.values()], call.told_us // 1000, onboard)

    def continuous_klines(self, call: "Call") -> Any:
        call.parameters.choice("contractType", ("PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL"))
        return self.klines(call, "bars", "pair")

    def premium_index(self, call: "Call") -> Any:
        tapes, one = self.asked(call.parameters)
        call.parameters.finish()
        found = [line for tape in tapes if (line := self._premium(tape, call.now_us))]
        return _one_or_all(found, one)

    def _premium(self, tape: Tape, now_us: int) -> dict[str, Any] | None:
        marked = tape.marks.at(now_us)
        if marked is None:
            return None
        return {
            "symbol": tape.symbol,
            "markPrice": f"{marked.mark:.8f}",
            "indexPrice": f"{marked.index:.8f}",
            "estimatedSettlePrice": f"{marked.index:.8f}",
            "lastFundingRate": f"{marked.rate:.8f}",
            "interestRate": "0.00010000",
            "nextFundingTime": marked.next_funding_us // 1000,
            "time": marked.ts_us // 1000,
        }

    def funding_rate(self, call: "Call") -> Any:
        """Settlements of [startTime, endTime] from the first on; without a start the last ones."""
        given = call.parameters
        tapes, one = self.asked(given)
        limit = given.limit(100, 1000)
        first, last = span_of(given)
        given.finish()
        until = call.now_us if last is None else min(last, call.now_us)
        lines: list[dict[str, Any]] = []
        for tape in tapes:
            funding = tape.marks.funding
            start, stop = np.searchsorted(funding["ts"].to_numpy(), (first or 0, until + 1))
            if first is None:
                start = max(start, stop - limit)
            lines += [
                {
                    "symbol": tape.symbol,
                    "fundingTime": ts // 1000,
                    "fundingRate": f"{rate:.8f}",
                    "markPrice": f"{mark:.8f}",
                }
                for ts, rate, mark in funding[start : min(stop, start + limit)].iter_rows()
            ]
        if not one:
            lines.sort(key=lambda line: int(line["fundingTime"]))
        return lines[:limit] if first is not None else lines[-limit:]

    def funding_info(self, call: "Call") -> Any:
        """Symbols whose funding is not the usual one; here: all whose interval is not eight hours, and no others."""
        call.parameters.finish()
        return [
            {
                "symbol": tape.symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": tape.marks.interval_us // HOUR_US,
                "disclaimer": False,
                "updateTime": tape.span[0] // 1000,
            }
            for tape in self.market.tapes.values()
            if tape.marks.interval_us != 8 * HOUR_US
        ]

    def open_interest(self, call: "Call") -> dict[str, Any]:
        tape = self.market.tape(call.parameters.need("symbol"))
        call.parameters.finish()
        table = _statistics(tape, "open_interest", "5m", (None, None), 1, call.now_us)
        held = float(table["open_interest"][-1]) if table.height else 0.0
        return {
            "symbol": tape.symbol,
            "openInterest": f"{held:.{tape.numbers.quantity_decimals}f}",
            "time": call.told_us // 1000,
        }

    def day_ticker(self, call: "Call") -> Any:
        tapes, one = self.asked(call.parameters)
        call.parameters.finish()
        return _one_or_all([day for tape in tapes if (day := self.day(tape, call.now_us))], one)

    def price_ticker(self, call: "Call") -> Any:
        tapes, one = self.asked(call.parameters)
        call.parameters.finish()
        found = []
        for tape in tapes:
            last = tape.latest(1, call.now_us + 1)
            when = int(last["ts"][0]) // 1000 if len(last) else 0
            price = tape.numbers.price(tape.last_ticks(call.now_us + 1))
            found.append({"symbol": tape.symbol, "price": price, "time": when})
        return _one_or_all(found, one)

    def book_ticker(self, call: "Call") -> Any:
        tapes, one = self.asked(call.parameters)
        call.parameters.finish()
        found = []
        for tape in tapes:
            book = self.market.book(tape.symbol)
            line = {"symbol": tape.symbol, **best(tape, book), "time": book.ts_us // 1000, "lastUpdateId": book.id}
            found.append(line)
        return _one_or_all(found, one)

    # ── statistics ──────────────────────────────────────────────────────────────────────────────────────────────────

    def open_interest_history(self, call: "Call") -> Any:
        tape, table, _ = self._history(call, "open_interest")
        if "open_interest_value" not in table.columns:
            table = table.with_columns(open_interest_value=0.0)
        return [
            {
                "symbol": tape.symbol,
                "sumOpenInterest": f"{held:.8f}",
                "sumOpenInterestValue": f"{worth or 0.0:.8f}",
                "CMCCirculatingSupply": "0.00000000",
                "timestamp": ts // 1000,
            }
            for ts, held, worth in table.select("ts", "open_interest", "open_interest_value").iter_rows()
        ]

    def ratio(self, call: "Call", column: str) -> Any:
        tape, table, _ = self._history(call, "long_short")
        if column not in table.columns:
            return []
        lines = []
        for ts, ratio in table.select("ts", column).drop_nulls().iter_rows():
            longs = round(ratio / (1 + ratio), 4)
            lines.append(
                {
                    "symbol": tape.symbol,
                    "longAccount": f"{longs:.4f}",
                    "longShortRatio": f"{ratio:.4f}",
                    "shortAccount": f"{1 - longs:.4f}",
                    "timestamp": ts // 1000,
                }
            )
        return lines

    def taker_ratio(self, call: "Call") -> Any:
        tape, table, period_us = self._history(call, "long_short")
        lines = []
        for ts in table["ts"].to_list():
            bought, sold = tape.marks.taken(ts - period_us, ts)
            ratio = bought / sold if sold else 0.0
            lines.append(
                {
                    "buySellRatio": f"{ratio:.4f}",
                    "buyVol": f"{bought:.4f}",
                    "sellVol": f"{sold:.4f}",
                    "timestamp": ts // 1000,
                }
            )
        return lines

    def _history(self, call: "Call", kind: str) -> tuple[Tape, Any, int]:
        given = call.parameters
        tape = self.market.tape(given.need("symbol"))
        period = given.choice("period", _PERIODS)
        limit = given.limit(30, 500)
        span = span_of(given)
        given.finish()
        for name, time in zip(("startTime", "endTime"), span, strict=True):
            if time is not None and time < call.now_us - REACH_US:
                raise replies.RefusedError(-1130, f"parameter '{name}' is invalid.")
        return tape, _statistics(tape, kind, period, span, limit, call.now_us), timeframe_us(period)


def _statistics(
    tape: Tape, kind: str, period: str, span: tuple[int | None, int | None], limit: int, now_us: int
) -> Any:
    """Rows at multiples of `period` that are over: the last ones up to the end, or the first ones from the start."""
    step = timeframe_us(period)
    begin, over = tape.span
    first, last = span
    last = min(now_us, over) if last is None else min(last, now_us, over)
    low = max(begin, now_us - REACH_US, first or 0)
    times = np.arange(-(-low // step) * step, last + 1, step)
    times = times[-limit:] if first is None else times[:limit]
    return tape.marks.statistics(kind, times)


def _one_or_all(found: list[dict[str, Any]], one: bool) -> Any:
    return found[0] if one and found else found
