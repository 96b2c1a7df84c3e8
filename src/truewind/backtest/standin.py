"""A stand-in for data that the lake does not have: the synthetic market, under the names that a backtest asks for."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from truewind.backtest.data import DataSettings
from truewind.backtest.settings import BacktestSettings
from truewind.config import parse
from truewind.domain.instrument import Kind
from truewind.domain.timeframe import DAY_US, HOUR_US, timeframe_us
from truewind.errors import ConfigError, MissingFileError
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.market.synthetic.config import LISTED, VENUE
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

_BARS = 3000  # that are made of each symbol, if that does not take more days than
_DAYS = 365
_FEWEST_DAYS = 30
_BOOK = timedelta(minutes=20)


def stand_in(settings: BacktestSettings, folder: str | Path) -> tuple[BacktestSettings, Lake]:
    """These settings, over the days that there are, and a lake in `folder` with synthetic bars of their symbols.

    Raises ConfigError for what there is no stand-in for: a universe, trades, best quotes.
    """
    data = settings.data
    if data.kind == "book" and len(data.symbols) == 1:
        return _book(settings, Lake(folder))
    if data.kind != "bars" or data.universe is not None:
        raise ConfigError(
            "The lake has not the data that this runs on, and only bars or a book of named symbols can be made up",
            remedy="Import them (the config's first lines may say how), or name bars of some symbols",
        )
    length = timeframe_us(data.timeframe)
    days = min(_DAYS, max(_FEWEST_DAYS, _BARS * length // DAY_US))
    start = date(2024, 1, 1)
    lake = Lake(folder)
    shorts = settings.account.leverage > 1.0 or data.venue == VENUE
    places = [_place(symbol, data.venue) for symbol in data.symbols]
    made = {place: _listed(place[1]) for place in places}
    names = tuple(dict.fromkeys(made.values()))
    markets = {
        kind: SyntheticMarket(SyntheticConfig(symbols=names, start=start, days=days, kind=kind))
        for kind in (Kind.PERPETUAL, Kind.SPOT)
    }
    for (venue, symbol), name in made.items():
        kind = Kind.PERPETUAL if shorts and venue == data.venue else Kind.SPOT  # what is bought elsewhere is held
        market = markets[kind]
        about = next(i for i in market.instruments() if i.symbol == name)
        lake.put_instrument(msgspec.structs.replace(about, venue=venue, symbol=symbol, quote=settings.account.currency))
        for timeframe in filter(None, (data.timeframe, data.inner_timeframe)):
            lake.write(SeriesKey("bars", venue, symbol, timeframe), market.bars(name, timeframe))
        if kind is Kind.PERPETUAL:
            lake.write(SeriesKey("funding", venue, symbol), market.funding(name))
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC)
    span = {"start": None if data.start is None else begin.date().isoformat(), "end": None}
    return settings.model_copy(update={"data": data.model_copy(update=span)}), lake


def supply(data: DataSettings, lake: Lake, tell: Callable[[str, int, int], object]) -> None:
    """Make the synthetic market where `data` asks for bars of it, and the lake has none of these symbols.

    Only of the symbols that it lists: a misspelt name is told as it is of any other venue.
    """
    missing = [symbol for symbol in data.symbols if symbol in LISTED]
    if data.venue != VENUE or data.kind != "bars" or len(missing) < len(data.symbols) or not missing:
        return
    with suppress(MissingFileError):
        known = {info.key.symbol for info in lake.series(kind="bars", venue=VENUE)}
        missing = [symbol for symbol in missing if symbol not in known]
    if missing:
        wanted = {"symbols": missing, "timeframe": data.timeframe}
        SyntheticMarket(parse(SyntheticConfig, wanted, "synthetic market")).write(lake, tell)


def _book(settings: BacktestSettings, lake: Lake) -> tuple[BacktestSettings, Lake]:
    """Some minutes of a synthetic book, for a backtest on one."""
    data = settings.data
    name = _listed(data.symbols[0])
    market = SyntheticMarket(SyntheticConfig(symbols=(name,), days=1))
    start = market.config.start_us
    (about,) = market.instruments()
    lake.put_instrument(msgspec.structs.replace(about, venue=data.venue, symbol=data.symbols[0]))
    book = market.book(name, start, start + HOUR_US)
    lake.write(SeriesKey("book", data.venue, data.symbols[0]), book.filter(pl.col("ts") < book["ts"][0] + _BOOK))
    return settings.model_copy(update={"data": data.model_copy(update={"start": None, "end": None})}), lake


def _place(symbol: str, venue: str) -> tuple[str, str]:
    """Venue and name of a symbol of `data.symbols`; one of another venue is written venue:SYMBOL."""
    other, _, name = symbol.rpartition(":")
    return other or venue, name


def _listed(symbol: str) -> str:
    """A name that the synthetic market takes."""
    name = re.sub(r"[^A-Z0-9]", "", symbol.upper())
    return name if name.endswith("USDT") and len(name) > 4 else f"{name[:16]}USDT"
