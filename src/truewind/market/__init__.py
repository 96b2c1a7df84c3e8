"""Market data: what users have or the embedded market makes, checked, on its way into the lake."""

from typing import TYPE_CHECKING

from truewind._public import on_first_use

if TYPE_CHECKING:
    from truewind.market.history.provider import DataProvider as DataProvider
    from truewind.market.importing import import_files as import_files
    from truewind.market.selection import UniverseSettings as UniverseSettings
    from truewind.market.selection import select as select
    from truewind.market.stream.binance import BinanceStreams as BinanceStreams
    from truewind.market.stream.book import LocalBook as LocalBook
    from truewind.market.stream.merge import Timeline as Timeline
    from truewind.market.stream.user import UserStream as UserStream
    from truewind.market.synthetic.config import SyntheticConfig as SyntheticConfig
    from truewind.market.synthetic.market import SyntheticMarket as SyntheticMarket
    from truewind.market.universe import universe_of as universe_of
    from truewind.venues.binance.hosts import hosts as hosts

_PUBLIC = {
    "BinanceStreams": "truewind.market.stream.binance:BinanceStreams",
    "DataProvider": "truewind.market.history.provider:DataProvider",
    "LocalBook": "truewind.market.stream.book:LocalBook",
    "SyntheticConfig": "truewind.market.synthetic.config:SyntheticConfig",
    "SyntheticMarket": "truewind.market.synthetic.market:SyntheticMarket",
    "Timeline": "truewind.market.stream.merge:Timeline",
    "UniverseSettings": "truewind.market.selection:UniverseSettings",
    "UserStream": "truewind.market.stream.user:UserStream",
    "hosts": "truewind.venues.binance.hosts:hosts",
    "import_files": "truewind.market.importing:import_files",
    "select": "truewind.market.selection:select",
    "universe_of": "truewind.market.universe:universe_of",
}

__all__ = [
    "BinanceStreams",
    "DataProvider",
    "LocalBook",
    "SyntheticConfig",
    "SyntheticMarket",
    "Timeline",
    "UniverseSettings",
    "UserStream",
    "hosts",
    "import_files",
    "select",
    "universe_of",
]

__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
