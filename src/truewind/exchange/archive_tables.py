"""The rows of the archive's files, as Binance writes them: columns, headers, units of time.

Source: README of github.com/binance/binance-public-data. Spot has no header and microseconds since 2025; futures have a
header and milliseconds. Rows of `metrics` are labelled with the end of their five minutes, since 2026-06-25 with the
start. What a file holds is what REST and streams tell of the same time.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
import numpy as np
import polars as pl

from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import DAY_US, HOUR_US, SECOND_US
from truewind.exchange import candles
from truewind.exchange.candles import INTERVALS, text
from truewind.exchange.marks import STATISTICS_US
from truewind.exchange.tape import Tape

MICROSECONDS_US = parse_ts_us("2025-01-01")
START_LABELS_US = parse_ts_us("2026-06-25")
_DEPTH_EVERY_US = 30 * SECOND_US
_PERCENTS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)
Rows = Callable[[Tape, str, int, int], pl.DataFrame]


class Table(msgspec.Struct, frozen=True):
    """One kind of file. periods: daily, monthly. rows: of a tape, an interval and a span; none: there is no file."""

    folder: str
    rows: Rows
    periods: tuple[str, ...] = ("daily", "monthly")
    intervals: bool = False


def _klines(kind: str) -> Rows:
    def rows(tape: Tape, interval: str, start_us: int, end_us: int) -> pl.DataFrame:
        bars = tape.klines(interval, kind).bars
        start, stop = np.searchsorted(bars["ts"].to_numpy(), (start_us, end_us))
        bars = bars[start:stop]
        price, quantity, worth = tape.decimals(kind)
        scale = _scale(tape, start_us)
        ends = pl.col("ts") + candles.length_us(interval)
        traded = "volume" in bars.columns
        if not traded:
            bars = bars.with_columns(volume=0.0, quote_volume=0.0, trades=60.0, taker_buy_volume=0.0)
        return bars.with_columns(candles.taker_quote().alias("taker_quote")).select(
            open_time=pl.col("ts") // scale,
            **{name: text(name, price) for name in ("open", "high", "low", "close")},
            volume=text("volume", quantity),
            close_time=ends // scale - 1,
            quote_volume=text("quote_volume", worth if traded else 0),
            count=pl.col("trades").round().cast(pl.Int64),
            taker_buy_volume=text("taker_buy_volume", quantity),
            taker_buy_quote_volume=text("taker_quote", worth if traded else 0),
            ignore=pl.lit(0),
        )

    return rows


def _agg_trades(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    trades = _trade_rows(tape, start_us, end_us)
    ids = pl.col("id")
    return trades.select(
        agg_trade_id=ids,
        price="price",
        quantity="quantity",
        first_trade_id=ids,
        last_trade_id=ids,
        transact_time=pl.col("ts") // _scale(tape, start_us),
        is_buyer_maker=_flag(tape, pl.col("side") < 0),
        **_best_match(tape),
    )


def _trades(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    trades = _trade_rows(tape, start_us, end_us)
    return trades.select(
        id="id",
        price="price",
        qty="quantity",
        quote_qty="worth",
        time=pl.col("ts") // _scale(tape, start_us),
        is_buyer_maker=_flag(tape, pl.col("side") < 0),
        **_best_match(tape),
    )


def _trade_rows(tape: Tape, start_us: int, end_us: int) -> pl.DataFrame:
    trades = tape.trades(start_us, end_us)
    price, quantity, worth = tape.decimals()
    tick, lot = float(tape.about.tick_size), float(tape.about.lot_size)
    table = pl.DataFrame({name: trades[name] for name in ("ts", "id", "ticks", "lots", "side")})
    values = table.with_columns(price=pl.col("ticks") * tick, quantity=pl.col("lots") * lot)
    values = values.with_columns(worth=pl.col("ticks") * pl.col("lots") * (tick * lot))
    return values.with_columns(text("price", price), text("quantity", quantity), text("worth", worth))


def _funding(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    rows = tape.marks.funding.filter(pl.col("ts").is_between(start_us, end_us, closed="left"))
    return rows.select(
        calc_time=pl.col("ts") // 1000,
        funding_interval_hours=pl.lit(tape.marks.interval_us // HOUR_US),
        last_funding_rate=text("rate", 8),
    )


def _metrics(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    times = np.arange(start_us + STATISTICS_US, end_us + 1, STATISTICS_US)
    held = tape.marks.statistics("open_interest", times)
    ratios = tape.marks.statistics("long_short", times)
    names = ("open_interest", "open_interest_value", "top_accounts", "top_positions", "accounts", "taker_volume")
    rows = held.join(ratios, on="ts", how="full", coalesce=True).sort("ts")
    rows = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names if name not in rows.columns)
    label = pl.when(pl.col("ts") >= START_LABELS_US + STATISTICS_US).then(STATISTICS_US).otherwise(0)
    return rows.select(
        create_time=_words(pl.col("ts") - label),
        symbol=pl.lit(tape.symbol),
        sum_open_interest=text("open_interest", 16),
        sum_open_interest_value=text("open_interest_value", 16),
        count_toptrader_long_short_ratio=text("top_accounts", 8),
        sum_toptrader_long_short_ratio=text("top_positions", 8),
        count_long_short_ratio=text("accounts", 8),
        sum_taker_long_short_vol_ratio=text("taker_volume", 8),
    )


def _book_depth(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    own = tape.source.rows("depth_bands", start_us, end_us)
    if own.height:
        rows = own.with_columns(pl.col("ts").to_physical())
    else:
        bars = tape.bars["ts"].to_numpy()
        begin, end = max(start_us, int(bars[0])), min(end_us, int(bars[-1]))
        found = [line for ts in range(begin, end, _DEPTH_EVERY_US) for line in _bands(tape, ts)]
        rows = pl.DataFrame(found, schema=["ts", "percent", "depth", "notional"], orient="row")
    return rows.select(
        timestamp=_words(pl.col("ts")),
        percentage=pl.col("percent").cast(pl.Int64),
        depth=text("depth", 8),
        notional=text("notional", 8),
    )


def _bands(tape: Tape, ts_us: int) -> list[tuple[int, int, float, float]]:
    """What lies within some percent of the middle."""
    book, numbers = tape.book.at(ts_us), tape.numbers
    if not (book.bids and book.asks):
        return []
    middle = (book.bids[0][0] + book.asks[0][0]) / 2
    lines = []
    for percent in _PERCENTS:
        side, edge = (book.bids if percent < 0 else book.asks), middle * (1 + percent / 100)
        near = [(ticks, lots) for ticks, lots in side if (ticks - edge) * percent <= 0]
        depth = sum(lots for _, lots in near) * numbers.lot_size
        worth = sum(ticks * lots for ticks, lots in near) * numbers.lot_size * numbers.tick_size
        lines.append((ts_us, percent, depth, worth))
    return lines


def _quotes(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    rows = tape.source.rows("quotes", start_us, end_us).with_columns(pl.col("ts").to_physical())
    price, quantity, _worth = tape.decimals()
    numbered = pl.col("id") if "id" in rows.columns else pl.int_range(pl.len()).alias("id")
    return rows.select(
        update_id=numbered,
        best_bid_price=text("bid", price),
        best_bid_qty=text("bid_quantity", quantity),
        best_ask_price=text("ask", price),
        best_ask_qty=text("ask_quantity", quantity),
        transaction_time=pl.col("ts") // 1000,
        event_time=pl.col("ts") // 1000,
    )


def _liquidations(tape: Tape, _: str, start_us: int, end_us: int) -> pl.DataFrame:
    rows = tape.source.rows("liquidations", start_us, end_us).with_columns(pl.col("ts").to_physical())
    price, quantity, _worth = tape.decimals()
    return rows.select(
        time=pl.col("ts") // 1000,
        side=pl.when(pl.col("side") < 0).then(pl.lit("SELL")).otherwise(pl.lit("BUY")),
        order_type=pl.lit("LIMIT"),
        time_in_force=pl.lit("IOC"),
        original_quantity=text("quantity", quantity),
        price=text("price", price),
        average_price=text("average_price" if "average_price" in rows.columns else "price", price).alias(
            "average_price"
        ),
        order_status=pl.lit("FILLED"),
        last_fill_quantity=text("quantity", quantity).alias("last_fill_quantity"),
        accumulated_fill_quantity=text("quantity", quantity).alias("accumulated_fill_quantity"),
    )


_SHARED = (
    Table("klines", _klines("bars"), intervals=True),
    Table("aggTrades", _agg_trades),
    Table("trades", _trades),
)
TABLES: Mapping[str, tuple[Table, ...]] = MappingProxyType(
    {
        "spot": _SHARED,
        "futures/um": (
            *_SHARED,
            Table("markPriceKlines", _klines("mark_bars"), intervals=True),
            Table("indexPriceKlines", _klines("index_bars"), intervals=True),
            Table("premiumIndexKlines", _klines("premium_index"), intervals=True),
            Table("fundingRate", _funding, ("monthly",)),
            Table("metrics", _metrics, ("daily",)),
            Table("bookDepth", _book_depth, ("daily",)),
            Table("bookTicker", _quotes, ("daily", "monthly")),
            Table("liquidationSnapshot", _liquidations, ("daily",)),
        ),
    }
)


def intervals_of(tape: Tape) -> list[str]:
    """The intervals of a symbol's files: those that its bars can be joined to."""
    step = candles.length_us(tape.base)
    return [name for name in INTERVALS if candles.length_us(name) % step == 0 and candles.length_us(name) <= DAY_US]


def written(table: Table, tape: Tape, interval: str, start_us: int, end_us: int) -> tuple[bytes, int]:
    """The text of a file, and how many rows it has."""
    rows = table.rows(tape, interval, start_us, end_us)
    return rows.write_csv(include_header=not tape.spot).encode(), rows.height


def _scale(tape: Tape, start_us: int) -> int:
    """µs in the unit of a file's times."""
    return 1 if tape.spot and start_us >= MICROSECONDS_US else 1000


def _flag(tape: Tape, flag: pl.Expr) -> pl.Expr:
    """Spot writes True, futures true."""
    yes, no = ("True", "False") if tape.spot else ("true", "false")
    return pl.when(flag).then(pl.lit(yes)).otherwise(pl.lit(no))


def _best_match(tape: Tape) -> dict[str, pl.Expr]:
    return {"is_best_match": pl.lit("True")} if tape.spot else {}


def _words(ts: pl.Expr) -> pl.Expr:
    return ts.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S")
