"""Install the pinned peers, run every bench script one after the other, and write docs/performance.md.

usage: python bench/all.py [--quick] [--out PATH] [--only SCRIPT …]. Nothing else should be running. A peer that cannot
be installed or does not run is reported as missing, with the reason; a script of ours that fails is reported as failed,
and the exit code is then 1.
"""

import argparse
import ast
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from harness import BENCH, LOGS, Missing, Row, install_peer, peer_names, rate

SCRIPTS = (
    "event_lane",
    "trade_lane",
    "compiled_lane",
    "strategies",
    "risk_gate",
    "sweep",
    "scaling",
    "order_book",
    "features",
    "trade_bars",
    "feature_build",
    "lake",
    "lake_scan",
    "history",
    "streams",
    "archives",
    "startup",
    "metrics",
    "report",
    "bootstrap",
    "overfit",
)
NOTHING = "–"
HEADINGS = ["work", "ours", "memory", "beside", "theirs", "memory", "ours ÷ theirs", "orders (ours – theirs)", "same"]
PRINTED = {True: "yes", False: "**no**", None: NOTHING}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that all parts run, measures nothing")
    parser.add_argument("--out", type=Path, default=BENCH.parent / "docs" / "performance.md")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, help="measure these anew, and keep the other sections")
    chosen = parser.parse_args()
    known = {} if chosen.only is None else kept(chosen.out.read_text())
    for peer in peer_names():
        print(f"environment of {peer} …", file=sys.stderr, flush=True)
        try:
            install_peer(peer)
        except Missing as missing:
            print(f"  {missing}", file=sys.stderr, flush=True)
    busy = os.getloadavg()[0]
    start = time.perf_counter()
    sections = []
    failed = False
    for name in SCRIPTS:
        script = BENCH / f"{name}.py"
        if chosen.only is not None and name not in chosen.only:
            sections.append(known.get(title_of(script), ""))
            continue
        rows, reason = run_script(name, chosen.quick)
        failed = failed or bool(reason)
        sections.append(section(script, rows, reason))
        if chosen.only is not None:
            today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC{commit()}, load before it {busy:.1f}"
            sections[-1] += f"\n*Measured by itself: {today}.*\n"
    took = time.perf_counter() - start
    head = heading(busy, took, chosen.quick) if chosen.only is None else known[""]
    write(chosen.out, "\n".join([head, *filter(None, sections)]))
    print(f"wrote {chosen.out} ({took:.0f} s)", file=sys.stderr)
    return int(failed)


def kept(page: str) -> dict[str, str]:
    """The sections of a page by their titles, what stands before them under ""."""
    head, *sections = page.split("\n## ")
    return {"": head} | {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in sections}


def title_of(script: Path) -> str:
    return (ast.get_docstring(ast.parse(script.read_text())) or script.stem).partition("\n")[0]


def run_script(name: str, quick: bool) -> tuple[list[Row], str]:
    """The rows that one bench script printed, and why it failed ("" if it did not)."""
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, str(BENCH / f"{name}.py"), "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    LOGS.mkdir(exist_ok=True)
    (LOGS / f"{name}.jsonl").write_text(done.stdout)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1] if done.returncode else ""
    return rows, reason


def heading(busy: float, took: float, quick: bool) -> str:
    lines = [
        "# Performance",
        "",
        "Written by `make bench`; do not edit by hand. Ours and the peers ran one after the other on one machine in",
        "the same run, each in a process of its own; figures are medians. Shared machines are noisy: take differences",
        "below about 1.5× as nothing.",
        "",
        "| | |",
        "|---|---|",
        f"| date | {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {took / 60:.1f} minutes |",
        f"| truewind | {version('truewind')}{commit()} |",
        f"| machine | {cpu()}, {os.cpu_count()} cores, {memory()}, {platform.system()} |",
        f"| Python | {platform.python_version()} |",
        f"| libraries | {', '.join(f'{name} {version(name)}' for name in ('numpy', 'numba', 'polars', 'pyarrow'))} |",
        f"| load before the run | {busy:.1f} of {os.cpu_count()} cores |",
        "",
    ]
    if quick:
        lines += ["**Tiny sizes (`--quick`): these figures show only that every part runs.**", ""]
    return "\n".join(lines)


def section(script: Path, rows: list[Row], reason: str) -> str:
    """A script's docstring as heading and text, its rows as a table, and what is missing."""
    title, _, text = (ast.get_docstring(ast.parse(script.read_text())) or script.stem).partition("\n")
    lines = [f"## {title}", "", text.strip(), ""]
    if rows:
        lines += [*table(rows), ""]
    lines += [f"- {row['work']}: {row['note']}." for row in rows if row["note"]]
    notes = {f"{peer['peer']}: {peer['note']}" for row in rows for peer in row["peers"] if peer["note"]}
    lines += [f"- {note}." for note in sorted(notes)]
    lines += [f"- Missing: {text}." for text in sorted({text for row in rows for text in row["missing"].values()})]
    if reason:
        lines.append(f"- **Failed:** {reason}")
    return "\n".join(lines).rstrip() + "\n"


def table(rows: list[Row]) -> list[str]:
    """Markdown; columns in which nothing stands are left out."""
    filled = [cells for row in rows for cells in table_lines(row)]
    kept = [i for i in range(len(HEADINGS)) if any(cells[i] not in ("", NOTHING) for cells in filled)]
    lines = [HEADINGS, ["---"] * len(HEADINGS), *filled]
    return [f"| {' | '.join(cells[i] for i in kept)} |" for cells in lines]


def table_lines(row: Row) -> list[list[str]]:
    """The cells of one work: a line for each peer, fastest first; ours stands on the first."""
    ours = [row["work"], rate(row["ours_per_s"], row["unit"]), megabytes(row["rss_mb"])]
    orders = NOTHING if row["orders_ours"] is None else f"{row['orders_ours']:,}"
    if not row["peers"]:
        return [[*ours, NOTHING, NOTHING, NOTHING, NOTHING, orders, PRINTED[row["same_work"]]]]
    lines = []
    for peer in sorted(row["peers"], key=lambda peer: -peer["per_s"]):
        same = None if row["same_work"] is None else bool(row["same_work"] and peer["same_work"])
        both = NOTHING if row["orders_ours"] is None else f"{orders} – {peer['orders']:,}"
        theirs = [f"{peer['peer']} {peer['version']}", rate(peer["per_s"], row["unit"]), megabytes(peer["rss_mb"])]
        lines.append([*ours, *theirs, f"**{peer['ratio']:.3g}×**", both, PRINTED[same]])
        ours = ["", "", ""]
    return lines


def megabytes(amount: float | None) -> str:
    return NOTHING if amount is None else f"{amount:,.0f} MB"


def commit() -> str:
    """The commit, with "+" if files were changed since; nothing outside a checkout."""
    command = ["git", "-C", str(BENCH), "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f", commit {done.stdout.strip()}" if done.returncode == 0 else ""


def cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory() -> str:
    try:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return "memory unknown"


def write(path: Path, text: str) -> None:
    """Whole or not at all: a reader never meets half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
