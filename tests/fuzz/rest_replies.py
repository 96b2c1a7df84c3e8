"""Coverage-guided fuzzing (atheris) of all decoders of Binance's REST replies.

    python tests/fuzz/rest_replies.py [SEEDS_FOLDER] [-max_total_time=60]

Whatever the bytes are, a decoder gives a table of stored types or raises ProtocolError; and what it takes for rows
passes validation into the lake's schema or into quarantine. Seeds are small replies in the documented shapes; recorded
ones can be written to a folder by the test beside this file, which also runs it for a moment.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["truewind.venues.binance.payloads", "truewind.market.validate"]):
    from truewind.errors import ProtocolError
    from truewind.market.files.table import ROW
    from truewind.market.validate import validate
    from truewind.storage import schema
    from truewind.storage.schema import SeriesKey
    from truewind.venues.binance import payloads

NOW_US = 1_700_000_000_000_000
DECODERS: list[tuple[Callable[[bytes], object], SeriesKey | None]] = [
    (payloads.klines, SeriesKey("bars", "binance", "X", "1m")),
    (payloads.price_klines, SeriesKey("premium_index", "binance_usdm", "X", "1m")),
    (payloads.agg_trades, SeriesKey("trades", "binance", "X")),
    (payloads.trades, SeriesKey("trades", "binance", "X")),
    (lambda data: payloads.depth(data, NOW_US), SeriesKey("book", "binance", "X")),
    (lambda data: payloads.funding_rates(data, "X"), SeriesKey("funding", "binance_usdm", "X")),
    (lambda data: payloads.open_interest_history(data, "X"), SeriesKey("open_interest", "binance_usdm", "X")),
    (payloads.open_interest, SeriesKey("open_interest", "binance_usdm", "X")),
    (lambda data: payloads.ratios(data, "accounts"), SeriesKey("long_short", "binance_usdm", "X")),
    (lambda data: payloads.taker_ratios(data, "taker_volume"), SeriesKey("long_short", "binance_usdm", "X")),
    (payloads.server_time_us, None),
    (payloads.exchange_information, None),
    (payloads.failure, None),
]


def one(data: bytes) -> None:
    """The first byte chooses the decoder."""
    decode, key = DECODERS[data[0] % len(DECODERS)] if data else DECODERS[0]
    try:
        table = decode(data[1:])
    except ProtocolError:
        return
    if key is not None:
        verdict = validate(key, table.with_row_index(ROW, 1))
        schema.validate(key, verdict.rows)
        assert verdict.rows.height + verdict.refused.height + verdict.duplicates == table.height


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-") and Path(argument).is_dir()]
    print(f"{len(DECODERS)} decoders, seeds: {', '.join(folders) or 'none'}", file=sys.stderr)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
