"""Coinbase's streams: `level2` (a snapshot, then one changed level a message) and `matches`.

The channel numbers nothing, so a missing update cannot be seen; messages are told apart by their time in µs and their
order within it. A match names the side of the order that rested.
https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from truewind.domain.clock import parse_ts_us
from truewind.errors import FormatError
from truewind.market.recordings.lines import Line
from truewind.market.recordings.messages import NONE, Levels, Messages
from truewind.market.recordings.rows import LEVEL, SNAPSHOT, TRADE

_AT_ONCE = 1000  # messages of one µs that can be told apart
_Side = Literal["buy", "sell"]


class _Frame(msgspec.Struct, gc=False):
    """The payloads of snapshot, l2update and match at once."""

    type: str
    product_id: str = ""
    time: datetime | None = None
    bids: Levels = []
    asks: Levels = []
    changes: list[tuple[_Side, str, str]] = []
    side: _Side = "buy"
    price: str = ""
    size: str = ""
    trade_id: int = NONE


class Decoder:
    """See `messages.Decoder`."""

    format = "coinbase_streams"
    venue = "coinbase"

    def __init__(self) -> None:
        self.messages = Messages()
        self.others: dict[str, int] = {}
        self._decode: Any = msgspec.json.Decoder(_Frame).decode
        self._numbers: dict[str, int] = {}

    def add(self, line: Line, source: str) -> None:
        try:
            frame: _Frame = self._decode(line.payload)
        except msgspec.DecodeError as error:
            raise FormatError(
                f"{source}, line {line.number}: {error}", remedy="Fetch the file again, or cut the line out"
            ) from None
        event = NONE if frame.time is None else parse_ts_us(frame.time)
        if frame.type == "snapshot":
            ids = (NONE, line.recv_us * _AT_ONCE, NONE)
            self.messages.add(line, source, frame.product_id, SNAPSHOT, NONE, ids, frame.bids, frame.asks)
        elif frame.type == "l2update" and event != NONE:
            number = max(event * _AT_ONCE, self._numbers.get(frame.product_id, NONE) + 1)
            self._numbers[frame.product_id] = number
            bids, asks = ([(p, q) for told, p, q in frame.changes if told == side] for side in ("buy", "sell"))
            self.messages.add(line, source, frame.product_id, LEVEL, event, (NONE, number, NONE), bids, asks)
        elif frame.type == "match" and event != NONE:
            level = [(frame.price, frame.size)]
            bought, sold = (level, []) if frame.side == "sell" else ([], level)
            self.messages.add(line, source, frame.product_id, TRADE, event, (NONE, frame.trade_id, NONE), bought, sold)
        else:
            self.others[frame.type] = self.others.get(frame.type, 0) + 1
