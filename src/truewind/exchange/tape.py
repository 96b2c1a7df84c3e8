"""One symbol's history and future: bars, trades, book, mark price and the venue's statistics, each found by time.

What the source lacks is made of what it has, so that every endpoint and stream lives; what it has is told unchanged.
All of it is a function of source and seed, the same however often and in whatever order it is asked for.
"""

from collections import OrderedDict
from functools import cached_property

import numpy as np
import polars as pl

from truewind.domain.clock import iso
from truewind.domain.timeframe import HOUR_US, MINUTE_US, timeframe_us
from truewind.exchange import candles, marks
from truewind.exchange.books import FreeBook, RecordedBook, SymbolBook
from truewind.exchange.candles import Klines
from truewind.exchange.events import Quoted
from truewind.exchange.numbers import Numbers
from truewind.exchange.paths import TRADE, bar_trades, counted, symbol_seed
from truewind.exchange.sources import Source

_BLOCKS = 48  # hours of trades that are kept
_COLUMNS = ("open", "high", "low", "close", "volume", "taker_buy_volume", "trades")
INDEX_DECIMALS = 8


class Tape:
    """Everything of one symbol, whatever the time is: who may see what is the market's business."""

    def __init__(self, source: Source, *, spot: bool, seed: int) -> None:
        self.source = source
        self.about = source.about
        self.symbol = source.about.symbol
        self.spot = spot
        self.numbers = Numbers(source.about, spot=spot)
        self.seed = symbol_seed(seed, source.about.venue, self.symbol)
        self._blocks: OrderedDict[int, np.ndarray] = OrderedDict()
        self._klines: dict[tuple[str, str], Klines] = {}

    @property
    def rows(self) -> int:
        """How many bars are in memory."""
        return self.bars.height if "bars" in self.__dict__ else 0

    def forget(self) -> None:
        """Let go of what can be read or made again."""
        for name in ("bars", "_whole", "_source_hours", "_starts", "book", "marks"):
            self.__dict__.pop(name, None)
        self._blocks.clear()
        self._klines.clear()

    @cached_property
    def span(self) -> tuple[int, int]:
        """From the first row of bars, trades or book to the end of the last, without reading any."""
        spans = [span for kind in ("bars", "trades", "book") if (span := self.source.span(kind))]
        last = max(last for _, last in spans)
        return min(first for first, _ in spans), last - last % timeframe_us(self.base) + timeframe_us(self.base)

    def describe(self) -> str:
        """What the source has and what is made up, for people."""
        has = [kind for kind in ("bars", "trades", "book") if self.source.span(kind)]
        own = [f"{self.base} bars" if kind == "bars" else kind for kind in has]
        first, last = (iso(time)[:10] for time in self.span)
        made = [kind for kind in ("trades", "book") if kind not in has]
        told = f"{', '.join(own)}, {first} to {last}"
        return f"{told}; made up: {', '.join(made)}" if made else told

    # ── bars ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def base(self) -> str:
        """The shortest bars that the source has; of trades alone, minutes."""
        return next(iter(self.source.timeframes()), "1m")

    @cached_property
    def bars(self) -> pl.DataFrame:
        """All bars of `base`, completed; `ts` as integers."""
        numbers = self.numbers
        if self.source.timeframes():
            bars = self.source.series("bars", self.base)
            bars = candles.complete(bars, numbers.tick_size, numbers.lot_size)
        else:
            first, last = self.source.span("trades") or (0, -1)
            bars = candles.of_trades(self.source.rows("trades", first, last + 1), self.base)
        if not self._has_trades:
            bars = bars.with_columns(pl.Series("trades", self._counted(bars), dtype=pl.Float64))
        return bars

    @cached_property
    def _whole(self) -> dict[str, np.ndarray]:
        """Columns of `bars` in ticks and lots."""
        return {"ts": self.bars["ts"].to_numpy()} | _whole(self.bars, self.numbers)

    def _counted(self, bars: pl.DataFrame) -> np.ndarray:
        whole = _whole(bars, self.numbers)
        names = ("trades", "volume", "taker_buy_volume", "open", "high", "low", "close")
        return counted(*(whole[name] for name in names))

    def klines(self, interval: str, kind: str = "bars") -> Klines:
        """Finished bars of all times."""
        if (kind, interval) not in self._klines:
            self._klines[kind, interval] = Klines(self._made(interval, kind), interval, self.decimals(kind))
        return self._klines[kind, interval]

    def decimals(self, kind: str = "bars") -> tuple[int, int, int]:
        if kind != "bars":
            return INDEX_DECIMALS, 0, 0
        return self.numbers.price_decimals, self.numbers.quantity_decimals, self.numbers.notional_decimals

    def _made(self, interval: str, kind: str) -> pl.DataFrame:
        """Bars joined from the shortest ones; before and after those, the source's own of this interval."""
        base, bars = (self.base, self.bars) if kind == "bars" else (self.marks.base(kind), self.marks.bars(kind))
        if interval == base:
            return bars
        fits = bars.height > 0 and candles.length_us(interval) % timeframe_us(base) == 0
        made = candles.longer(bars, interval) if fits else bars.clear()
        own = self.source.series(kind, interval)
        if not own.height:
            return made  # shorter than what there is: see `seconds`
        if kind == "bars":
            own = candles.complete(own, self.numbers.tick_size, self.numbers.lot_size)
        else:
            own = own.with_columns(pl.col("ts").to_physical())
        own = own.select(made.columns)
        made = made.filter(pl.col("ts") >= bars["ts"].min()) if fits else made
        if not made.height:
            return own
        outside = (own.filter(pl.col("ts") < made["ts"][0]), own.filter(pl.col("ts") > made["ts"][-1]))
        return pl.concat([outside[0], made, outside[1]])

    def partial(self, interval: str, now_us: int, kind: str = "bars") -> pl.DataFrame:
        """The bar that is not finished yet: one row, or none if nothing has happened in it."""
        open_us = candles.opens_us(interval, now_us)
        if kind != "bars":
            return self.marks.partial(kind, open_us, now_us)
        base_us = max(open_us, now_us - now_us % timeframe_us(self.base))
        rows = [self.seconds(base_us, now_us, interval)]
        if base_us > open_us:
            start, stop = np.searchsorted(self.bars["ts"].to_numpy(), (open_us, base_us))
            rows.insert(0, self.bars[start:stop])
        parts = pl.concat([part.with_columns(pl.lit(open_us, pl.Int64).alias("ts")) for part in rows], how="vertical")
        return candles.longer(parts, "1s") if parts.height else parts

    def seconds(self, start_us: int, end_us: int, interval: str = "1s") -> pl.DataFrame:
        """Completed bars of `interval` from the trades of [start, end]: what is too short for the source's bars."""
        trades = self.trades(start_us, end_us + 1)
        table = pl.DataFrame(
            {
                "ts": trades["ts"],
                "price": trades["ticks"] * float(self.about.tick_size),
                "quantity": trades["lots"] * float(self.about.lot_size),
                "side": trades["side"],
            }
        ).with_columns(pl.col("ts").cast(pl.Datetime("us")))
        return candles.of_trades(table, interval)

    # ── trades ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _has_trades(self) -> bool:
        return self._source_hours.height > 0

    @cached_property
    def _source_hours(self) -> pl.DataFrame:
        return self.source.trade_hours()

    @cached_property
    def _block_us(self) -> int:
        """Trades are made in blocks of an hour, or of a bar if those are longer."""
        return HOUR_US if self._has_trades else max(HOUR_US, timeframe_us(self.base))

    @cached_property
    def _starts(self) -> tuple[np.ndarray, np.ndarray]:
        """Blocks with trades: when each begins, and the first id in it."""
        if self._has_trades:
            return self._source_hours["ts"].to_numpy(), self._source_hours["id"].to_numpy()
        whole = self._whole
        first = 1 + np.cumsum(whole["trades"]) - whole["trades"]
        begins, at = np.unique(whole["ts"] // self._block_us * self._block_us, return_index=True)
        return begins, first[at]

    def trades(self, start_us: int, end_us: int) -> np.ndarray:
        """Trades with start ≤ ts < end, as TRADE rows."""
        begins, _ = self._starts
        first, last = np.searchsorted(begins, (start_us - self._block_us + 1, end_us))
        parts = [self._block(int(begin)) for begin in begins[first:last]]
        rows = np.concatenate(parts) if parts else np.zeros(0, TRADE)
        return rows[slice(*np.searchsorted(rows["ts"], (start_us, end_us)))]

    def trades_from(self, id_: int, count: int, until_us: int) -> np.ndarray:
        """The first `count` trades from an id on that happened before `until_us`."""
        begins, ids = self._starts
        at = max(0, int(np.searchsorted(ids, id_, side="right")) - 1)
        rows = np.zeros(0, TRADE)
        while at < len(begins) and begins[at] < until_us and len(rows) < count:
            block = self._block(int(begins[at]))
            rows = np.concatenate([rows, block[(block["id"] >= id_) & (block["ts"] < until_us)]])
            at += 1
        return rows[:count]

    def latest(self, count: int, until_us: int) -> np.ndarray:
        """The last `count` trades before a time."""
        begins, _ = self._starts
        at = int(np.searchsorted(begins, until_us)) - 1
        rows = np.zeros(0, TRADE)
        while at >= 0 and len(rows) < count:
            block = self._block(int(begins[at]))
            rows = np.concatenate([block[block["ts"] < until_us], rows])
            at -= 1
        return rows[-count:] if count else rows[:0]

    def _block(self, begin: int) -> np.ndarray:
        block = self._blocks.get(begin)
        if block is None:
            block = self._source_block(begin) if self._has_trades else self._made_block(begin)
            self._blocks[begin] = block
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(begin)
        return block

    def _source_block(self, begin: int) -> np.ndarray:
        rows = self.source.rows("trades", begin, begin + self._block_us)
        block = np.zeros(rows.height, TRADE)
        block["ts"] = rows["ts"].to_physical().to_numpy()
        block["ticks"] = self.numbers.all_ticks(rows["price"].to_numpy())
        block["lots"] = self.numbers.all_lots(rows["quantity"].to_numpy())
        block["side"] = rows["side"].to_numpy()
        begins, ids = self._starts
        first = int(ids[np.searchsorted(begins, begin)])
        block["id"] = rows["id"].to_numpy() if "id" in rows.columns else first + np.arange(rows.height)
        return block

    def _made_block(self, begin: int) -> np.ndarray:
        whole, length = self._whole, timeframe_us(self.base)
        start, stop = np.searchsorted(whole["ts"], (begin, begin + self._block_us))
        begins, ids = self._starts
        id_ = int(ids[np.searchsorted(begins, begin)])
        parts = [np.zeros(0, TRADE)]
        for row in range(start, stop):
            bar = tuple(int(whole[name][row]) for name in _COLUMNS)
            parts.append(bar_trades(self.seed, int(whole["ts"][row]), length, bar, id_))
            id_ += len(parts[-1])
        return np.concatenate(parts)

    def first_id(self, start_us: int, until_us: int) -> int:
        """The id of the first trade in [start, until]; -1 if there is none."""
        begins, _ = self._starts
        at = max(0, int(np.searchsorted(begins, start_us, side="right")) - 1)
        while at < len(begins) and begins[at] <= until_us:
            block = self._block(int(begins[at]))
            row = int(np.searchsorted(block["ts"], start_us))
            if row < len(block):
                return int(block["id"][row]) if block["ts"][row] <= until_us else -1
            at += 1
        return -1

    # ── prices, book, marks ─────────────────────────────────────────────────────────────────────────────────────────

    def last_ticks(self, until_us: int) -> int:
        """The last price before a time; before the first trade, the price that it will open with."""
        latest = self.latest(1, until_us)
        return int(latest["ticks"][0]) if len(latest) else int(self._whole["open"][0])

    @cached_property
    def book(self) -> SymbolBook:
        if self.source.span("book"):
            return RecordedBook(self.source, self.numbers)
        whole = self._whole
        mean = float(whole["volume"].sum()) / max(1.0, float(whole["trades"].sum()))
        touch = self._quoted_touch if self.has_quotes else self._traded_touch
        return FreeBook(self.symbol, self.seed, max(1.0, mean), touch)

    def _traded_touch(self, times_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One tick below a purchase, at a sale: of the last trade before each time."""
        trades = self.trades(int(times_us[0]) - MINUTE_US, int(times_us[-1]))
        at = np.searchsorted(trades["ts"], times_us) - 1
        if len(at) and at[0] < 0:
            trades = np.concatenate([self._before(int(times_us[0]) - MINUTE_US), trades])
            at = np.searchsorted(trades["ts"], times_us) - 1
        bids: np.ndarray = np.maximum(1, trades["ticks"][at] - (trades["side"][at] > 0))
        return bids, bids

    def _quoted_touch(self, times_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last quote before each time; where there is none, as of trades."""
        rows = self._quotes(int(times_us[0]) - MINUTE_US, int(times_us[-1]))
        at = np.searchsorted(rows["ts"].to_numpy(), times_us) - 1
        known, at = at >= 0, np.maximum(at, 0)
        if not rows.height:
            return self._traded_touch(times_us)
        bids, asks = (self.numbers.all_ticks(rows[name].to_numpy()[at]) for name in ("bid", "ask"))
        other = (bids, asks) if known.all() else self._traded_touch(times_us)
        return np.where(known, bids, other[0]), np.where(known, np.maximum(asks - 1, bids), other[1])

    @cached_property
    def has_quotes(self) -> bool:
        return self.source.span("quotes") is not None

    def _quotes(self, start_us: int, end_us: int) -> pl.DataFrame:
        return self.source.rows("quotes", start_us, end_us).with_columns(pl.col("ts").to_physical())

    def quotes(self, after_us: int, until_us: int) -> list[Quoted]:
        """Those of the source in (after, until]."""
        numbers, rows = self.numbers, self._quotes(after_us + 1, until_us + 1)
        ids = rows["id"].to_list() if "id" in rows.columns else rows["ts"].to_list()
        values = rows.select("ts", "bid", "bid_quantity", "ask", "ask_quantity").iter_rows()
        return [
            Quoted(
                self.symbol, ts, id_, (numbers.ticks(bid), numbers.lots(size)), (numbers.ticks(ask), numbers.lots(more))
            )
            for id_, (ts, bid, size, ask, more) in zip(ids, values, strict=True)
        ]

    def _before(self, until_us: int) -> np.ndarray:
        latest = self.latest(1, until_us)
        if not len(latest):
            latest = np.zeros(1, TRADE)
            latest["ticks"] = int(self._whole["open"][0])
        return latest

    @cached_property
    def marks(self) -> "marks.Marks":
        return marks.Marks(self)


def _whole(bars: pl.DataFrame, numbers: Numbers) -> dict[str, np.ndarray]:
    """Columns as whole numbers: prices in ticks, volumes in lots."""
    prices = {name: numbers.all_ticks(bars[name].to_numpy()) for name in ("open", "high", "low", "close")}
    volumes = {name: numbers.all_lots(bars[name].to_numpy()) for name in ("volume", "taker_buy_volume")}
    return prices | volumes | {"trades": np.rint(bars["trades"].to_numpy()).astype(np.int64)}
