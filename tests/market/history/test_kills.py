"""`truewind data download`, killed again and again, against an exchange that misbehaves: the same lake in the end.

TRUEWIND_KILLS sets how often (a hundred for the proof in full, a few here); moments and faults are drawn by seed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from truewind.domain.clock import parse_ts_us
from truewind.exchange.faults import FaultConfig, Faults
from truewind.storage.lake import Lake

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange

KILLS = int(os.environ.get("TRUEWIND_KILLS", "2"))
SPAN = ("2024-01-29", "2024-02-02")
MARKET = {"symbols": ("BTCUSDT",), "start": SPAN[0], "days": 6}
FAULTS = {
    "drop": 0.03, "error": 0.03, "limited": 0.005, "html": 0.02, "garbled": 0.02, "empty": 0.01, "slow": 0.1,
    "slow_ms": 50,
}  # fmt: skip
KINDS = ("bars", "funding", "open_interest", "long_short")


def start_download(lake: Path, network: str, source: str) -> "subprocess.Popen[bytes]":
    words = ["data", "download", "--pair", "BTCUSDT", "--venue", "binance_usdm", "--kinds", *KINDS]
    words += ["--timeframes", "1m", "5m", "1h", "--start", SPAN[0], "--end", SPAN[1], "--source", source]
    environment = os.environ | {
        "TRUEWIND_LAKE": str(lake), "TRUEWIND_LOGS": str(lake.parent / "logs"), "TRUEWIND_NETWORK": network,
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "truewind.cli", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def progress(market: "LocalExchange", lake: Path) -> int:
    """Requests that the market had, and files that are in the lake: of an archive's files one hears nothing."""
    return market.gates["usdm"].requests + sum(1 for _ in lake.rglob("*.*"))


def wait_for(market: "LocalExchange", process: "subprocess.Popen[bytes]", lake: Path, more: int, then_s: float) -> bool:
    """Until so much more was done, and a moment longer; whether it still runs."""
    enough = progress(market, lake) + more
    while progress(market, lake) < enough and process.poll() is None:
        time.sleep(0.002)
    time.sleep(then_s)
    return process.poll() is None


@pytest.mark.parametrize("source", ["rest", "auto"])
def test_kills_at_any_moment_lead_to_the_same_lake(
    start_exchange: "Callable[..., AbstractContextManager[LocalExchange]]", tmp_path: Path, source: str
) -> None:
    """Snapshot id and ledger are those of a download that nothing disturbed, for as many lakes as it takes."""
    undisturbed, draw, kills = tmp_path / "undisturbed", random.Random(42), 0
    with start_exchange(synthetic=MARKET, speed=0.0, idle=True, limits=False) as market:
        finish(start_download(undisturbed, market.network, source))
        for name, gate in market.gates.items():
            gate.faults = Faults(FaultConfig.model_validate(FAULTS), name)
        while kills < KILLS:
            killed = tmp_path / f"killed_{kills}"
            while True:
                process = start_download(killed, market.network, source)
                more, then_s = draw.randrange(1, 40 if source == "rest" else 5), draw.uniform(0.0, 0.05)
                if kills == KILLS or not wait_for(market, process, killed, more, then_s):
                    break
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
            finish(process)
            compare(Lake(undisturbed), Lake(killed))


def finish(process: "subprocess.Popen[bytes]") -> None:
    output = process.communicate(timeout=100)[0]
    assert process.returncode == 0, output.decode()


def compare(one: Lake, other: Lake) -> None:
    assert one.snapshot().id == other.snapshot().id
    start_us, end_us = parse_ts_us(SPAN[0]), parse_ts_us(SPAN[1])
    for info in other.series():
        other.verify(info.key)
        assert other.unasked(info.key, start_us, end_us) == one.unasked(info.key, start_us, end_us)
        assert other.quarantined(info.key).is_empty()
