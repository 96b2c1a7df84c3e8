"""A local exchange at today's date and real speed, as clients find Binance: they sign with their own clocks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from truewind.exchange import LocalExchange


@pytest.fixture(scope="session")
def venue(start_exchange: Callable[..., AbstractContextManager[LocalExchange]]) -> Iterator[LocalExchange]:
    with start_exchange(limits=False, synthetic={"symbols": ("BTCUSDT", "SOLUSDT"), "days": 1}) as exchange:
        yield exchange
