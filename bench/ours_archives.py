"""Our side of the archives: from the archive's site into the lake, by the job that `truewind data download` runs.

usage: python ours_archives.py SITE KIND DAYS SYMBOLS CORES (0: all). One run in this process; memory is its peak.
"""

import os
import resource
import sys
import tempfile
import time

import workload


def main(site: str, kind: str, days: int, symbols: int, cores: int) -> None:
    if cores:  # before polars is loaded, which asks how many there are
        os.sched_setaffinity(0, range(cores))
        os.environ["POLARS_MAX_THREADS"] = str(cores)
    import truewind
    from truewind.domain.clock import parse_ts_us
    from truewind.domain.timeframe import DAY_US
    from truewind.market.history.archive import ArchiveProvider
    from truewind.market.history.download import Want, download
    from truewind.storage.lake import Lake
    from truewind.storage.schema import SeriesKey
    from truewind.venues.binance.hosts import Hosts

    start, venue = parse_ts_us("2024-01-01"), "binance_usdm"
    timeframe = "1m" if kind == "bars" else ""
    keys = [SeriesKey(kind, venue, f"SYM{number:03}USDT", timeframe) for number in range(symbols)]
    wants = [Want(key, ((start, start + days * DAY_US),)) for key in keys]
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        begin = time.perf_counter()
        report = download(Lake(folder), {venue: [ArchiveProvider(venue, Hosts(*[""] * 5, archive=site))]}, wants)
        seconds = time.perf_counter() - begin
    if report.error or any(outcome.open_us or outcome.quarantined for outcome in report.outcomes):
        sys.exit(f"not all came: {report.error or report.outcomes[0]}")
    stored = sum(outcome.stored for outcome in report.outcomes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    workload.tell(stored, truewind.__version__, [seconds], rss_mb=peak)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
