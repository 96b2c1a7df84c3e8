"""The signatures that Binance's documents show for given keys and requests."""

import pytest

from truewind.venues.binance.signing import HmacKey, Secret, is_signed, signed, socket_payload, taken_apart

SPOT = HmacKey(Secret("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"))
FUTURES = HmacKey(Secret("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"))
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"

# (key, query, body, signature): binance-spot-api-docs, rest-api.md, "SIGNED Endpoint Examples for POST /api/v3/order",
# examples 1 to 3; USD-M futures "General Info", examples of POST /fapi/v1/order.
DOCUMENTED = [
    (
        SPOT,
        b"",
        b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        b"&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        SPOT,
        b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        b"&timestamp=1499827319559",
        b"",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        SPOT,
        b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
        b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
    (
        FUTURES,
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        b"&timestamp=1591702613943",
        b"",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
    (
        FUTURES,
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC",
        b"quantity=1&price=9000&recvWindow=5000&timestamp= 1591702613943",  # the space is in the document, and counts
        "f9d0ae5e813ef6ccf15c2b5a434047a0181cb5a342b903b367ca6d27a66e36f2",
    ),
]


@pytest.mark.parametrize(("key", "query", "body", "signature"), DOCUMENTED)
def test_requests_bear_the_documented_signature(key: HmacKey, query: bytes, body: bytes, signature: str) -> None:
    assert key.sign(query + body) == signature
    tail = f"&signature={signature}".encode()
    assert is_signed(query, body + tail, key) if body else is_signed(query + tail, body, key)
    assert taken_apart(query, body + tail) == (query + body, signature)
    assert not is_signed(query + b"&", body + tail, key)
    assert signed(query + body, key).endswith(tail)


def test_the_websocket_api_signs_parameters_in_order() -> None:
    """web-socket-api.md, "SIGNED request example (HMAC)"."""
    params = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "newOrderRespType": "ACK",
        "recvWindow": 100,
        "timestamp": 1645423376532,
        "apiKey": API_KEY,
        "signature": "not part of it",
    }
    assert SPOT.sign(socket_payload(params)) == "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a"
