"""Senseless requests are refused with a code, or answered: the public side never breaks."""

import asyncio
from functools import cache
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.exchange import ExchangeConfig, LocalExchange, subscribing
from truewind.exchange.connection import Connection
from truewind.venues.binance.endpoints import ENDPOINTS

_NAMES = ("symbol", "symbols", "interval", "limit", "startTime", "endTime", "fromId", "period", "pair", "contractType")
_VALUES = st.one_of(
    st.sampled_from(
        ["BTCUSDT", "1m", "5m", "1M", "1s", "1h", "PERPETUAL", '["BTCUSDT"]', "[]", "{", "0", "-1", "1e9", ""]
    ),
    st.sampled_from([str(1_704_067_200_000 + step) for step in (0, 86_400_000, 172_800_000, 10**15)]),
    st.integers(-(10**25), 10**25).map(str),
    st.text(max_size=8),
)


@cache
def exchange() -> LocalExchange:
    market = {"symbols": ("BTCUSDT",), "start": "2024-01-01", "days": 2}
    return LocalExchange(ExchangeConfig.model_validate({"synthetic": market, "speed": 0.0, "limits": False}))


@examples(400)
@given(
    st.sampled_from(
        [(market, path) for market, table in ENDPOINTS.items() for method, path in table if method == "GET"]
    ),
    st.dictionaries(st.sampled_from([*_NAMES, "type", "windowSize", "colour"]), _VALUES, max_size=5),
)
def test_requests(where: tuple[str, str], parameters: dict[str, str]) -> None:
    """Every GET endpoint, with parameters that mean something and some that do not."""
    from urllib.parse import urlencode

    market, path = where
    answer = (
        exchange().gates[market].answer("GET", path, urlencode(parameters).encode(), b"", {"X-MBX-APIKEY": "k"}, "a")
    )
    told = orjson.loads(answer.body)
    assert answer.status == 200 or told["code"] < 0, (path, parameters)
    assert answer.status in (200, 400, 401, 404)


class _Transport:
    """Takes what is written."""

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return False


_REQUESTS = st.one_of(
    st.text(max_size=30),
    st.fixed_dictionaries(
        {},
        optional={
            "method": st.sampled_from(
                ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY", "X"]
            ),
            "params": st.one_of(
                st.none(),
                st.integers(-5, 5),
                st.lists(
                    st.one_of(
                        st.sampled_from(
                            ["btcusdt@trade", "!ticker@arr", "btcusdt@kline_1m", "btcusdt@depth20", "combined"]
                        ),
                        st.text(max_size=12),
                        st.booleans(),
                        st.integers(-5, 5),
                    ),
                    max_size=3,
                ),
            ),
            "id": st.one_of(
                st.integers(-5, 2**63), st.text(max_size=3), st.none(), st.lists(st.integers(0, 3), max_size=1)
            ),
        },
    ),
)


@examples(300)
@given(st.sampled_from(["spot", "usdm"]), st.lists(_REQUESTS, max_size=4))
def test_subscriptions(market: str, requests: list[Any]) -> None:
    """Each request on a stream connection has an answer: a result or an error with code and words."""
    hub = exchange().hubs[market]

    async def run() -> None:
        connection = Connection(_Transport(), hub.faults, "ms", 0.0)
        for request in requests:
            text = request if isinstance(request, str) else orjson.dumps(request).decode()
            told = orjson.loads(subscribing.answer(hub, connection, text))
            assert ("result" in told) or (told["error"]["code"] in (0, 1, 2, 3) and told["error"]["msg"])
        for name in list(connection.streams):
            hub.unsubscribe(connection, name)
        assert not connection.streams

    asyncio.run(run())
