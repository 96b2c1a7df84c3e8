"""One form of a run's report, from its folder. usage: ours_report.py FOLDER page|pdf|tables REPEATS"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import workload as w
from truewind import __version__
from truewind.analytics import export, pdf
from truewind.analytics.page import page
from truewind.analytics.report import load
from truewind.analytics.sections import build

FORMS: dict[str, Callable[[Path], int]] = {
    "page": lambda folder: len(page(build(load(folder))).encode()),
    "pdf": lambda folder: len(pdf.render(build(load(folder)))),
    "tables": lambda folder: (
        sum(map(len, export.as_csv(build(load(folder))).values())) + len(export.as_json(build(load(folder))))
    ),
}


def main() -> None:
    folder, form, repeats = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

    def run() -> tuple[float, int]:
        start = time.perf_counter()
        size = FORMS[form](folder)
        return time.perf_counter() - start, size

    seconds, size, rss = w.measure(run, repeats)
    w.tell(1, __version__, seconds, rss_mb=rss, note=f"{size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
