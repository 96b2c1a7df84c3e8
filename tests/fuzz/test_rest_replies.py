"""A moment of fuzzing with recorded replies as seeds; an hour of it is the same with another option."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = "-rss_limit_mb=6144"  # the peak of the process that started it counts, too
HARNESS = Path(__file__).with_name("rest_replies.py")
# Recorded paths by the number of their decoder in the harness.
PATHS = {
    0: ("/api/v3/klines", "/fapi/v1/klines"),
    2: ("/api/v3/aggTrades", "/fapi/v1/aggTrades"),
    3: ("/api/v3/trades", "/fapi/v1/trades"),
    4: ("/api/v3/depth", "/fapi/v1/depth"),
    5: ("/fapi/v1/fundingRate",),
    6: ("/futures/data/openInterestHist",),
    7: ("/fapi/v1/openInterest",),
    8: ("/futures/data/globalLongShortAccountRatio",),
    9: ("/futures/data/takerlongshortRatio",),
    10: ("/fapi/v1/time",),
}


def write_seeds(shared: Path, folder: Path) -> int:
    """Recorded replies of a few rows each, with the number of their decoder before them; returns how many."""
    recorded = json.loads(gzip.decompress((shared / "gocryptotrader" / "binance_rest_public_get.json.gz").read_bytes()))
    count = 0
    for number, paths in PATHS.items():
        for path in paths:
            for reply in recorded[path]:
                rows = reply["data"][:3] if isinstance(reply["data"], list) else reply["data"]
                text = json.dumps(rows).replace("BTCUSDT", "X").replace("LTCUSDT", "X")
                (folder / f"{count:03}").write_bytes(bytes([number]) + text.encode())
                count += 1
    return count


def test_a_moment_of_fuzzing_finds_nothing(shared: Path, tmp_path: Path) -> None:
    """TRUEWIND_FUZZ_S sets how long."""
    pytest.importorskip("atheris")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    assert write_seeds(shared, seeds) > 50
    seconds = os.environ.get("TRUEWIND_FUZZ_S", "3")
    done = subprocess.run(
        [sys.executable, str(HARNESS), str(seeds), f"-max_total_time={seconds}", "-seed=42", "-max_len=4096", MEMORY],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=float(seconds) + 100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr
