"""Which sources a venue has, the fastest first. A source's libraries are loaded when it is asked for."""

from collections.abc import Callable
from importlib import import_module

from truewind.errors import ConfigError, suggest
from truewind.market.history.provider import DataProvider
from truewind.venues.binance.hosts import Hosts, hosts

Make = Callable[[str, Hosts], DataProvider]

# venue → way → module:callable(venue, hosts), in the order in which the ways are tried.
_ARCHIVE = "truewind.market.history.archive:archive"
_BINANCE = "truewind.market.history.binance:BinanceRest"
_SOURCES: dict[str, dict[str, str]] = {
    "binance": {"archive": _ARCHIVE, "rest": _BINANCE},
    "binance_usdm": {"archive": _ARCHIVE, "rest": _BINANCE},
    "binance_coinm": {"archive": _ARCHIVE},
    "ib": {"rest": "truewind.market.history.ib:ib_provider"},
    "alpaca": {"rest": "truewind.market.history.alpaca:alpaca_provider"},
}
_ELSEWHERE = {"rest": "truewind.market.history.ccxt:ccxt_provider"}  # any exchange that ccxt knows


# What `data record` can write of a venue's streams.
_LIVE = {
    "binance": frozenset({"bars", "trades", "quotes", "book"}),
    "binance_usdm": frozenset({"bars", "trades", "quotes", "book", "marks", "liquidations", "open_interest"}),
}


def live_kinds(venue: str) -> frozenset[str]:
    """Kinds of series that can be recorded live."""
    return _LIVE.get(venue, frozenset())


def venues() -> list[str]:
    """Venues that have a source of their own."""
    return sorted(_SOURCES)


def sources_of(venue: str, network: str = "mainnet", source: str = "auto") -> list[DataProvider]:
    """The sources of a venue: all of them, or those of one way ("rest", "archive"). Raises ConfigError.

    A venue that is not known here is looked for among the exchanges of ccxt.
    """
    ways = _SOURCES.get(venue, _ELSEWHERE)
    if source != "auto" and source not in ways:
        raise ConfigError(f"{venue} has no source '{source}'", remedy=suggest(source, ["auto", *ways]))
    where = hosts(network)
    chosen = ways if source == "auto" else {source: ways[source]}
    return [_load(target)(venue, where) for target in chosen.values()]


def _load(target: str) -> Make:
    module, _, name = target.partition(":")
    make: Make = getattr(import_module(module), name)
    return make
