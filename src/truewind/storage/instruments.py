"""Instruments beside the data: one small file each, replaced as a whole."""

import msgspec

from truewind.domain.instrument import Instrument
from truewind.errors import CorruptError, UnknownSeriesError, suggest
from truewind.storage.blobs import Blobs
from truewind.storage.schema import segment, segment_value

_FOLDER = "meta/instruments"


def put(blobs: Blobs, instrument: Instrument) -> None:
    """Keep an instrument, in place of the one with its venue and symbol."""
    data = msgspec.json.format(msgspec.json.encode(instrument), indent=2)
    blobs.write(_file(instrument.venue, instrument.symbol), data)


def get(blobs: Blobs, venue: str, symbol: str, where: object) -> Instrument:
    """The instrument of a venue. Raises UnknownSeriesError with the closest name in the lake `where`, CorruptError."""
    name = _file(venue, symbol)
    data = blobs.read(name)
    if data is None:
        folders = [entry.name for entry in blobs.entries(_FOLDER)]
        venues = [value for value in map(segment_value, folders) if value]
        if venue not in venues:
            raise UnknownSeriesError(f"No instruments of venue '{venue}' in {where}", remedy=suggest(venue, venues))
        files = blobs.entries(f"{_FOLDER}/{segment('venue', venue)}")
        symbols = [value for value in (segment_value(file.name.removesuffix(".json")) for file in files) if value]
        raise UnknownSeriesError(f"No instrument '{symbol}' at {venue} in {where}", remedy=suggest(symbol, symbols))
    try:
        return msgspec.json.decode(data, type=Instrument)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        location = blobs.location(name)
        raise CorruptError(f"{location} is no instrument: {error}", remedy="Put it again", path=location) from None


def _file(venue: str, symbol: str) -> str:
    return f"{_FOLDER}/{segment('venue', venue)}/{segment('symbol', symbol)}.json"
