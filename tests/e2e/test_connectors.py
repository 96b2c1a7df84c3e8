"""The venue's own connectors against the local exchange over real connections."""

import json
import queue
import time
from typing import Any

import pytest

from truewind.exchange import LocalExchange
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET

pytestmark = pytest.mark.filterwarnings("ignore")


def test_spot(venue: LocalExchange) -> None:
    from binance.spot import Spot

    client = Spot(LOCAL_KEY, LOCAL_SECRET, base_url=venue.hosts.spot_rest)
    assert len(client.klines("BTCUSDT", "1m", limit=5)) == 5
    last = float(client.ticker_price("BTCUSDT")["price"])
    made = client.new_order(
        symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC", quantity=0.01, price=f"{last * 1.1:.1f}"
    )
    assert client.get_order("BTCUSDT", orderId=made["orderId"])["status"] == "NEW"
    assert client.cancel_order("BTCUSDT", orderId=made["orderId"])["status"] == "CANCELED"
    filled = client.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty=500)
    assert filled["status"] == "FILLED"
    assert 440 < float(filled["cummulativeQuoteQty"]) <= 500
    assert client.my_trades("BTCUSDT")[-1]["orderId"] == filled["orderId"]
    assert client.account()["canTrade"]


def test_spot_by_the_websocket_api(venue: LocalExchange) -> None:
    from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient

    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    client = SpotWebsocketAPIClient(
        stream_url=venue.hosts.spot_ws_api,
        api_key=LOCAL_KEY,
        api_secret=LOCAL_SECRET,
        on_message=lambda _, message: answers.put(json.loads(message)),
    )
    try:
        client.ticker_price(symbol="BTCUSDT", id="1")
        last = float(answers.get(timeout=10)["result"]["price"])
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01}
        client.new_order(**order, price=f"{last * 0.9:.1f}", newOrderRespType="RESULT", id="2")
        placed = answers.get(timeout=10)
        assert placed["status"] == 200, placed
        assert placed["result"]["status"] == "NEW"
        client.cancel_order("BTCUSDT", orderId=placed["result"]["orderId"], id="3")
        assert answers.get(timeout=10)["result"]["status"] == "CANCELED"
        client.account(id="4")
        assert answers.get(timeout=10)["result"]["accountType"] == "SPOT"
    finally:
        client.stop()


def test_futures(venue: LocalExchange) -> None:
    from binance.um_futures import UMFutures
    from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

    client = UMFutures(LOCAL_KEY, LOCAL_SECRET, base_url=venue.hosts.usdm_rest)
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    socket = UMFuturesWebsocketClient(
        stream_url=venue.hosts.usdm_ws, on_message=lambda _, message: events.put(json.loads(message))
    )
    try:
        socket.user_data(client.new_listen_key()["listenKey"], id=1)
        while events.get(timeout=10).get("id") != 1:
            pass
        last = float(client.ticker_price("BTCUSDT")["price"])
        made = client.new_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.01, price=f"{last * 0.9:.1f}"
        )
        update = _until(events, "ORDER_TRADE_UPDATE")
        assert (update["o"]["i"], update["o"]["X"]) == (made["orderId"], "NEW")
        assert client.query_order("BTCUSDT", orderId=made["orderId"])["status"] == "NEW"
        assert client.cancel_order("BTCUSDT", orderId=made["orderId"])["status"] == "CANCELED"
        assert _until(events, "ORDER_TRADE_UPDATE")["o"]["X"] == "CANCELED"
        assert float(client.account()["totalWalletBalance"]) > 0
        assert client.get_position_risk(symbol="BTCUSDT") == []
        assert client.commission_rate("BTCUSDT")["takerCommissionRate"] == "0.0005"
    finally:
        socket.stop()


def _until(events: "queue.Queue[dict[str, Any]]", kind: str) -> dict[str, Any]:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        row = events.get(timeout=10)
        if row.get("e") == kind:
            return row
    raise AssertionError(f"no {kind} came")
