"""Start-up

Wall time of a whole fresh process, from its start to its end, median of nine after one that warms the disk cache.
`import truewind` and `truewind --help` are what every user waits for each time. truewind imports its heavy parts on
first use, so the fair comparison with the peers is the last row: importing what a backtest needs, ours with polars,
numba and the compiled kernels' modules.

A small backtest, `truewind backtest configs/demo.yaml` with its kernels in the disk cache, takes 2.3 s of processor
time. Two fifths are libraries: numba 0.5 (two thirds of it are registries that it fills before the first kernel runs),
polars, pydantic and SQLAlchemy 0.4. Our own modules take 0.4, the run 0.9, of which the report is half, bars and orders
a fifth, and machine code from the disk a tenth. Where Python may not keep bytecode (PYTHONDONTWRITEBYTECODE), compiling
three hundred modules takes 0.45 more.
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
# Strategy, engine, merge, costs, limits and lake, as `truewind.run` loads them.
BACKTEST = "import truewind; truewind.Strategy; truewind.Lake; import truewind.engine.engine"
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
    nothing = started([sys.executable, "-c", ""], release, times)
    note = f"an interpreter that does nothing takes {1000 / nothing['per_s']:.0f} ms of it"
    ours = started([sys.executable, "-c", "import truewind"], release, times)
    yield row("import truewind", "starts", {**ours, "note": note}, {})
    program = shutil.which("truewind", path=str(Path(sys.executable).parent)) or "truewind"
    yield row("truewind --help", "starts", started([program, "--help"], release, times), {})
    ours = started([sys.executable, "-c", BACKTEST], release, times)
    yield row("import what a backtest needs", "starts", ours, peer_imports(times))


if __name__ == "__main__":
    main(rows, __doc__)
