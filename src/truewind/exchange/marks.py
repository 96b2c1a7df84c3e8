"""Mark and index price, funding, open interest and who is long: of the lake where it has them, made of bars where not.

Made up: the index is the traded price, the mark a hundredth of a percent above it, funding 0.01 % every eight hours,
the premium a twentieth of the way from a bar's open. Open interest and ratios wander about a mean by hash of the time.
Inside a bar the mark goes from open by one extreme and the other to the close, a point a second.
"""

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from truewind.domain.timeframe import HOUR_US, SECOND_US, timeframe_us
from truewind.exchange import candles
from truewind.exchange.events import Funded, Liquidated, Marked
from truewind.exchange.paths import symbol_seed

if TYPE_CHECKING:
    from truewind.exchange.tape import Tape

_BASIS = {"mark_bars": 1.0001, "index_bars": 1.0}
_PREMIUM = 0.05
_RATE, _EVERY_US = 0.0001, 8 * HOUR_US
STATISTICS_US = 300 * SECOND_US
_PRICES = ("open", "high", "low", "close")


class Marks:
    """What a perpetual has besides its trades."""

    def __init__(self, tape: "Tape") -> None:
        self._tape = tape
        self._bars: dict[str, tuple[str, pl.DataFrame]] = {}

    # ── bars of prices ──────────────────────────────────────────────────────────────────────────────────────────────

    def base(self, kind: str) -> str:
        return self._series(kind)[0]

    def bars(self, kind: str) -> pl.DataFrame:
        """ts as integers, and four prices."""
        return self._series(kind)[1]

    def _series(self, kind: str) -> tuple[str, pl.DataFrame]:
        if kind not in self._bars:
            self._bars[kind] = self._own(kind) or (self._tape.base, self._made(kind))
        return self._bars[kind]

    def _own(self, kind: str) -> tuple[str, pl.DataFrame] | None:
        for interval in candles.INTERVALS:
            if interval != "1M" and (rows := self._tape.source.series(kind, interval)).height:
                return interval, rows.select(pl.col("ts").to_physical(), *_PRICES)
        return None

    def _made(self, kind: str) -> pl.DataFrame:
        bars = self._tape.bars
        if kind == "premium_index":
            return bars.select(
                "ts", *((_PREMIUM * (pl.col(name) / pl.col("open") - 1)).round(8).alias(name) for name in _PRICES)
            )
        return bars.select("ts", *((pl.col(name) * _BASIS[kind]).round(8) for name in _PRICES))

    def partial(self, kind: str, open_us: int, now_us: int) -> pl.DataFrame:
        """The unfinished bar since `open_us`: what is finished of it, and the points of the base bar until now."""
        base, bars = self._series(kind)
        length = timeframe_us(base)
        current = max(open_us, now_us - now_us % length)
        start, stop = np.searchsorted(bars["ts"].to_numpy(), (open_us, current))
        seconds = np.arange(current, now_us + 1, SECOND_US)
        points = self.path(kind, seconds)
        points = points[~np.isnan(points)]
        parts = [bars[start:stop]]
        if len(points):
            parts.append(
                pl.DataFrame({"ts": [current], **{name: [p] for name, p in zip(_PRICES, _ohlc(points), strict=True)}})
            )
        rows = pl.concat(parts).with_columns(pl.lit(open_us, pl.Int64).alias("ts"))
        return candles.longer(rows, "1s") if rows.height else rows

    def path(self, kind: str, times_us: np.ndarray) -> np.ndarray:
        """The price at times; NaN where there is no bar."""
        base, bars = self._series(kind)
        length = timeframe_us(base)
        ts = bars["ts"].to_numpy()
        row = np.searchsorted(ts, times_us, side="right") - 1
        inside = (row >= 0) & (times_us - ts[np.maximum(row, 0)] < length) if len(ts) else np.zeros(len(times_us), bool)
        row = np.where(inside, row, 0)
        if not len(ts):
            return np.full(len(times_us), np.nan)
        open_, high, low, close = (bars[name].to_numpy()[row] for name in _PRICES)
        rising = close >= open_
        first, second = np.where(rising, low, high), np.where(rising, high, low)
        share = (times_us - ts[row]) / (length - SECOND_US)
        third = (length / 3) / (length - SECOND_US)
        points = np.where(
            share <= third,
            open_ + (first - open_) * share / third,
            np.where(
                share <= 2 * third,
                first + (second - first) * (share / third - 1),
                second + (close - second) * (share - 2 * third) / (1 - 2 * third),
            ),
        )
        return np.where(inside, np.round(np.clip(points, low, high), 8), np.nan)

    # ── the mark price as it is told, and funding ───────────────────────────────────────────────────────────────────

    @cached_property
    def funding(self) -> pl.DataFrame:
        """Settlements: ts (integers), rate, mark_price."""
        rows = self._tape.source.series("funding")
        if rows.height:
            if "mark_price" not in rows.columns:
                rows = rows.with_columns(pl.lit(None, pl.Float64).alias("mark_price"))
            rows = rows.with_columns(pl.col("ts").to_physical())
            told = self.path("mark_bars", rows["ts"].to_numpy() // SECOND_US * SECOND_US)
            made = pl.Series(np.nan_to_num(told))
            return rows.select("ts", "rate", pl.col("mark_price").fill_null(made))
        ts = self._tape.bars["ts"].to_numpy()
        last = int(ts[-1]) + timeframe_us(self._tape.base)
        times = np.arange(-(-int(ts[0]) // _EVERY_US) * _EVERY_US, last, _EVERY_US)
        return pl.DataFrame(
            {
                "ts": times,
                "rate": np.full(len(times), _RATE),
                "mark_price": np.nan_to_num(self.path("mark_bars", times)),
            }
        )

    @cached_property
    def interval_us(self) -> int:
        """Time between settlements: the usual one of the last few."""
        if not self._tape.source.span("funding"):
            return _EVERY_US
        times = self.funding["ts"].to_numpy()[-10:] // SECOND_US // 3600
        return int(np.median(np.diff(times))) * HOUR_US if len(times) > 1 else _EVERY_US

    @cached_property
    def _told(self) -> pl.DataFrame:
        """Mark prices as they were recorded: ts (integers), mark_price, index_price, funding_rate, next_funding."""
        rows = self._tape.source.series("marks")
        none = pl.lit(None, pl.Float64)
        return rows.select(
            pl.col("ts").to_physical(),
            "mark_price",
            *(pl.col(name) if name in rows.columns else none.alias(name) for name in ("index_price", "funding_rate")),
            next_funding=(
                pl.col("next_funding_ts").to_physical() if "next_funding_ts" in rows.columns else pl.lit(None, pl.Int64)
            ),
        )

    def _as_told(self, row: int) -> Marked:
        ts, mark, index, rate, due = self._told.row(row)
        expected, next_us = self._expected(ts)
        known = mark if index is None else index, expected if rate is None else rate, due or next_us
        return Marked(self._tape.symbol, ts, mark, *known)

    def at(self, now_us: int) -> Marked | None:
        """The mark price of a moment's second; None before the first bar. After the last one it stands still."""
        told = int(np.searchsorted(self._told["ts"].to_numpy(), now_us, side="right")) - 1
        if told >= 0:
            return self._as_told(told)
        moment = np.array([now_us - now_us % SECOND_US])
        mark, index = (self._point(kind, moment) for kind in ("mark_bars", "index_bars"))
        if mark is None or index is None:
            return None
        rate, next_us = self._expected(int(moment[0]))
        return Marked(self._tape.symbol, int(moment[0]), mark, index, rate, next_us)

    def _point(self, kind: str, moment: np.ndarray) -> float | None:
        point = float(self.path(kind, moment)[0])
        if not np.isnan(point):
            return point
        bars = self.bars(kind)
        at = int(np.searchsorted(bars["ts"].to_numpy(), moment[0])) - 1
        return float(bars["close"][at]) if at >= 0 else None

    def _expected(self, now_us: int) -> tuple[float, int]:
        """What the next settlement is thought to bring, moving from the last rate to the next; and when it is."""
        times, rates = self.funding["ts"].to_numpy(), self.funding["rate"].to_numpy()
        at = int(np.searchsorted(times, now_us, side="right"))
        last = float(rates[at - 1]) if at else _RATE
        if at >= len(times):
            return last, (now_us // self.interval_us + 1) * self.interval_us
        due = int(times[at]) // SECOND_US * SECOND_US
        begin = int(times[at - 1]) if at else due - self.interval_us
        share = min(1.0, max(0.0, (now_us - begin) / max(1, due - begin)))
        return round(last + (float(rates[at]) - last) * share, 8), due

    def events(self, after_us: int, until_us: int, kinds: Collection[type]) -> list[Marked | Funded | Liquidated]:
        """What happened in (after, until] of these kinds: marks of each second, or as they were recorded, settlements
        and liquidations."""
        found: list[Marked | Funded | Liquidated] = []
        if Marked in kinds:
            found += self._marked(after_us, until_us)
        if Funded in kinds:
            times = self.funding["ts"].to_numpy()
            start, stop = np.searchsorted(times, (after_us + 1, until_us + 1))
            found += [Funded(self._tape.symbol, *row) for row in self.funding[start:stop].iter_rows()]
        if Liquidated in kinds:
            found += self.liquidations(after_us, until_us)
        return found

    def _marked(self, after_us: int, until_us: int) -> Iterator[Marked]:
        if self._told.height:
            rows = np.searchsorted(self._told["ts"].to_numpy(), (after_us + 1, until_us + 1))
            yield from (self._as_told(row) for row in range(*rows.tolist()))
            return
        for second in range(after_us // SECOND_US + 1, until_us // SECOND_US + 1):
            marked = self.at(second * SECOND_US)
            if marked is not None:
                yield marked

    # ── liquidations ────────────────────────────────────────────────────────────────────────────────────────────────

    def liquidations(self, after_us: int, until_us: int) -> list[Liquidated]:
        """Those of the lake; else one in the course of some minutes, at the trade that went furthest."""
        source, numbers = self._tape.source, self._tape.numbers
        if source.span("liquidations"):
            rows = source.rows("liquidations", after_us + 1, until_us + 1)
            return [
                Liquidated(self._tape.symbol, ts, numbers.ticks(price), numbers.lots(quantity), side)
                for ts, price, quantity, side in rows.select(
                    pl.col("ts").to_physical(), "price", "quantity", "side"
                ).iter_rows()
            ]
        found = []
        minute = 60 * SECOND_US
        for begin in range(after_us // minute * minute, until_us + 1, minute):
            if symbol_seed(self._tape.seed, "liquidation", begin) % 20:
                continue
            trades = self._tape.trades(begin, begin + minute)
            if len(trades):
                side = -1 if trades["ticks"][-1] < trades["ticks"][0] else 1
                row = trades[np.argmax(trades["ticks"] * side)]
                if after_us < row["ts"] <= until_us:
                    found.append(
                        Liquidated(self._tape.symbol, int(row["ts"]), int(row["ticks"]), int(row["lots"]), side)
                    )
        return found

    # ── statistics ──────────────────────────────────────────────────────────────────────────────────────────────────

    def statistics(self, kind: str, times_us: np.ndarray) -> pl.DataFrame:
        """open_interest or long_short at times that are multiples of five minutes: of the lake, else made up."""
        own = self._tape.source.series(kind)
        if own.height:
            own = own.with_columns(pl.col("ts").to_physical())
            return pl.DataFrame({"ts": times_us}).join(own, on="ts", how="inner").sort("ts")
        wave = np.array([symbol_seed(self._tape.seed, kind, int(ts)) % 2001 / 1000 - 1 for ts in times_us])
        if kind == "open_interest":
            mean = float(self._tape.bars["volume"].head(1440).sum())
            held = np.round(mean * (1 + 0.02 * wave), 3)
            prices = self._closes(times_us)
            return pl.DataFrame(
                {"ts": times_us, "open_interest": held, "open_interest_value": np.round(held * prices, 8)}
            )
        names = ("top_accounts", "top_positions", "accounts", "taker_volume")
        shifts = (1.3, 1.2, 1.5, 1.0)
        return pl.DataFrame(
            {"ts": times_us, **{n: np.round(s * (1 + 0.2 * wave), 4) for n, s in zip(names, shifts, strict=True)}}
        )

    def _closes(self, times_us: np.ndarray) -> np.ndarray:
        """The close of the last base bar that was over at each time, the first one's open before that."""
        bars = self._tape.bars
        over = np.searchsorted(bars["ts"].to_numpy() + timeframe_us(self._tape.base), times_us, side="right") - 1
        closes: np.ndarray = np.where(over >= 0, bars["close"].to_numpy()[np.maximum(over, 0)], bars["open"][0])
        return closes

    def taken(self, start_us: int, end_us: int) -> tuple[float, float]:
        """What takers bought and sold in a span of whole base bars."""
        bars = self._tape.bars
        start, stop = np.searchsorted(bars["ts"].to_numpy(), (start_us, end_us))
        rows = bars[start:stop]
        bought = float(rows["taker_buy_volume"].sum())
        return bought, float(rows["volume"].sum()) - bought


def _ohlc(points: np.ndarray) -> tuple[float, float, float, float]:
    return float(points[0]), float(points.max()), float(points.min()), float(points[-1])
