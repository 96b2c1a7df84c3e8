"""Start-up

Wall time of a whole fresh process, from its start to its end, median of nine. `import truewind` and `truewind --help`
are what every user waits for each time; beside them, importing what a peer's backtest needs. An interpreter that does
nothing is the floor under all of them.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import workload
from harness import Answer, Missing, Row, main, peer_python, row

IMPORTS = {
    "backtesting": "import backtesting",
    "nautilus_trader": "from nautilus_trader.backtest.engine import BacktestEngine",
    "backtrader": "import backtrader",
}
VERSION = "from importlib.metadata import version; print(version('{}'))"


def process(command: list[str], times: int) -> list[float]:
    """Wall seconds of each of `times` fresh processes, after one that warms the disk cache. Raises Missing."""
    seconds = []
    for _ in range(times + 1):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            raise Missing(f"{Path(command[0]).name} ended with exit code {done.returncode}")
    return seconds[1:]


def started(command: list[str], release: str, times: int) -> Answer:
    return workload.answer(1, release, process(command, times))


def peer_imports(times: int) -> dict[str, Answer | Missing]:
    found: dict[str, Answer | Missing] = {}
    for peer, statement in IMPORTS.items():
        try:
            python = str(peer_python(peer))
            release = subprocess.run(
                [python, "-c", VERSION.format(peer)], capture_output=True, text=True, check=True
            ).stdout.strip()
            found[peer] = started([python, "-c", statement], release, times)
        except Missing as missing:
            found[peer] = missing
    return found


def rows(quick: bool) -> Iterator[Row]:
    times = 1 if quick else 9
    release = version("truewind")
    yield row("python, nothing", "starts", started([sys.executable, "-c", ""], sys.version.split()[0], times), {})
    ours = started([sys.executable, "-c", "import truewind"], release, times)
    yield row("import truewind", "starts", ours, peer_imports(times))
    program = shutil.which("truewind", path=str(Path(sys.executable).parent)) or "truewind"
    yield row("truewind --help", "starts", started([program, "--help"], release, times), {})


if __name__ == "__main__":
    main(rows, __doc__)
