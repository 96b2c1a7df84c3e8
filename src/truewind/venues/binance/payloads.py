"""Binance's REST replies of market data as tables, in the columns of the lake.

A reply is decoded by its documented shape: numbers may be text or numbers, unknown fields and trailing values are
passed over (newer protocol), while a missing field, a wrong type, or a stamp that is not in milliseconds makes the
whole reply a ProtocolError. What has the right shape and a senseless value (a negative price, NaN) stays in the table,
where validation puts it into quarantine. Nothing is guessed, so no row is ever wrong in silence.

Sources: "Market Data endpoints" in binance-spot-api-docs; "Market Data" of USD-M futures on developers.binance.com.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import polars as pl
from msgspec import field

from truewind.domain.book import BookKind
from truewind.errors import ProtocolError

_T = TypeVar("_T")
_TS = pl.Datetime("us", "UTC")
_TYPES = {"ts": pl.Int64(), "close_time": pl.Int64(), "side": pl.Int8(), "id": pl.Int64()}
_SHOWN = 160  # characters of a reply in an error

# Milliseconds from 2001-09-09 to 2200: seconds, micro- and nanoseconds lie outside.
Ms = Annotated[int, msgspec.Meta(ge=1_000_000_000_000, lt=7_258_118_400_000)]
Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Kline(msgspec.Struct, array_like=True, gc=False):
    """All klines: of mark and index prices and of the premium, the values after `close_time` but `trades` are zeros."""

    open_time: Ms
    open: float
    high: float
    low: float
    close: float
    volume: float
    close_time: Ms
    quote_volume: float
    trades: float
    taker_buy_volume: float


class AggTrade(msgspec.Struct, gc=False):
    """sold: the buyer was the maker, so the taker sold."""

    id: Id = field(name="a")
    price: float = field(name="p")
    quantity: float = field(name="q")
    time: Ms = field(name="T")
    sold: bool = field(name="m")


class _Trade(msgspec.Struct, gc=False):
    id: Id
    price: float
    qty: float
    time: Ms
    isBuyerMaker: bool  # noqa: N815


class Level(msgspec.Struct, array_like=True, gc=False):
    price: float
    quantity: float


class Depth(msgspec.Struct):
    """time: USD-M tells when the book was last changed."""

    final: Id = field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]
    time: Ms | None = field(default=None, name="T")


class _Funding(msgspec.Struct, gc=False):
    symbol: str
    fundingTime: Ms  # noqa: N815
    fundingRate: float  # noqa: N815
    markPrice: float | str | None = None  # noqa: N815


class _OpenInterest(msgspec.Struct, gc=False):
    symbol: str
    sumOpenInterest: float  # noqa: N815
    sumOpenInterestValue: float  # noqa: N815
    timestamp: Ms


class OpenInterest(msgspec.Struct, gc=False):
    symbol: str
    open_interest: float = field(name="openInterest")
    time: Ms


class _Ratio(msgspec.Struct, gc=False):
    longShortRatio: float  # noqa: N815
    timestamp: Ms


class _TakerRatio(msgspec.Struct, gc=False):
    buySellRatio: float  # noqa: N815
    timestamp: Ms


class _Time(msgspec.Struct):
    serverTime: Ms  # noqa: N815


class Failure(msgspec.Struct):
    """The venue's own error: {"code": -1121, "msg": "Invalid symbol."}."""

    code: int
    msg: str


def _decoder(shape: type[_T], what: str) -> Callable[[bytes], _T]:
    """What decodes a reply of this shape, or raises ProtocolError. what: it should be, in words."""
    # strict=False: numbers come as text. Of text, only what JSON calls a number, and nan and infinity, is read as one.
    decoder = msgspec.json.Decoder(shape, strict=False)

    def decode(data: bytes) -> _T:
        try:
            return decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            text = data[:_SHOWN].decode("utf-8", "replace")
            raise ProtocolError(
                f"The reply is no {what}: {error}",
                remedy="Try again; if it stays, this truewind is too old",
                reply=text,
            ) from None

    return decode


kline_rows = _decoder(list[Kline], "list of klines")
agg_trade_rows = _decoder(list[AggTrade], "list of aggregate trades")
order_book = _decoder(Depth, "order book")
interest_now = _decoder(OpenInterest, "open interest")
_trades = _decoder(list[_Trade], "list of trades")
_fundings = _decoder(list[_Funding], "list of funding rates")
_interests = _decoder(list[_OpenInterest], "history of open interest")
_ratios = _decoder(list[_Ratio], "list of long/short ratios")
_taker_ratios = _decoder(list[_TakerRatio], "list of taker ratios")
_time = _decoder(_Time, "time")
_information = _decoder(dict[str, Any], "exchange information")
_failure = _decoder(Failure, "error")


def klines(data: bytes) -> pl.DataFrame:
    """`klines`: the columns of bars, with `close_time`. Raises ProtocolError."""
    rows = kline_rows(data)
    return _table(
        ts=[row.open_time for row in rows],
        open=[row.open for row in rows],
        high=[row.high for row in rows],
        low=[row.low for row in rows],
        close=[row.close for row in rows],
        volume=[row.volume for row in rows],
        quote_volume=[row.quote_volume for row in rows],
        trades=[row.trades for row in rows],
        taker_buy_volume=[row.taker_buy_volume for row in rows],
        close_time=[row.close_time for row in rows],
    )


def price_klines(data: bytes) -> pl.DataFrame:
    """`markPriceKlines`, `indexPriceKlines`, `premiumIndexKlines`: prices only, with `close_time`."""
    return klines(data).select("ts", "open", "high", "low", "close", "close_time")


def agg_trades(data: bytes) -> pl.DataFrame:
    """`aggTrades`: the columns of trades; `id` is the aggregate's. Raises ProtocolError."""
    rows = agg_trade_rows(data)
    return _table(
        ts=[row.time for row in rows],
        price=[row.price for row in rows],
        quantity=[row.quantity for row in rows],
        side=[-1 if row.sold else 1 for row in rows],
        id=[row.id for row in rows],
    )


def trades(data: bytes) -> pl.DataFrame:
    """`trades`, `historicalTrades`: the columns of trades; `id` is the single trade's. Raises ProtocolError."""
    rows = _trades(data)
    return _table(
        ts=[row.time for row in rows],
        price=[row.price for row in rows],
        quantity=[row.qty for row in rows],
        side=[-1 if row.isBuyerMaker else 1 for row in rows],
        id=[row.id for row in rows],
    )


def depth(data: bytes, received_us: int) -> pl.DataFrame:
    """`depth` as a snapshot in the columns of `book`, bids before asks, the best first.

    Spot tells no time: there it happened when it was received.
    """
    book = order_book(data)
    sides = [(1, level) for level in book.bids] + [(-1, level) for level in book.asks]
    happened_us = received_us if book.time is None else book.time * 1000
    return _table(
        ts=[0] * len(sides),
        side=[side for side, _ in sides],
        price=[level.price for _, level in sides],
        quantity=[level.quantity for _, level in sides],
        id=[book.final] * len(sides),
    ).with_columns(
        pl.lit(happened_us).cast(_TS).alias("ts"),
        pl.lit(received_us).cast(_TS).alias("ts_recv"),
        pl.lit(int(BookKind.SNAPSHOT), pl.Int8).alias("kind"),
    )


def funding_rates(data: bytes, symbol: str) -> pl.DataFrame:
    """`fundingRate`: the columns of funding. Settlements of early years have "" for a mark price.

    Raises ProtocolError, also for a mark price that is no number, and for rows of another symbol.
    """
    rows = _fundings(data)
    _same_symbol(rows, symbol)
    return _table(
        ts=[row.fundingTime for row in rows],
        rate=[row.fundingRate for row in rows],
        mark_price=[_mark(row) for row in rows],
    )


def _mark(row: _Funding) -> float | None:
    try:
        return msgspec.convert(row.markPrice, float, strict=False) if row.markPrice else None
    except msgspec.ValidationError:
        raise ProtocolError(
            f"The reply is no list of funding rates: markPrice '{str(row.markPrice)[:20]}' of {row.symbol}",
            remedy="Try again; if it stays, this truewind is too old",
        ) from None


def open_interest_history(data: bytes, symbol: str) -> pl.DataFrame:
    """`openInterestHist`: the columns of open_interest. Raises ProtocolError, also for rows of another symbol."""
    rows = _interests(data)
    _same_symbol(rows, symbol)
    return _table(
        ts=[row.timestamp for row in rows],
        open_interest=[row.sumOpenInterest for row in rows],
        open_interest_value=[row.sumOpenInterestValue for row in rows],
    )


def open_interest(data: bytes) -> pl.DataFrame:
    """`openInterest`, as it is now: one row of open_interest. Raises ProtocolError."""
    row = interest_now(data)
    return _table(ts=[row.time], open_interest=[row.open_interest])


def ratios(data: bytes, column: str) -> pl.DataFrame:
    """`topLongShortAccountRatio` and its sisters: ts and `column`, longs to shorts. Raises ProtocolError."""
    rows = _ratios(data)
    return _table(ts=[row.timestamp for row in rows], **{column: [row.longShortRatio for row in rows]})


def taker_ratios(data: bytes, column: str) -> pl.DataFrame:
    """`takerlongshortRatio`: ts and `column`, what takers bought to what they sold. Raises ProtocolError."""
    rows = _taker_ratios(data)
    return _table(ts=[row.timestamp for row in rows], **{column: [row.buySellRatio for row in rows]})


def server_time_us(data: bytes) -> int:
    """`time`: µs since 1970. Raises ProtocolError."""
    return _time(data).serverTime * 1000


def exchange_information(data: bytes) -> dict[str, Any]:
    """`exchangeInfo`, for `instruments.instrument`. Raises ProtocolError."""
    information = _information(data)
    symbols = information.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(one, dict) and "symbol" in one for one in symbols):
        raise ProtocolError(
            "The reply is no exchange information: it has no symbols",
            remedy="Is it the venue that answers? Check the network, then try again",
            reply=data[:_SHOWN].decode("utf-8", "replace"),
        )
    return information


def failure(data: bytes) -> Failure | None:
    """The venue's own error in a reply; None if it is none."""
    try:
        return _failure(data)
    except ProtocolError:
        return None


def _same_symbol(rows: Sequence[_Funding | _OpenInterest], symbol: str) -> None:
    for row in rows:
        if row.symbol != symbol:
            raise ProtocolError(f"{symbol} was asked for, and '{row.symbol[:40]}' came", remedy="Was it renamed?")


def _table(**columns: Sequence[float | None]) -> pl.DataFrame:
    """A table of columns by name; times come in milliseconds; NaN, which is no value, becomes null."""
    schema = {name: _TYPES.get(name, pl.Float64()) for name in columns}
    times = [name for name in ("ts", "close_time") if name in columns]
    return pl.DataFrame(columns, schema=schema).with_columns(
        (pl.col(times) * 1000).cast(_TS), pl.selectors.float().fill_nan(None)
    )
