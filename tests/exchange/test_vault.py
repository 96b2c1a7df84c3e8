"""What an exchange has acknowledged outlives it, however it ends."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange.signed import Client
from truewind.errors import CorruptError, MissingFileError
from truewind.exchange import ExchangeConfig, LocalExchange
from truewind.exchange.accounts import Register
from truewind.exchange.vault import Vault
from truewind.storage.journal import JournalWriter

Trade = Callable[..., None]
SPOT, USDM = "/api/v3", "/fapi/v1"
LOOKS = (
    ("GET", f"{SPOT}/account", {}),
    ("GET", f"{SPOT}/openOrders", {}),
    ("GET", f"{SPOT}/allOrders", {"symbol": "BTCUSDT"}),
    ("GET", f"{SPOT}/myTrades", {"symbol": "BTCUSDT"}),
    ("GET", f"{SPOT}/openOrderList", {}),
    ("GET", "/fapi/v2/balance", {}),
    ("GET", "/fapi/v3/positionRisk", {}),
    ("GET", f"{USDM}/openOrders", {}),
    ("GET", f"{USDM}/allOrders", {"symbol": "BTCUSDT"}),
    ("GET", f"{USDM}/openAlgoOrders", {}),
    ("GET", f"{USDM}/userTrades", {"symbol": "BTCUSDT"}),
    ("GET", f"{USDM}/income", {}),
    ("GET", f"{USDM}/symbolConfig", {"symbol": "BTCUSDT"}),
    ("GET", f"{USDM}/positionSide/dual", {}),
)
MOVING = ("updateTime", "workingTime")  # when an order came back is a time of its own


def still(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: still(inner) for name, inner in value.items() if name not in MOVING}
    return [still(inner) for inner in value] if isinstance(value, list) else value


async def state(client: Client) -> list[Any]:
    return [still(await client.do(method, path, **params)) for method, path, params in LOOKS]


async def live_a_little(client: Client) -> None:
    """Orders of all kinds, on both markets."""
    one = {"symbol": "BTCUSDT", "side": "BUY"}
    await client.do("POST", f"{SPOT}/order", **one, type="MARKET", quantity="0.3")
    await client.do("POST", f"{SPOT}/order", **one, type="LIMIT", timeInForce="GTC", quantity="0.1", price="38000")
    await client.do(
        "POST", f"{SPOT}/orderList/oco", symbol="BTCUSDT", side="SELL", quantity="0.2", aboveType="LIMIT_MAKER",
        abovePrice="50000", belowType="STOP_LOSS", belowStopPrice="37000")  # fmt: skip
    await client.do("POST", f"{USDM}/positionSide/dual", dualSidePosition="true")
    await client.do("POST", f"{USDM}/leverage", symbol="BTCUSDT", leverage=33)
    await client.do("POST", f"{USDM}/order", **one, type="MARKET", quantity="0.4", positionSide="LONG")
    short = {"symbol": "BTCUSDT", "side": "SELL", "positionSide": "SHORT"}
    await client.do("POST", f"{USDM}/order", **short, type="MARKET", quantity="0.1")
    await client.do("POST", f"{USDM}/order", **short, type="LIMIT", timeInForce="GTC", quantity="0.1", price="45000")
    await client.do(
        "POST", f"{USDM}/algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", positionSide="LONG",
        type="STOP_MARKET", triggerPrice="30000", closePosition="true")  # fmt: skip
    made = await client.do(
        "POST", f"{USDM}/order", **short, type="LIMIT", timeInForce="GTC", quantity="0.1", price="46000"
    )
    await client.do("DELETE", f"{USDM}/order", symbol="BTCUSDT", orderId=made["orderId"])


def test_another_exchange_goes_on_where_one_ended(trade: Trade, tmp_path: Path) -> None:
    before: list[Any] = []

    async def first(client: Client) -> None:
        await live_a_little(client)
        before.extend(await state(client))

    async def second(client: Client) -> None:
        assert await state(client) == before
        newer = await client.do("POST", f"{SPOT}/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        assert newer["orderId"] > max(row["orderId"] for row in before[2])
        (group,) = before[4]
        await client.do("DELETE", f"{SPOT}/orderList", symbol="BTCUSDT", orderListId=group["orderListId"])
        await client.do("DELETE", f"{USDM}/algoOrder", algoId=before[9][0]["algoId"])
        close = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.4", "positionSide": "LONG"}
        assert (await client.do("POST", f"{USDM}/order", **close, newOrderRespType="RESULT"))["status"] == "FILLED"

    trade(first, vault=tmp_path / "vault")
    trade(second, vault=tmp_path / "vault")
    trade(lambda client: state(client), vault=tmp_path / "vault")


def test_a_vault_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    with JournalWriter(path) as journal:
        journal.record("order", market="spot", account="k", value={"id": "none"})
    register = Register(list(ExchangeConfig().accounts))
    register.accounts[0].key = "k"
    with pytest.raises(CorruptError, match="another version"):
        Vault(path).restore(register.accounts[0], "spot", "order")


class Process:
    """`truewind exchange` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        market = folder / "market.yaml"
        market.write_text(json.dumps({"symbols": ["BTCUSDT"], "start": "2024-01-01", "days": 2}))
        command = [
            sys.executable,
            "-m",
            "truewind.cli",
            "exchange",
            "--port",
            "0",
            "--synthetic",
            str(market),
            "--json",
        ]
        options = ["--speed", "0", "--set", f"vault={folder / 'vault'}", "--set", "limits=false"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, env=os.environ)
        assert self.process.stdout is not None
        text = ""
        while not text.rstrip().endswith("}") or text.count("{") != text.count("}"):
            line = self.process.stdout.readline()
            assert line, "the exchange ended"
            text += line
        self.port = int(json.loads(text)["network"].rsplit(":", 1)[1])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_a_kill_loses_no_acknowledged_order(tmp_path: Path) -> None:
    """A life that is ended by kill −9 in the midst of orders: afterwards all that was acknowledged is there."""
    draw = random.Random(7)
    known: dict[str, str] = {}  # status of each order by its client id, as it was acknowledged
    asked: set[str] = set()  # what was asked to be cancelled without an answer

    async def trade(exchange: Any, process: Process, seconds: float) -> None:
        async with aiohttp.ClientSession() as session:
            client = Client(exchange, session)
            killing: asyncio.TimerHandle | None = None
            try:
                while True:
                    name = f"order-{len(known) + len(asked)}-{draw.randrange(10**9)}"
                    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
                    asked.add(name)
                    await client.do(
                        "POST", f"{SPOT}/order", **order, quantity="0.01", price="38000", newClientOrderId=name
                    )
                    asked.discard(name)
                    known[name] = "NEW"
                    killing = killing or asyncio.get_running_loop().call_later(seconds, process.kill)
                    if draw.random() < 0.7:
                        other = draw.choice([key for key, status in known.items() if status == "NEW"])
                        asked.add(other)
                        await client.do("DELETE", f"{SPOT}/order", symbol="BTCUSDT", origClientOrderId=other)
                        asked.discard(other)
                        known[other] = "CANCELED"
            except (aiohttp.ClientError, OSError):
                assert process.process.poll() is not None

    async def check(exchange: Any) -> None:
        async with aiohttp.ClientSession() as session:
            found: dict[str, str] = {}
            first, rows = 1, [{}]
            while rows:
                page = {"symbol": "BTCUSDT", "orderId": first, "limit": 1000}
                rows = await Client(exchange, session).do("GET", f"{SPOT}/allOrders", **page)
                found |= {row["clientOrderId"]: row["status"] for row in rows}
                first = rows[-1]["orderId"] + 1 if rows else first
            for name, status in known.items():
                assert found.get(name) == status or (name in asked and found.get(name) == "CANCELED"), name
            assert found.keys() <= known.keys() | asked
            known.update(found)
            asked.clear()
            account = await Client(exchange, session).do("GET", f"{SPOT}/account")
            locked = next(row["locked"] for row in account["balances"] if row["asset"] == "USDT")
            assert float(locked) == 380.0 * sum(status == "NEW" for status in found.values())

    for _ in range(1):
        process = Process(tmp_path)
        try:
            exchange = _Address(process.port)
            asyncio.run(check(exchange))
            asyncio.run(trade(exchange, process, 0.1 + draw.random() / 2))
        finally:
            if process.process.poll() is None:
                process.kill()
    process = Process(tmp_path)
    try:
        asyncio.run(check(_Address(process.port)))
    finally:
        process.kill()
    assert len(known) > 20


class _Address:
    """As much of a LocalExchange as a client needs of one in another process."""

    def __init__(self, port: int) -> None:
        from truewind.venues.binance.hosts import local_hosts

        self.hosts = local_hosts(port)
        self.clock = self

    def told_us(self) -> int:
        return 1_704_153_600_000_000  # the synthetic market's second day, at which its time stands still


def test_nothing_is_written_without_a_vault(trade: Trade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trade(live_a_little)
    assert not list(tmp_path.iterdir())


def test_a_vault_in_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="No folder"):
        LocalExchange(ExchangeConfig.model_validate({"vault": tmp_path / "no" / "vault", "synthetic": {"days": 1}}))
