"""Sniffing: which format is this table, and which of its columns is what?

Contents decide: the names of the columns or, without a header, their number and what is in them. Names of files only
break ties that contents leave open (a mark-price bar looks like any bar).
"""

from collections.abc import Callable, Mapping

import msgspec
import polars as pl

from truewind.errors import FormatError, SchemaError, suggest
from truewind.market.files.names import Hints
from truewind.market.files.table import RawTable
from truewind.market.files.values import read_flags, read_numbers, read_times

PRICES = ("open", "high", "low", "close")
# Series that stand beside bars in a table: their column, and what it holds on days without an event.
_BESIDE: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "dividends": ("dividend", (0.0,)),
    "splits": ("split", (0.0, 1.0)),
}
_CONSISTENT = 0.9  # share of rows in which a guessed column order must make sense
_FEW = 10  # rows that show no habit
_PROBE = 1_000  # rows looked at to tell formats apart; values are always read from all rows

# What we call a column, and what others call it: letters and digits of the name in lower case, the best first.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice"),
    "volume": ("volume", "vol", "v", "basevolume", "volumebase"),
    "quote_volume": ("quotevolume", "quoteassetvolume", "quotevol"),
    "trades": ("trades", "count", "numberoftrades", "numtrades", "tradecount", "ntrades"),
    "taker_buy_volume": ("takerbuyvolume", "takerbuybasevolume", "takerbuybaseassetvolume", "takerbuybase"),
    "close_time": ("closetime",),
    "symbol": ("symbol", "ticker", "pair", "instrument"),
    "price": ("price", "p"),
    "quantity": ("quantity", "qty", "amount", "size", "q"),
    "side": ("side", "takerside"),
    "buyer_maker": ("isbuyermaker", "buyermaker", "isbuyermarketmaker", "m"),
    "id": ("tradeid", "aggtradeid", "id", "a"),
    "rate": ("fundingrate", "lastfundingrate", "rate"),
    "mark_price": ("markprice",),
    "dividend": ("dividend", "dividends", "divcash", "dividendamount"),
    "bid": ("bid", "bidprice", "bestbidprice", "bestbid", "b"),
    "bid_quantity": ("bidquantity", "bidqty", "bidsize", "bidamount", "bestbidqty", "bestbidquantity", "bidvolume"),
    "ask": ("ask", "askprice", "bestaskprice", "bestask", "a"),
    "ask_quantity": ("askquantity", "askqty", "asksize", "askamount", "bestaskqty", "bestaskquantity", "askvolume"),
    "split": ("split", "splits", "stocksplits", "splitfactor", "splitratio"),
}
_TIMES: Mapping[str, tuple[str, ...]] = {
    "trades": ("transactiontime", "transacttime", "timestamp", "time", "ts", "date", "datetime", "t"),
    "funding": ("fundingtime", "calctime", "timestamp", "time", "ts", "date", "datetime"),
    "bars": ("opentime", "timestamp", "timestamputc", "time", "ts", "datetime", "date", "dateutc", "unix", "t", ""),
    "dividends": ("exdate", "timestamp", "time", "ts", "datetime", "date"),
    "splits": ("exdate", "timestamp", "time", "ts", "datetime", "date"),
    "quotes": ("transactiontime", "timestamp", "time", "ts", "datetime", "eventtime", "date", "t"),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "bars": PRICES,
    "trades": ("price", "quantity"),
    "funding": ("rate",),
    "dividends": ("dividend",),
    "splits": ("split",),
    "quotes": ("bid", "ask"),
}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "bars": ("volume", "quote_volume", "trades", "taker_buy_volume", "close_time", "symbol"),
    "trades": ("side", "buyer_maker", "id", "symbol"),
    "funding": ("mark_price", "symbol"),
    "dividends": ("symbol",),
    "splits": ("symbol",),
    "quotes": ("bid_quantity", "ask_quantity", "symbol"),
}
# Columns of things that look like trades or bars and are not.
_FOREIGN = {
    "order book changes": {"firstupdateid", "lastupdateid", "finalupdateid", "issnapshot", "isask", "updatetype"},
    "open interest": {"sumopeninterest", "openinterest"},
}
BAR_KINDS = ("bars", "mark_bars", "index_bars")


class Layout(msgspec.Struct, frozen=True):
    """What a table is. columns: our name → the file's name for it."""

    format: str
    kind: str
    columns: dict[str, str]


def sniff(raw: RawTable, hints: Hints, *, kind: str | None = None, columns: Mapping[str, str] | None = None) -> Layout:
    """The layout of `raw`. `kind` and `columns` (our name → the file's) are the user's word and come first; columns
    that it leaves open are recognised by their names.

    Raises FormatError if the table is not recognised, SchemaError if `columns` does not fit it.
    """
    for said in filter(None, (kind, hints.kind)):
        if _family(said) is None:
            raise FormatError(f"{raw.label} holds {said}, which is not imported yet", remedy="Leave it out")
    given = dict(columns or {})
    _check_given(raw, given)
    families = [_family(kind)] if kind else list(_NEEDED)
    if not raw.header and not given:
        return _by_content(raw, hints, kind)
    plain = _plain_names(raw) if raw.header else {}
    if not given:
        if hints.style == "freqtrade" and (kind or hints.kind) == "funding" and {"date", "open"} <= set(plain):
            # freqtrade keeps the funding rate in `open`; the other columns hold nothing.
            return Layout(format="freqtrade", kind="funding", columns={"ts": plain["date"], "rate": plain["open"]})
        for thing, telling in _FOREIGN.items():
            if telling & set(plain):
                raise FormatError(f"{raw.label} holds {thing}, which is not imported yet", remedy="Leave it out")
    for family in filter(None, families):
        found = _find_columns(plain, family, given)
        if found:
            named = _kind(kind, hints, family)
            return Layout(format="mapped" if given else _format_of(plain, named, hints), kind=named, columns=found)
    raise FormatError(
        f"{raw.label} is not recognised as {kind or 'bars, trades or funding'}: its columns are "
        f"{', '.join(raw.columns[:12])}",
        remedy="Say what they are: columns={'ts': …, 'open': …, 'high': …, 'low': …, 'close': …, 'volume': …}",
    )


def beside(raw: RawTable) -> list[tuple[RawTable, Layout]]:
    """The corporate actions in a table of bars: of each kind the rows that hold one, and their layout."""
    found = []
    plain = _plain_names(raw) if raw.header else {}
    for kind, (name, usual) in _BESIDE.items():
        columns = _find_columns(plain, kind, {})
        if columns is None:
            continue
        values = raw.frame[columns[name]]
        blank = values.cast(pl.String).str.strip_chars().fill_null("") == ""
        rows = raw.frame.filter(~(blank | read_numbers(values).is_in(usual).fill_null(False)))
        if not rows.is_empty():
            found.append((msgspec.structs.replace(raw, frame=rows), Layout("beside bars", kind, columns)))
    return found


def _family(kind: str) -> str | None:
    """Bars of any price share one layout."""
    return "bars" if kind in BAR_KINDS else kind if kind in _NEEDED else None


def _kind(said: str | None, hints: Hints, family: str) -> str:
    """The user's word, else the name's where it tells one price from another, else what the columns are."""
    return said or (hints.kind if _family(hints.kind) == family else family)


def _check_given(raw: RawTable, given: Mapping[str, str]) -> None:
    known = {"ts", *SYNONYMS}
    for ours, theirs in given.items():
        if ours not in known:
            raise SchemaError(f"'{ours}' is no column of ours", remedy=suggest(ours, known), column=ours)
        if theirs not in raw.columns:
            raise SchemaError(
                f"{raw.label} has no column '{theirs}'", remedy=suggest(theirs, raw.columns), column=theirs
            )


def _plain_names(raw: RawTable) -> dict[str, str]:
    """Letters and digits of the column names in lower case → the column; of two equal ones the first."""
    plain: dict[str, str] = {}
    for name in raw.columns:
        plain.setdefault("".join(c for c in name.lower() if c.isalnum()), name)
    return plain


def _find_columns(plain: Mapping[str, str], family: str, given: Mapping[str, str]) -> dict[str, str] | None:
    """Our columns of a family → the file's; None if one that is needed is not there, or a given one is not of it."""
    wanted = {"ts": _TIMES[family]} | {name: SYNONYMS[name] for name in (*_NEEDED[family], *_OPTIONAL[family])}
    if not set(given) <= set(wanted):
        return None
    found = dict(given)
    for ours, synonyms in wanted.items():
        theirs = next((plain[name] for name in synonyms if name in plain), None)
        if theirs is not None and ours not in found and theirs not in given.values():
            found[ours] = theirs
    return found if {"ts", *_NEEDED[family]} <= set(found) else None


def _format_of(plain: Mapping[str, str], kind: str, hints: Hints) -> str:
    if hints.style == "freqtrade":
        return "freqtrade"
    if set(plain) >= {"opentime", "closetime", "takerbuyvolume", "takerbuyquotevolume", "ignore"}:
        return "binance_klines"
    if hints.style == "binance":
        return f"binance_{kind}"
    return "columns"


def _by_content(raw: RawTable, hints: Hints, wanted: str | None) -> Layout:
    """Formats that are published without a header, each told by its width and by values no other has."""
    frame = raw.frame.select(raw.columns).head(_PROBE)
    for form in _HEADERLESS:
        if len(form.columns) != frame.width or (wanted and _family(wanted) != form.kind):
            continue
        named = dict(zip(form.columns, raw.columns, strict=True))
        probe = frame.rename({theirs: ours for ours, theirs in named.items()})
        if form.fits(probe, hints):
            columns = {ours: theirs for ours, theirs in named.items() if not ours.startswith("_")}
            return Layout(format=form.name, kind=_kind(wanted, hints, form.kind), columns=columns)
    raise FormatError(
        f"{raw.label} has {frame.width} columns without a header and is none of the known layouts "
        f"(first row {', '.join(str(value) for value in frame.row(0))})",
        remedy="Say what they are: columns={'ts': 'column_1', 'open': 'column_2', …}",
    )


class _Headerless(msgspec.Struct, frozen=True):
    """A layout without header. Columns whose name starts with _ are not kept."""

    name: str
    kind: str
    columns: tuple[str, ...]
    fits: Callable[[pl.DataFrame, Hints], bool]


def _are_bars(probe: pl.DataFrame, _: Hints) -> bool:
    """Times first, then a high and a low that hold open and close in nearly every row, and opens that follow closes."""
    if not _are_times(probe["ts"]):
        return False
    columns = (read_numbers(probe[name]).fill_nan(None) for name in (*PRICES, "volume"))
    open_, high, low, close, volume = columns
    holds = (high >= open_) & (high >= close) & (low <= open_) & (low <= close) & (low > 0) & (volume >= 0)
    near = high < 2 * low  # a small volume is below all prices too, but not near them
    if int((holds & near).sum()) < _CONSISTENT * len(holds):
        return False
    # Open and close in each other's place look alike in one row, but a bar opens near where the one before closed.
    moves = pl.DataFrame({"after": (open_ - close.shift(1)).abs(), "swapped": (close - open_.shift(1)).abs()})
    return len(probe) < _FEW or moves.select((pl.col("after") <= pl.col("swapped")).mean() >= 0.5).item()


def _are_klines(probe: pl.DataFrame, hints: Hints) -> bool:
    return _are_times(probe["close_time"]) and _are_bars(probe, hints)


def _are_trades(probe: pl.DataFrame, _: Hints) -> bool:
    flags = read_flags(probe["buyer_maker"])
    return _are_times(probe["ts"]) and flags.null_count() <= len(flags) * (1 - _CONSISTENT)


def _are_times(column: pl.Series) -> bool:
    times = read_times(column, column.name)
    return times.null_count() <= len(times) * (1 - _CONSISTENT)


_KLINES = (
    "ts",
    *PRICES,
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "_taker_quote",
    "_ignore",
)
_HEADERLESS = (
    _Headerless("binance_klines", "bars", _KLINES, _are_klines),
    _Headerless(
        "binance_trades",
        "trades",
        ("id", "price", "quantity", "_quote_quantity", "ts", "buyer_maker", "_best_match"),
        _are_trades,
    ),
    _Headerless(
        "binance_trades", "trades", ("id", "price", "quantity", "_quote_quantity", "ts", "buyer_maker"), _are_trades
    ),
    _Headerless(
        "binance_agg_trades",
        "trades",
        ("id", "price", "quantity", "_first", "_last", "ts", "buyer_maker", "_best_match"),
        _are_trades,
    ),
    _Headerless(
        "binance_agg_trades", "trades", ("id", "price", "quantity", "_first", "_last", "ts", "buyer_maker"), _are_trades
    ),
    _Headerless("kraken_ohlcvt", "bars", ("ts", *PRICES, "volume", "trades"), _are_bars),
    _Headerless("ohlcv", "bars", ("ts", *PRICES, "volume"), _are_bars),
)
