"""`truewind exchange` as a process: says where it is, serves, ends cleanly."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from truewind.cli import main


def test_it_serves_and_tells_where(exchange_process: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """The one line of JSON is enough to reach all three sites."""
    market = tmp_path / "market.yaml"
    market.write_text("symbols: [BTCUSDT]\nstart: 2024-01-01\ndays: 2\n")
    about = exchange_process("--synthetic", str(market), "--speed", "5")
    assert about["symbols"] == {"spot": ["BTCUSDT"], "usdm": ["BTCUSDT"]}
    assert about["now"].startswith("2024-01-02")
    for host, path in (("spot_rest", "/api/v3/time"), ("usdm_rest", "/fapi/v1/time")):
        with urllib.request.urlopen(about["hosts"][host] + path) as reply:
            assert json.load(reply)["serverTime"] >= 1_704_153_600_000
    with urllib.request.urlopen(about["hosts"]["archive"] + "/?prefix=data/&delimiter=/") as reply:
        assert b"data/spot/" in reply.read()


def test_it_ends_on_a_signal(tmp_path: Path) -> None:
    """SIGTERM closes it with exit code 0."""
    command = [
        sys.executable,
        "-m",
        "truewind.cli",
        "exchange",
        "--port",
        "0",
        "--set",
        "synthetic={symbols: [SOLUSDT], days: 2}",
    ]
    environment = {**os.environ, "TRUEWIND_LOGS": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = ""
    while "Ctrl-C" not in line:
        line = process.stdout.readline()
        assert line
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 0, told
    assert told.startswith("Closed.")


def test_a_port_that_is_taken(capsys: Any, tmp_path: Path) -> None:
    """Exit code 4, and the remedy."""
    from truewind.exchange import ExchangeConfig
    from truewind.exchange.server import running

    with running(ExchangeConfig(idle=True)) as exchange:
        assert main(["exchange", "--port", str(exchange.port)]) == 4
    assert "choose others with --port" in capsys.readouterr().err
