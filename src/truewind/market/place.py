"""Placing: to which series do the rows of a file belong? The user's word first, then the contents, then the name."""

from collections.abc import Mapping

import msgspec
import polars as pl

from truewind.domain.timeframe import timeframe_name, timeframe_us
from truewind.errors import FormatError
from truewind.market.files.names import Hints, venue_symbol
from truewind.market.sniff import Layout
from truewind.storage.schema import KINDS, SeriesKey

WRONG_SYMBOL = "wrong_symbol"
TIMEFRAMES = (
    "1s",
    "5s",
    "15s",
    "30s",
    *("1m", "3m", "5m", "15m", "30m"),
    *("1h", "2h", "4h", "6h", "8h", "12h"),
    "1d",
    "3d",
    "1w",
)
_FEW_STEPS = 10  # fewer are no evidence against a file's name


class Options(msgspec.Struct, frozen=True):
    """What the user says about the files, for all that are imported together; None where nothing was said."""

    venue: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    kind: str | None = None
    columns: Mapping[str, str] | None = None


class Placed(msgspec.Struct, frozen=True):
    """rows: those of one series. strays: rows of other symbols, which the file should not have. assumed: in words."""

    key: SeriesKey
    rows: pl.DataFrame
    strays: pl.DataFrame
    assumed: list[str]


def place(frame: pl.DataFrame, layout: Layout, hints: Hints, options: Options, label: str) -> list[Placed]:
    """The series in `frame`, one for each symbol. Raises FormatError if venue, symbol or timeframe cannot be told."""
    venue, assumed = _venue(layout, hints, options, label)
    if layout.kind == "quotes" and "bid_quantity" not in layout.columns:
        assumed = [*assumed, "quantities 0: the source tells none, so nothing fills on these quotes"]
    placed = []
    for symbol, rows, strays in _by_symbol(frame, hints, options, label):
        timeframe = _timeframe(rows, hints, options, label) if KINDS[layout.kind].has_timeframe else ""
        placed.append(Placed(SeriesKey(layout.kind, venue, symbol, timeframe), rows, strays, assumed))
    return placed


def _venue(layout: Layout, hints: Hints, options: Options, label: str) -> tuple[str, list[str]]:
    if options.venue:
        # "binance" names the exchange; a contract there is at one of its futures venues.
        contract = hints.derivative or (hints.venue if hints.venue.startswith("binance_") else "")
        return (contract if contract and options.venue == "binance" else options.venue), []
    if hints.venue:
        return hints.venue, []
    if hints.derivative:
        return hints.derivative, [f"venue {hints.derivative}: the name speaks of a contract"]
    if hints.style == "freqtrade":
        return "binance", ["venue binance: freqtrade files do not say it"]
    if layout.format == "binance_klines":
        # The archive writes a header into futures files only.
        named = layout.columns["ts"] == "open_time"
        venue = "binance_usdm" if named else "binance"
        return venue, [f"venue {venue}: the folders of the archive were not there to say it"]
    if hints.style == "binance":
        return "binance", ["venue binance: the folders of the archive were not there to say it"]
    raise FormatError(f"{label}: nothing says which venue it is from", remedy="Give venue, as in --venue binance")


def _by_symbol(
    frame: pl.DataFrame, hints: Hints, options: Options, label: str
) -> list[tuple[str, pl.DataFrame, pl.DataFrame]]:
    wanted = options.symbol or hints.symbol
    if "symbol" not in frame.columns:
        if not wanted:
            raise FormatError(f"{label}: nothing says which symbol it is", remedy="Give symbol, as in --symbol BTCUSDT")
        return [(wanted, frame, frame.clear())]
    names = {text: venue_symbol(text) for text in frame["symbol"].drop_nulls().unique()}
    symbol = pl.col("symbol").replace_strict(names, default=None, return_dtype=pl.String)
    frame = frame.with_columns(symbol.alias("symbol"))
    found = sorted(set(names.values()) - {""})
    if wanted and wanted not in found:
        said = "option" if options.symbol else "name"
        raise FormatError(
            f"{label}: the {said} says {wanted}, the symbol column {', '.join(found[:5])}",
            remedy="Rename the file, or give the symbol that is in it",
        )
    chosen = [wanted] if wanted else found
    if not chosen:
        raise FormatError(f"{label}: the symbol column is empty", remedy="Give symbol, as in --symbol BTCUSDT")
    strays = frame.filter(~pl.col("symbol").is_in(chosen).fill_null(False)).drop("symbol")
    parts = [frame.filter(pl.col("symbol") == name).drop("symbol") for name in chosen]
    # Rows that belong to none are told with the first series of the file.
    return [
        (name, rows, strays if i == 0 else strays.clear())
        for i, (name, rows) in enumerate(zip(chosen, parts, strict=True))
    ]


def _timeframe(rows: pl.DataFrame, hints: Hints, options: Options, label: str) -> str:
    """The timeframe that was given, named or is the most common step; the data must not contradict it."""
    steps = rows["ts"].drop_nulls().unique().sort().to_physical().diff().drop_nulls()
    named = options.timeframe or hints.timeframe
    if not named:
        names = {timeframe_us(name): name for name in TIMEFRAMES}
        common = _most_common(steps)
        if common not in names:
            what = f"most rows are {common / 1e6:g} s apart" if common else "it has one row only"
            raise FormatError(
                f"{label}: the timeframe cannot be told: {what}", remedy="Give timeframe, as in --timeframe 1h"
            )
        return names[common]
    length = timeframe_us(named)
    contradicted = not (steps == length).any() if len(steps) >= _FEW_STEPS else bool((steps % length != 0).any())
    if contradicted:
        said = "option" if options.timeframe else "name"
        raise FormatError(
            f"{label}: the {said} says {named}, but most rows are {_most_common(steps) / 1e6:g} s apart",
            remedy="Give the right timeframe, or rename the file",
        )
    return timeframe_name(length)


def _most_common(steps: pl.Series) -> int:
    """The most frequent of `steps`, the shortest of several; 0 if there are none."""
    return min(steps.mode().to_list(), default=0)
