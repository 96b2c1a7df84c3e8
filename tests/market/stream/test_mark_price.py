"""The rate in a mark price message is text; it is a number to us."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from truewind.errors import ProtocolError
from truewind.market.stream.translate import MAKERS
from truewind.venues.binance.messages import message_decoder, parse_stream

STREAM = parse_stream("usdm", "btcusdt@markPrice@1s")


def told(**changes: str) -> Any:
    message = {
        "e": "markPriceUpdate",
        "E": 1562305380000,
        "s": "BTCUSDT",
        "p": "11794.15000000",
        "i": "11784.62659091",
        "r": "0.00038167",
        "T": 1562306400000,
        **changes,
    }
    decode = message_decoder(STREAM, combined=False)
    return MAKERS["markPrice"](decode(json.dumps(message).encode()), 0, STREAM)


def test_the_documented_example() -> None:
    found = told()
    assert (found.mark_price, found.index_price, found.funding_rate) == (11794.15, 11784.62659091, 0.00038167)
    assert found.next_funding_ts == 1562306400000_000


def test_contracts_without_funding_and_damaged_rates() -> None:
    assert math.isnan(told(r="").funding_rate)
    for rate in ("much", "inf", "-1e999"):
        with pytest.raises(ProtocolError):
            told(r=rate)


def test_the_recorded_message(shared: Path) -> None:
    """As another tool has collected it: see the README beside it."""
    items = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_ws_market.json").read_text())["items"]
    recorded = next(item["payload"] for item in items if item["payload"].get("e") == "markPriceUpdate")
    decode = message_decoder(STREAM, combined=False)
    assert MAKERS["markPrice"](decode(json.dumps(recorded).encode()), 0, STREAM).funding_rate == float(recorded["r"])
