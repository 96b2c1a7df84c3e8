"""Coverage-guided fuzzing (atheris) of the decoders of Binance's stream messages and user data.

    python tests/fuzz/stream_messages.py [SEEDS_FOLDER] [-max_total_time=60]

Whatever the bytes are, they become an event with times and prices that can be, or a ProtocolError.
"""

import math
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["truewind.venues.binance", "truewind.market.stream.translate"]):
    from truewind.domain.market import Bar, Quote, Trade
    from truewind.errors import ProtocolError
    from truewind.market.stream.events import Depth, Partial
    from truewind.market.stream.translate import MAKERS
    from truewind.venues.binance.messages import message_decoder, parse_stream, stream_of
    from truewind.venues.binance.user_messages import user_message

NOW_US = 1_700_000_000_000_000
CHANNELS = (
    "aggTrade",
    "kline_1m",
    "depth@100ms",
    "depth5",
    "bookTicker",
    "markPrice@1s",
    "forceOrder",
    "ticker",
    "trade",
)
STREAMS = [parse_stream("usdm", f"x@{channel}") for channel in CHANNELS]
STREAMS += [parse_stream("spot", f"x@{channel}") for channel in ("depth5", "bookTicker", "kline_1m")]
DECODERS = [message_decoder(stream) for stream in STREAMS]


def one(data: bytes) -> None:
    """The first byte chooses the stream; one more than there are: user data."""
    which = data[0] % (len(STREAMS) + 1) if data else 0
    stream_of(data[1:])
    try:
        if which == len(STREAMS):
            user_message(data[1:])
            return
        stream = STREAMS[which]
        make = MAKERS["partial" if stream.levels else stream.channel]
        event = make(DECODERS[which](data[1:]), NOW_US, stream)
    except ProtocolError:
        return
    assert 10**15 <= event.ts_event < 10**16 + 10**14
    prices: list[float] = []
    if isinstance(event, Trade):
        prices = [event.price, event.quantity]
    elif isinstance(event, Bar):
        prices = [event.low, event.high]
    elif isinstance(event, Quote):
        prices = [event.bid, event.ask]
    elif isinstance(event, Depth | Partial):
        prices = [price for price, _ in [*event.bids, *event.asks]]
    assert all(0.0 < price < math.inf for price in prices)


if __name__ == "__main__":
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-") and Path(argument).is_dir()]
    print(f"{len(DECODERS) + 1} decoders, seeds: {', '.join(folders) or 'none'}", file=sys.stderr)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
