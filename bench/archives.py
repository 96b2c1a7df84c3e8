"""Archives

Zips in the layout of Binance's public archive, served by another process of this machine, into the lake by the job of
`truewind data download`: fetched, compared with their checksums, inflated, read, judged by every check, written month
by month with content hashes, and told to the gap ledger. Beside it polars' `read_csv` of the text that was unpacked
before, which checks nothing and keeps nothing, and what scripts for the archive do with pandas. Memory is the peak of
the process. The last line is a year of minutes of a hundred symbols.
"""

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from harness import BENCH, Answer, Missing, Row, main, row, run

DAY_MS = 86_400_000
FIRST = date(2024, 1, 1)


def klines(start_ms: int, count: int, seed: int) -> bytes:
    import polars as pl

    rng = np.random.default_rng(seed)
    close = np.round(42_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, count))), 2)
    opened = np.concatenate(([42_000.0], close[:-1]))
    volume = np.round(rng.lognormal(3, 1, count), 5)
    bought = np.round(volume * rng.uniform(0.3, 0.7, count), 5)
    times = start_ms + 60_000 * np.arange(count)
    table = {
        "open_time": times,
        "open": opened,
        "high": np.maximum(opened, close) + np.round(rng.exponential(8, count), 2),
        "low": np.minimum(opened, close) - np.round(rng.exponential(8, count), 2),
        "close": close,
        "volume": volume,
        "close_time": times + 59_999,
        "quote_volume": volume * close,
        "count": rng.poisson(900, count),
        "taker_buy_volume": bought,
        "taker_buy_quote_volume": bought * close,
        "ignore": 0,
    }
    return pl.DataFrame(table).write_csv(float_precision=8).encode()


def trades(start_ms: int, count: int, seed: int) -> bytes:
    import polars as pl

    rng = np.random.default_rng(seed)
    ticks = 420_000 + np.cumsum(rng.integers(-1, 2, count) * (rng.random(count) < 0.3))
    ids = seed * count + np.arange(count)
    table = pl.DataFrame(
        {
            "agg_trade_id": 2_000_000_000 + ids,
            "price": np.char.mod("%.1f", ticks / 10),
            "quantity": np.char.mod("%.3f", rng.lognormal(-3, 1.5, count) + 0.001),
            "first_trade_id": 4_500_000_000 + 2 * ids,
            "last_trade_id": 4_500_000_001 + 2 * ids,
            "transact_time": start_ms + np.sort(rng.integers(0, DAY_MS, count)),
            "is_buyer_maker": rng.random(count) < 0.5,
        }
    )
    return table.write_csv().encode()


def fill(folder: Path, months: int, minutes_a_day: int, trades_a_day: int, days: int) -> None:
    """Monthly klines and daily aggregate trades."""
    begin = FIRST
    for number in range(months):
        after = (begin + timedelta(days=32)).replace(day=1)
        count = (after - begin).days * minutes_a_day
        _zip(folder / f"klines-{begin:%Y-%m}.zip", klines(_ms(begin), count, number))
        begin = after
    for number in range(days):
        day = FIRST + timedelta(days=number)
        _zip(folder / f"aggTrades-{day}.zip", trades(_ms(day), trades_a_day, number))


def _zip(path: Path, text: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name.replace(".zip", ".csv"), text)
    path.write_bytes(buffer.getvalue())


def _ms(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS


def rows(quick: bool) -> Iterator[Row]:
    months, days, per_day, symbols = (1, 1, 2_000, 2) if quick else (12, 3, 1_500_000, 100)
    folder = Path(tempfile.mkdtemp(prefix="truewind-bench-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        fill(folder, months, 1440, per_day, days)
        site = subprocess.Popen([sys.executable, str(BENCH / "archive_site.py"), str(folder), str(port)])
        try:
            _await(port)
            span = sum(1 for at in range(366) if (FIRST + timedelta(days=at)).month <= months)
            for cores, said in ((1, "one core"), (0, "all cores")):
                for kind, name, length in (("bars", "klines", span), ("trades", "aggTrades", days)):
                    ours = _ours(port, kind, length, 4 if kind == "bars" else 1, cores)
                    prefix = "klines" if kind == "bars" else "aggTrades"
                    files = sorted(map(str, folder.glob(f"{prefix}-*.zip")))
                    peers: dict[str, Answer | Missing] = {
                        peer: run(sys.executable, "peer_archives.py", peer, kind, cores, *files)
                        for peer in ("polars", "pandas")
                    }
                    yield row(f"archive {name}, zip to lake, {said}", "rows", ours, peers)
            ours = _ours(port, "bars", span, symbols, 0)
            yield row(f"archive klines, {symbols} symbols × {months} months of minutes", "rows", ours, {})
        finally:
            site.terminate()
            site.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ours(port: int, kind: str, days: int, symbols: int, cores: int) -> Answer:
    return run(sys.executable, "ours_archives.py", f"http://127.0.0.1:{port}", kind, days, symbols, cores)


def _await(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Missing("the site did not start")


if __name__ == "__main__":
    main(rows, __doc__ or "")
