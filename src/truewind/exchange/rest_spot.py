"""Spot's public endpoints beyond those of `rest`."""

from typing import TYPE_CHECKING, Any

from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US
from truewind.exchange import info, replies
from truewind.exchange.market import Market
from truewind.exchange.rest import PublicRest, best, window_bars
from truewind.exchange.tape import Tape

if TYPE_CHECKING:
    from truewind.exchange.gate import Call, Gate

_AVERAGE_MINUTES = 5
_WINDOWS = {"m": MINUTE_US, "h": HOUR_US, "d": DAY_US}
_MINI = (
    *("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime"),
    *("firstId", "lastId", "count"),
)


def add_to(gate: "Gate", market: Market) -> None:
    rest = SpotRest(market, most_klines=1000, trade_window_us=0)
    rest.add_to(gate, "/api/v3")
    table = {
        "/exchangeInfo": rest.exchange_info,
        "/uiKlines": lambda call: rest.klines(call, "bars"),
        "/avgPrice": rest.average_price,
        "/ticker/24hr": rest.day_ticker,
        "/ticker/price": rest.price_ticker,
        "/ticker/bookTicker": rest.book_ticker,
        "/ticker/tradingDay": rest.trading_day,
        "/ticker": rest.window_ticker,
    }
    for path, handler in table.items():
        gate.add("GET", f"/api/v3{path}", handler)


class SpotRest(PublicRest):
    def exchange_info(self, call: "Call") -> dict[str, Any]:
        given = call.parameters
        for name in ("permissions", "showPermissionSets", "symbolStatus"):
            given.text(name)
        tapes, _ = self.asked(given)
        given.finish()
        return info.spot([tape.about for tape in tapes], call.told_us // 1000)

    def average_price(self, call: "Call") -> dict[str, Any]:
        tape = self.market.tape(call.parameters.need("symbol"))
        call.parameters.finish()
        trades = tape.trades(call.now_us - _AVERAGE_MINUTES * MINUTE_US, call.now_us + 1)
        lots = int(trades["lots"].sum())
        worth = int((trades["lots"] * trades["ticks"]).sum())
        ticks = worth / lots if lots else tape.last_ticks(call.now_us + 1)
        last = tape.latest(1, call.now_us + 1)
        closed = int(last["ts"][0]) // 1000 if len(last) else 0
        return {"mins": _AVERAGE_MINUTES, "price": f"{ticks * tape.numbers.tick_size:.8f}", "closeTime": closed}

    def day_ticker(self, call: "Call") -> Any:
        kind = self._kind(call)
        tapes, one = self.asked(call.parameters)
        call.parameters.finish()
        return _one_or_all([self._full(tape, call.now_us, kind) for tape in tapes], one)

    def price_ticker(self, call: "Call") -> Any:
        tapes, one = self.asked(call.parameters)
        call.parameters.text("symbolStatus")
        call.parameters.finish()
        return _one_or_all(
            [{"symbol": tape.symbol, "price": tape.numbers.price(tape.last_ticks(call.now_us + 1))} for tape in tapes],
            one,
        )

    def book_ticker(self, call: "Call") -> Any:
        tapes, one = self.asked(call.parameters)
        call.parameters.text("symbolStatus")
        call.parameters.finish()
        return _one_or_all([{"symbol": t.symbol, **best(t, self.market.book(t.symbol))} for t in tapes], one)

    def trading_day(self, call: "Call") -> Any:
        """Since the midnight of UTC."""
        return self._window(call, call.now_us % DAY_US)

    def window_ticker(self, call: "Call") -> Any:
        """Of 1 minute to 7 days."""
        size = call.parameters.text("windowSize") or "1d"
        unit = _WINDOWS.get(size[-1:])
        if unit is None or not size[:-1].isdigit() or not 0 < int(size[:-1]) * unit <= 7 * DAY_US:
            raise replies.invalid("windowSize")
        return self._window(call, int(size[:-1]) * unit)

    def _window(self, call: "Call", length_us: int) -> Any:
        kind = self._kind(call)
        if "symbol" not in call.parameters and "symbols" not in call.parameters:
            raise replies.missing("symbol")
        tapes, one = self.asked(call.parameters)
        call.parameters.text("timeZone")
        call.parameters.finish()
        found = [self.day(tape, call.now_us, length_us) or {"symbol": tape.symbol} for tape in tapes]
        return _one_or_all([_mini(day) if kind == "MINI" else day for day in found], one)

    def _kind(self, call: "Call") -> str:
        kind = call.parameters.text("type") or "FULL"
        if kind not in ("FULL", "MINI"):
            raise replies.invalid("type")
        return kind

    def _full(self, tape: Tape, now_us: int, kind: str) -> dict[str, Any]:
        day = self.day(tape, now_us) or {"symbol": tape.symbol}
        if kind == "MINI":
            return _mini(day)
        earlier = window_bars(tape, 0, now_us - DAY_US) if "openTime" in day else None
        before = day.get("openPrice", "0")
        if earlier is not None and earlier.height:
            before = tape.numbers.price(tape.numbers.ticks(float(earlier["close"][-1])))
        return {**day, "prevClosePrice": before, **best(tape, self.market.book(tape.symbol))}


def _mini(day: dict[str, Any]) -> dict[str, Any]:
    return {name: day[name] for name in _MINI if name in day}


def _one_or_all(found: list[dict[str, Any]], one: bool) -> Any:
    return found[0] if one else found
