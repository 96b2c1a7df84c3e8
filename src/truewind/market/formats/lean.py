"""Lean's data folder: `{security}/{market}/{resolution}/…` of zipped CSV files without headers.

    daily, hour      {symbol}[_trade|_quote].zip                 time as `YYYYMMDD HH:MM`
    minute, second   {symbol}/{date}_{trade|quote}.zip           milliseconds since midnight of the folder's time zone
    tick             {symbol}/{date}_quote.zip
    margin_interest  {symbol}.csv                                funding: time, rate

Trades are OHLCV, quotes the OHLC and last size of the bid and then of the ask. Prices of equities are in 1/10,000 of a
dollar. Source: the readme of each security type in the public repository of Lean, "Data"; time zones from its
market-hours-database.

Quote bars become `quotes`, what stood at the end of each bar. Currencies are quoted and never reported as traded: of
theirs the middle of bid and ask becomes `bars` without volume as well.
"""

import re
from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from truewind.domain.timeframe import timeframe_us
from truewind.errors import FormatError
from truewind.market.files.container import Member
from truewind.market.files.table import ROW, read_table
from truewind.market.files.values import TS
from truewind.market.formats.part import Part
from truewind.storage.schema import SeriesKey

_SECURITIES = ("equity", "forex", "crypto", "cryptofuture", "cfd", "index", "future")
_TIMEFRAMES = {"daily": "1d", "hour": "1h", "minute": "1m", "second": "1s", "tick": ""}
# Zones of the stamps; all others are UTC. fxcm's is five hours behind the whole year.
_ZONES: Mapping[tuple[str, str], str] = {
    ("equity", "usa"): "America/New_York",
    ("index", "usa"): "America/Chicago",
    ("forex", "fxcm"): "Etc/GMT+5",
    ("cfd", "fxcm"): "Etc/GMT+5",
}
_VENUES = {("cryptofuture", "binance"): "binance_usdm", ("equity", "usa"): "us", ("index", "usa"): "us"}
_FILE = re.compile(r"(?:(?P<date>\d{8})_)?(?P<symbol>.*?)_?(?P<what>trade|quote)?", re.IGNORECASE)
_EQUITY_SCALE = 10_000.0
_PRICES = ("open", "high", "low", "close")
_TRADE = (*_PRICES, "volume")
_QUOTE = (*(f"bid_{name}" for name in _PRICES), "bid_size", *(f"ask_{name}" for name in _PRICES), "ask_size")


class _Place(msgspec.Struct, frozen=True):
    """What folders and name say. what: trade, quote or margin_interest."""

    security: str
    market: str
    resolution: str
    symbol: str
    what: str
    day: date | None

    @property
    def venue(self) -> str:
        if self.security == "cryptofuture" and self.market == "binance" and self.symbol.endswith("USD"):
            return "binance_coinm"
        return _VENUES.get((self.security, self.market), self.market)

    @property
    def zone(self) -> str:
        return _ZONES.get((self.security, self.market), "UTC")

    @property
    def name(self) -> str:
        """The symbol as the venue writes it: coin-margined perpetuals have a suffix."""
        return f"{self.symbol}_PERP" if self.venue == "binance_coinm" else self.symbol


def read(member: Member) -> list[Part] | None:
    """The series in a file of Lean's folder, None for any other. Raises FormatError for one of another shape."""
    place = _place(member)
    if place is None:
        return None
    raw = read_table(member)
    if raw.header:
        raise FormatError(f"{member.label} has a header, files of Lean have none", remedy="Give it outside the folders")
    frame = raw.frame
    if place.what == "margin_interest":
        columns = _columns(frame, ("rate",), member)
        return [Part(SeriesKey("funding", place.venue, place.name), columns, "lean")]
    if place.resolution == "tick":
        return [_ticks(frame, place, member)]
    if place.what == "trade":
        key = SeriesKey("bars", place.venue, place.name, _TIMEFRAMES[place.resolution])
        return [Part(key, _scaled(_timed(frame, _TRADE, place, member), place, _PRICES), "lean")]
    return _quote_bars(_timed(frame, _QUOTE, place, member), place)


def _place(member: Member) -> _Place | None:
    folders = [name.lower() for name in member.folders]
    stem = member.path.name.lower().split(".")[0]
    for i, security in enumerate(folders[2:5], start=2):
        if security not in _SECURITIES:
            continue
        market, resolution = folders[i - 1], folders[i - 2]
        if resolution == "margin_interest":
            return _Place(security, market, resolution, stem.upper(), "margin_interest", None) if i == 2 else None
        found = _FILE.fullmatch(stem)
        if resolution not in _TIMEFRAMES or found is None:
            continue
        symbol = folders[0] if i == 3 and found["date"] else found["symbol"]
        what = found["what"] or ("quote" if security in ("forex", "cfd") else "trade")
        day = date.fromisoformat(found["date"]) if found["date"] else None
        if bool(day) == (i == 3):
            return _Place(security, market, resolution, symbol.upper(), what, day)
    return None


def _columns(frame: pl.DataFrame, names: tuple[str, ...], member: Member) -> pl.DataFrame:
    """Row number, time as text or milliseconds, and the named columns as numbers. Raises FormatError."""
    theirs = [name for name in frame.columns if name != ROW]
    if len(theirs) != 1 + len(names):
        raise FormatError(
            f"{member.label} has {len(theirs)} columns, such a file of Lean has {1 + len(names)}",
            remedy="Check which folder it belongs to",
            path=member.path,
        )
    numbers = [
        pl.col(old).cast(pl.Float64, strict=False).alias(new) for old, new in zip(theirs[1:], names, strict=True)
    ]
    stamp = pl.col(theirs[0])
    text = pl.coalesce(
        stamp.str.to_datetime(form, time_unit="us", strict=False) for form in ("%Y%m%d %H:%M", "%Y%m%d %H:%M:%S")
    )
    return frame.select(ROW, text.dt.replace_time_zone("UTC").alias("ts"), stamp.alias("_stamp"), *numbers)


def _timed(frame: pl.DataFrame, names: tuple[str, ...], place: _Place, member: Member) -> pl.DataFrame:
    """The columns with `ts` in UTC. Days are days, whatever the zone."""
    table = _columns(frame, names, member)
    if place.day is not None:
        midnight = pl.lit(place.day).cast(pl.Datetime("us"))
        local = midnight + pl.duration(microseconds=(pl.col("_stamp").cast(pl.Float64, strict=False) * 1000).round())
    else:
        local = pl.col("ts").dt.replace_time_zone(None)
    if place.resolution != "daily" and place.zone != "UTC":
        ZoneInfo(place.zone)  # the zone must be known before polars is asked
        # An hour that clocks show twice is taken for the first; one that they skip is no time.
        local = local.dt.replace_time_zone(place.zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone(
            "UTC"
        )
    else:
        local = local.dt.replace_time_zone("UTC")
    return table.with_columns(local.cast(TS).alias("ts")).drop("_stamp")


def _scaled(table: pl.DataFrame, place: _Place, names: tuple[str, ...]) -> pl.DataFrame:
    return table.with_columns(pl.col(*names) / _EQUITY_SCALE) if place.security == "equity" else table


def _quote_bars(table: pl.DataFrame, place: _Place) -> list[Part]:
    length = timeframe_us(_TIMEFRAMES[place.resolution])
    table = _scaled(table, place, tuple(name for name in _QUOTE if not name.endswith("size")))
    ends = table.select(
        ROW,
        pl.col("ts") + pl.duration(microseconds=length),
        pl.col("bid_close").alias("bid"),
        pl.col("bid_size").alias("bid_quantity"),
        pl.col("ask_close").alias("ask"),
        pl.col("ask_size").alias("ask_quantity"),
    )
    quotes = Part(SeriesKey("quotes", place.venue, place.name), ends, "lean", _sizeless(ends))
    if place.security not in ("forex", "cfd"):
        return [quotes]
    # The sum of two decimals is exact to the last digit only in decimal: rounding takes the noise of floats away.
    middles = [((pl.col(f"bid_{name}") + pl.col(f"ask_{name}")) / 2).round(9).alias(name) for name in _PRICES]
    bars = table.select(ROW, "ts", *middles, pl.lit(0.0).alias("volume"))
    key = SeriesKey("bars", place.venue, place.name, _TIMEFRAMES[place.resolution])
    return [Part(key, bars, "lean", ("bars are the middle of bid and ask, without volume",)), quotes]


def _ticks(frame: pl.DataFrame, place: _Place, member: Member) -> Part:
    """Ticks of quotes: bid and ask of currencies; with sizes elsewhere."""
    if place.what != "quote":
        raise FormatError(f"{member.label}: ticks of trades of Lean are not imported", remedy="Leave the file out")
    sized = frame.width - 1 > 3
    names = ("bid", "bid_quantity", "ask", "ask_quantity") if sized else ("bid", "ask")
    table = _scaled(_timed(frame, names, place, member), place, ("bid", "ask"))
    if not sized:
        table = table.with_columns(pl.lit(0.0).alias("bid_quantity"), pl.lit(0.0).alias("ask_quantity"))
    return Part(SeriesKey("quotes", place.venue, place.name), table, "lean", _sizeless(table))


def _sizeless(table: pl.DataFrame) -> tuple[str, ...]:
    none = float(table.select(pl.max_horizontal("bid_quantity", "ask_quantity").max()).item() or 0.0) == 0.0
    return ("quantities 0: the source tells none, so nothing fills on these quotes",) if none else ()
