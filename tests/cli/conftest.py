"""A folder of one's own for every command, with a small synthetic lake in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from log_handlers import remove_all
from truewind import cli


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be exactly one JSON object."""
        assert self.out.count("\n") == 1, self.out
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Run = Callable[..., Done]

DEMO: dict[str, Any] = {
    "name": "test",
    "data": {"venue": "synthetic", "symbols": ["BTCUSDT", "ETHUSDT"], "timeframe": "1h"},
    "strategy": {
        "path": "truewind.strategies.crypto.breakout:Breakout",
        "params": {"entry": 24, "exit": 12, "atr": 14, "stop": 2.0},
    },
    "account": {"cash": 10_000},
    "sizing": {"method": "risk", "value": 0.005},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder without any setting of truewind in the environment but the kernel cache."""
    for name in os.environ:
        if name.startswith("TRUEWIND_") and name not in ("TRUEWIND_KERNELS", "TRUEWIND_CACHE"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    remove_all()


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: `run("data", "list")`."""

    def execute(*arguments: str | Path) -> Done:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Done(code, *capfd.readouterr())

    return execute


def run_process(*arguments: str | Path, cwd: Path) -> Done:
    """Runs a command in a process of its own."""
    command = [sys.executable, "-m", "truewind.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shell(home: Path) -> Run:
    """Runs a command in a process of its own, in the working folder of the test."""
    return partial(run_process, cwd=home)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """`truewind demo --json` from an empty folder, and what it left there."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, run_process("demo", "--json", cwd=folder)


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty days of two synthetic symbols in hourly bars, with funding."""
    from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
    from truewind.storage.lake import Lake

    folder = tmp_path_factory.mktemp("lake") / "data"
    config = SyntheticConfig(symbols=("BTCUSDT", "ETHUSDT"), start=date(2024, 1, 1), days=40, timeframe="1h")
    SyntheticMarket(config).write(Lake(folder))
    return folder


@pytest.fixture
def lake(home: Path, small_lake: Path) -> Path:
    """A copy of the small lake where commands look for it."""
    return Path(shutil.copytree(small_lake, home / "data"))


@pytest.fixture
def config(home: Path) -> Path:
    """A configuration that runs on the small lake."""
    path = home / "run.yaml"
    path.write_text(yaml.safe_dump(DEMO))
    return path
