"""Reports

All that `truewind report` makes of a finished run, from the files of its folder: reading them, the sections with their
statistics, and drawing. One year of one-minute bars, a breakout that trades about five thousand times. Memory is that
of the whole process.
"""

import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from harness import Row, main, row, run

BARS = {True: 20, False: 347}  # days of a quick run, and of half a million bars
FORMS = {"page": "HTML page", "pdf": "PDF", "tables": "CSV and JSON"}


def finished(days: int, home: Path) -> tuple[Path, str]:
    """The folder of a run over so many days, and what it holds, in words."""
    import truewind
    from truewind.market.synthetic import SyntheticConfig, SyntheticMarket

    lake = truewind.Lake(home / "data")
    market = SyntheticConfig(symbols=("BTCUSDT",), start=date(2024, 1, 1), days=days, timeframe="1m")
    SyntheticMarket(market).write(lake)
    config = {
        "name": "bench",
        "data": {"venue": "synthetic", "symbols": ["BTCUSDT"], "timeframe": "1m"},
        "strategy": {"path": "breakout", "params": {"entry": 120, "exit": 60}},
        "risk": {"cooldown_minutes": None, "max_drawdown": 0.0},
        "account": {"cash": 1_000_000},
        "sizing": {"method": "risk", "value": 0.0001},
    }
    done = truewind.run(config, lake=lake, runs=home / "runs", database=home / "trials.db")
    return done.run_dir, f"{done.summary['bars']:,} bars, {done.summary['trades']:,} trades"


def rows(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as home:
        folder, holds = finished(BARS[quick], Path(home))
        for form, name in FORMS.items():
            ours = run(sys.executable, "ours_report.py", folder, form, 1 if quick else 3)
            yield row(f"{name}: {holds}", "reports", {**ours, "note": f"the file has {ours['note']}"}, {})


if __name__ == "__main__":
    main(rows, __doc__)
