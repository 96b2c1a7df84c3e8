"""What every test may ask for."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import profiles  # noqa: F401  (loads the profile of hypothesis)

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange

SHARED = Path(os.environ.get("TRUEWIND_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of recorded market data; the test is skipped where it is absent, but in CI that is a failure."""
    if not (SHARED / "market-data").is_dir():
        message = f"no recorded market data at {SHARED} (set TRUEWIND_SHARED)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED / "market-data"


@pytest.fixture(scope="session", autouse=True)
def _ledger_of_trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests try is recorded in a database of their own, not where they are started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUEWIND_DATABASE", str(tmp_path_factory.mktemp("ledger") / "truewind.db"))
        yield


SMALL_MARKET = {"symbols": ("BTCUSDT", "SOLUSDT"), "start": "2024-01-01", "days": 3}


@pytest.fixture(scope="session")
def start_exchange() -> "Callable[..., AbstractContextManager[LocalExchange]]":
    """`with start_exchange(limits=False, …) as exchange:` a local exchange in a thread, on free ports.

    Settings are those of ExchangeConfig; without any, a synthetic market of three days that opens on the third.
    """

    def start(**settings: Any) -> "AbstractContextManager[LocalExchange]":
        from truewind.exchange import ExchangeConfig
        from truewind.exchange.server import running

        if "lake" not in settings:
            settings.setdefault("synthetic", SMALL_MARKET)
        return running(ExchangeConfig.model_validate(settings))

    return start


@pytest.fixture(scope="session")
def exchange(start_exchange: "Callable[..., AbstractContextManager[LocalExchange]]") -> "Iterator[LocalExchange]":
    """A local exchange for the whole session: BTCUSDT and SOLUSDT, limits only counted, time ten times as fast."""
    with start_exchange(limits=False, speed=10.0) as running:
        yield running


@pytest.fixture
def exchange_process() -> Iterator["Callable[..., dict[str, Any]]"]:
    """`exchange_process("--speed", "10", …)`: a local exchange in a process of its own.

    Returns what it says of itself (`network`, `hosts`, `now`, `symbols`) and its `pid`. It ends with the test.
    """
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "truewind.cli", "exchange", "--port", "0", "--json", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return {**json.loads(process.stdout.readline()), "pid": process.pid}

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
