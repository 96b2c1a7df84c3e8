"""Measuring ours beside the peers: environments, runners in fresh processes, and the one JSON line a work.

A *runner* is a script that does one work in one engine and prints one JSON line (`workload.answer`). Ours and the
peers' are started alike, each in a process of its own, one after the other, so that memory and imports do not mix.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
VENVS = BENCH / ".venvs"
LOGS = BENCH / "results"
PINS = BENCH / "peers"

Answer = dict[str, Any]
Row = dict[str, Any]


class Missing(Exception):
    """This peer cannot be measured here; the text says why."""


def peer_names() -> list[str]:
    """Every peer with pinned requirements, `bench/peers/<peer>.txt`."""
    return sorted(path.stem for path in PINS.glob("*.txt"))


def peer_python(peer: str) -> Path:
    """The interpreter of the peer's own environment. Raises Missing if it is not installed from the present pins."""
    marker = VENVS / peer / "pins.txt"
    if not marker.is_file() or marker.read_text() != _pins(peer):
        raise Missing(f"{peer} is not installed; `make bench` installs it")
    return VENVS / peer / ("Scripts" if os.name == "nt" else "bin") / "python"


def install_peer(peer: str) -> None:
    """Make the peer's environment from its pins, unless it is there already. Raises Missing if pip cannot."""
    try:
        peer_python(peer)
        return
    except Missing:
        shutil.rmtree(VENVS / peer, ignore_errors=True)
    LOGS.mkdir(exist_ok=True)
    log = LOGS / f"install_{peer}.log"
    python = VENVS / peer / ("Scripts" if os.name == "nt" else "bin") / "python"
    commands = [
        [sys.executable, "-m", "venv", str(VENVS / peer)],
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(PINS / f"{peer}.txt")],
    ]
    with log.open("wb") as out:
        for command in commands:
            code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
            if code:
                # The log may name package hosts: it stays on this machine, the reason is for everyone.
                raise Missing(f"{peer} could not be installed (exit code {code}; see bench/results/{log.name})")
    (VENVS / peer / "pins.txt").write_text(_pins(peer))


def _pins(peer: str) -> str:
    path = PINS / f"{peer}.txt"
    if not path.is_file():
        raise Missing(f"{peer} has no pinned requirements in bench/peers")
    return path.read_text()


def run(python: Path | str, script: str, *arguments: object, timeout: float = 900.0) -> Answer:
    """The answer of one runner, started in a fresh process. `script` is relative to `bench/`. Raises Missing."""
    command = [str(python), "-W", "ignore", str(BENCH / script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(BENCH), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout, check=False, cwd=BENCH
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{script} did not end within {timeout:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Missing(f"{script} ended with exit code {done.returncode}: {last[:200]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def row(
    work: str,
    unit: str,
    ours: Answer,
    peers: dict[str, Answer | Missing],
    same: Callable[[Answer], bool] | None = None,
) -> Row:
    """One work as one record. `peer` is the fastest peer that did the same work; all stand in `peers`.

    same: whether an answer shows that the work was done as asked; None where no answer can show it.
    """
    found = [_beside(name, answer, ours, same) for name, answer in peers.items() if isinstance(answer, dict)]
    comparable = [entry for entry in found if entry["same_work"] is not False]
    best: Row = max(comparable, key=lambda entry: entry["per_s"], default={})
    return {
        "work": work,
        "ours_per_s": ours["per_s"],
        "peer": best.get("peer"),
        "peer_version": best.get("version"),
        "peer_per_s": best.get("per_s"),
        "ratio": best.get("ratio"),
        "orders_ours": ours.get("orders"),
        "orders_peer": best.get("orders"),
        "rss_mb": ours.get("rss_mb"),
        "unit": unit,
        "same_work": same(ours) if same else None,
        **{key: ours.get(key) for key in ("n", "seconds", "changes", "position", "equity", "note")},
        "peers": found,
        "missing": {name: str(answer) for name, answer in peers.items() if isinstance(answer, Missing)},
    }


def _beside(name: str, answer: Answer, ours: Answer, same: Callable[[Answer], bool] | None) -> Row:
    shown = ("version", "per_s", "orders", "rss_mb", "seconds", "changes", "position", "equity", "note")
    return {
        "peer": name,
        **{key: answer.get(key) for key in shown},
        "ratio": ours["per_s"] / answer["per_s"],
        "same_work": same(answer) if same else None,
    }


def ask(peer: str, script: str, *arguments: object, timeout: float = 900.0) -> Answer | Missing:
    """The peer's answer, or why there is none."""
    try:
        return run(peer_python(peer), script, *arguments, timeout=timeout)
    except Missing as missing:
        return missing


def size_name(n: int) -> str:
    """100000 → 100k, 5000000 → 5M."""
    return f"{n // 1_000_000}M" if n % 1_000_000 == 0 else f"{n // 1_000}k" if n % 1_000 == 0 else str(n)


def rate(per_s: float, unit: str) -> str:
    """Three significant digits: 3.25 M bars/s. Starts, scans, appends, reports, sets: the time of one."""
    if unit in ("starts", "scans", "appends", "reports", "sets"):
        return f"{1000 / per_s:,.0f} ms"
    for scale, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if per_s >= scale:
            return f"{per_s / scale:.3g}{letter} {unit}/s"
    return f"{per_s:.3g} {unit}/s"


def main(rows: Callable[[bool], Iterator[Row]], description: str) -> None:
    """The command line that every bench script shares."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON line a work")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that all parts run, measures nothing")
    chosen = parser.parse_args()
    try:
        for record in rows(chosen.quick):
            print(json.dumps(_rounded(record)) if chosen.json else _line(record), flush=True)
    except Missing as missing:
        sys.exit(f"ours could not be measured: {missing}")


def _rounded(value: Any) -> Any:
    """Nine significant digits: a line that can be read, and money to the cent."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


def _line(record: Row) -> str:
    text = f"{record['work']}: {rate(record['ours_per_s'], record['unit'])}"
    if record["rss_mb"]:
        text += f", {record['rss_mb']:.0f} MB"
    if record.get("note"):
        text += f"\n    {record['note']}"
    for peer in record["peers"]:
        differs = "" if peer["same_work"] is not False else " (different work)"
        theirs = rate(peer["per_s"], record["unit"])
        text += f"\n    {peer['peer']} {peer['version']}: {theirs}, ours {peer['ratio']:.3g}×{differs}"
    for reason in record["missing"].values():
        text += f"\n    missing: {reason}"
    return text
