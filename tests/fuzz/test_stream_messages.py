"""A moment of fuzzing with recorded frames as seeds; an hour of it is the same with another option."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = "-rss_limit_mb=6144"  # the peak of the process that started it counts, too
HARNESS = Path(__file__).with_name("stream_messages.py")
NUMBERS = {"aggTrade": 0, "kline": 1, "depthUpdate": 2, "bookTicker": 4}  # of the harness's streams


def write_seeds(shared: Path, folder: Path) -> int:
    """A few recorded frames of every kind, and all user data; returns how many."""
    seeds: list[bytes] = []
    seen: dict[str, int] = {}
    with gzip.open(shared / "cryptofeed" / "BINANCE_FUTURES.ws.1.0.txt.gz", "rt") as recorded:
        for line in recorded.read().splitlines()[1:]:
            payload = line.partition(": ")[2]
            if not payload:
                continue
            kind = json.loads(payload)["data"]["e"]
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] <= 5 and kind in NUMBERS:
                seeds.append(bytes([NUMBERS[kind]]) + payload.encode())
    user = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_user_data.json").read_text())["items"]
    seeds += [bytes([12]) + json.dumps(item["payload"]).encode() for item in user]
    for number, seed in enumerate(seeds):
        (folder / f"{number:03}").write_bytes(seed)
    return len(seeds)


def test_a_moment_of_fuzzing_finds_nothing(shared: Path, tmp_path: Path) -> None:
    """TRUEWIND_FUZZ_S sets how long."""
    pytest.importorskip("atheris")
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    assert write_seeds(shared, seeds) > 30
    seconds = os.environ.get("TRUEWIND_FUZZ_S", "3")
    done = subprocess.run(
        [
            sys.executable,
            str(HARNESS),
            str(seeds),
            f"-max_total_time={seconds}",
            "-seed=42",
            "-rss_limit_mb=6144",
            "-max_len=4096",
        ],
        capture_output=True,
        text=True,
        timeout=float(seconds) + 120,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
