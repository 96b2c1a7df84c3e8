"""Writes docs/strategies.md and its pictures: every config in configs/strategies is run on recorded data, as a user
would run it. `make strategies`, with the recordings in TRUEWIND_SHARED (or ../shared).

What a strategy is stands in its module's docstring, what came out in the header of its config; only figures are made
here, so a change of code that changes a result changes the page.
"""

import inspect
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import yaml

from truewind.analytics import luck
from truewind.analytics.gate import GateSettings
from truewind.analytics.report import load
from truewind.strategies.base import locate
from truewind.strategies.catalogue import path_of
from truewind.strategies.parameters import parameters_of

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
RECORDINGS = Path(os.environ.get("TRUEWIND_SHARED") or REPOSITORY.parent / "shared") / "market-data"
WIDTH, HEIGHT, POINTS = 640, 150, 320
SAMPLE = 200  # settings that are tried beside the config's own
OF_PARTS = "parts"  # the name of strategies that have no file
INTRO = """# Strategies

*Written by `make strategies` from docstrings, configs and runs; do not edit by hand.*

{count} strategies to read, to run and to take apart. Each is one file, from a source that can be looked up, with the
source's parameters or round ones: nothing here was fitted to the data below. The results are what `truewind backtest
configs/strategies/NAME.yaml` gives on recorded markets, with fees, spread, impact, latency, margin and (where it was
recorded) funding. They are shown because they are true, not because they are good: spans are short, there are few of
them, and a strategy that made money in one of them has not shown that it will again.

`truewind strategy list` and `show NAME` print what stands here in the terminal, `truewind strategy check CONFIG` proves
that one looks at no future and gives the same in both lanes, `truewind new strategy NAME` begins one of your own. How
to write one: [Writing a strategy](strategies-how.md); from parts, without code: [Strategy parts](strategy-parts.md);
what stops one from ruining its owner: [Risk](risk.md).

"""
_COLUMNS = (
    *("strategy", "market", "from – to", "net", "held", "Sharpe", "deepest fall"),
    *("trades", "won", "average R", "costs", "lane"),
)


class Run(NamedTuple):
    """A config and what came of it. name: of the strategy. said: the header's words on the result."""

    name: str
    config: Path
    settings: dict[str, Any]
    said: str
    about: dict[str, Any]
    summary: dict[str, Any]
    folder: Path
    luck: luck.Luck


def main() -> int:
    if not RECORDINGS.is_dir():
        print(f"No recorded market data at {RECORDINGS.name}: docs/strategies.md stays as it is", file=sys.stderr)
        return 0
    chosen = sys.argv[1:]
    configs = sorted((REPOSITORY / "configs/strategies").glob("*.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        runs = [backtest(path, Path(folder)) for path in configs if not chosen or path.stem in chosen]
        (HERE / "strategies").mkdir(exist_ok=True)
        for run in runs:
            (HERE / "strategies" / f"{run.config.stem}.svg").write_text(picture(run))
        if chosen:
            print(*table(runs), sep="\n")
            return 0
        by_name = {name: [run for run in runs if run.name == name] for name in sorted({run.name for run in runs})}
        lines = [INTRO.format(count=len(set(by_name) - {OF_PARTS})), *table(runs), "", NOTE, "", *luck_of(runs), ""]
        (HERE / "strategies.md").write_text("\n".join([*lines, *(section(*each) for each in by_name.items())]))
    return 0


def backtest(config: Path, folder: Path) -> Run:
    """Import what the config's header says, run it, and read what came of it."""
    header = [line[1:].strip() for line in config.read_text().splitlines() if line.startswith("#")]
    commands = [line for line in header if line.startswith(("truewind data ", "python "))]
    lake, runs = folder / "lake" / config.stem, folder / "runs" / config.stem
    environment = {**os.environ, "TRUEWIND_LAKE": str(lake), "TRUEWIND_RUNS": str(runs)}
    for command in commands:
        program, *given = shlex.split(command)
        words = [path for word in given for path in (found(word) or [word])]
        call([*words, "--json"] if program == "truewind" else words, environment, program)
    print(f"{config.stem} …", file=sys.stderr, flush=True)
    return tried(config, environment, runs, folder)


def tried(config: Path, environment: dict[str, str], runs: Path, folder: Path) -> Run:
    """Try a sample of all that the strategy's parameters may be, then run its config: the ledger knows of both."""
    environment = {**environment, "TRUEWIND_DATABASE": str(folder / f"{config.stem}.db")}
    header = [line[1:].strip() for line in config.read_text().splitlines() if line.startswith("#")]
    words = ["sweep", str(config), "--all-params", "--sample", str(SAMPLE), "--out", str(folder / "sweeps"), "--json"]
    # A strategy that cannot be compiled has no sweep: then its config is the only try.
    subprocess.run([sys.executable, "-m", "truewind.cli", *words], env=environment, cwd=REPOSITORY, check=False,
                   capture_output=True)  # fmt: skip
    call(["backtest", str(config), "--json"], environment)
    done = max(runs.iterdir())
    settings = yaml.safe_load(config.read_text())
    path = settings["strategy"].get("path", OF_PARTS)
    last = max((i for i, line in enumerate(header) if line.startswith(("truewind ", "python "))), default=0)
    return Run(
        name=path.rpartition(":")[0].rpartition(".")[2] or path,
        config=config,
        settings=settings,
        said=" ".join(header[last + 1 :]),
        about=json.loads((done / "run.json").read_text()),
        summary=json.loads((done / "summary.json").read_text()),
        folder=done,
        luck=luck.assess(load(done)),
    )


def found(word: str) -> list[str]:
    """Where the recordings of a header's PATH/… lie; empty for another word."""
    if not word.startswith("PATH/"):
        return []
    wanted = word.removeprefix("PATH/")
    paths = sorted(str(path) for path in RECORDINGS.rglob(Path(wanted).name) if path.match(wanted))
    if not paths:
        raise SystemExit(f"There is no recording {wanted}")
    return paths


def call(words: list[str], environment: dict[str, str], program: str = "truewind") -> None:
    start = ["-m", "truewind.cli"] if program == "truewind" else []
    done = subprocess.run(
        [sys.executable, *start, *words], env=environment, cwd=REPOSITORY, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise SystemExit(f"truewind {shlex.join(words)}: {told}")


def table(runs: list[Run]) -> list[str]:
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for run in runs:
        told, data = run.summary, run.settings["data"]
        universe = data.get("universe") or {}
        symbols = data.get("symbols") or ([f"top {universe['top']}"] if universe.get("top") else ["all listed"])
        names = ", ".join(symbols) if len(symbols) < 4 else f"{len(symbols)} symbols"
        what = data.get("timeframe") or data.get("kind", "")
        received = sum(told.get(name, 0.0) for name in ("funding", "swaps", "borrow_fees"))
        cells = [
            f"[{run.config.stem}](#{run.name.replace('_', '-')})",
            f"{data['venue']} {names} {what}",
            f"{told['start'][:10]} – {told['end'][:10]}",
            percent(told["net_return"]),
            percent(told["benchmark_return"]),
            ratio(told["sharpe"]),
            percent(told["max_drawdown"]),
            f"{told['trades']:,}",
            percent(told["win_rate"], 0),
            ratio(told["average_r"]),
            percent((told["fees"] + told["slippage"] - received) / told["initial_equity"]),
            run.about["lane"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def luck_of(runs: list[Run]) -> list[str]:
    """How likely the results are luck, by what was tried."""
    lines = [LUCK.format(sample=SAMPLE), f"| {' | '.join(_LUCK)} |", "|---" * len(_LUCK) + "|"]
    for run in runs:
        told, beside = run.luck, run.luck.crowd
        year = math.sqrt(told.year)
        alone = beside is None or beside.tried < 2
        cells = [
            f"[{run.config.stem}](#{run.name.replace('_', '-')})",
            ratio(None if math.isnan(told.moments.sharpe) else told.moments.sharpe * year),
            "1" if alone else f"{beside.tried:,}",
            "–" if alone else f"{beside.different:,}",
            "–" if alone else f"{beside.equivalent:,.0f}",
            "–" if alone or math.isnan(told.threshold) else ratio(told.threshold * year),
            chance(told.probabilistic),
            "–" if alone else chance(told.deflated),
            "–" if alone else chance(told.chance),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    likely = sum(run.luck.chance > GateSettings().chance for run in runs)
    count = sum(not math.isnan(run.luck.chance) for run in runs)
    return [*lines, "", f"{LUCK_NOTE} By the five percent that the gate asks for, {likely} of {count} may be luck."]


def chance(value: float) -> str:
    return "–" if math.isnan(value) else luck.percent(value)


_LUCK = ("strategy", "Sharpe", "tried", "different", "as lucky as", "luck gives", "PSR", "DSR", "chance of luck")
LUCK = """## How likely are they luck?

Each strategy was also run with {sample} others of the settings that its parameters allow, drawn at random over all that
they may be: that much any user tries in a minute. The ledger of trials counts them, and asks how good the best of so
many looks where none has any skill ([The gate](gate.md)).
"""
LUCK_NOTE = """*different*: clusters of trials that share half of the variance of their returns. *as lucky as*: so many
independent tries have as lucky a best one. *luck gives*: the Sharpe ratio that the best of so many different ones shows
by luck, spread as they are. *PSR*: chance that the true Sharpe ratio is above 0, were this the only try. *DSR*: chance
that it is above what luck gives. *chance of luck*: that the best of all tries looks as good by luck. A strategy with 1
in *tried* cannot be compiled, or has no parameter with bounds; then PSR is all that can be said."""


NOTE = """*net*: change of equity after all costs. *held*: the same money, bought at the first open and held. *won*:
share of closed trades that made money. *average R*: mean result over the risk at the first stop. *costs*: fees and
slippage, less funding and swaps received, of the starting money. A dash: not defined (a run of minutes, no stops)."""


def percent(value: float | None, decimals: int = 1) -> str:
    return "–" if value is None else f"{value * 100:,.{decimals}f} %".replace("-", "−")


def ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def section(name: str, runs: list[Run]) -> str:
    """A strategy: what it is, what came out in each of its configs, and its parameters."""
    lines = [f"## {name.replace('_', '-')}", ""]
    if name == OF_PARTS:
        lines += ["Strategies without code, put together in YAML out of [parts](strategy-parts.md).", ""]
    else:
        kind = locate(path_of(name))
        module = inspect.getmodule(kind)
        assert module is not None
        file = Path(str(module.__file__)).relative_to(REPOSITORY / "src" / "truewind")
        lines += [inspect.cleandoc(module.__doc__ or ""), "", f"[{file}](../src/truewind/{file})", ""]
    for run in runs:
        stem = run.config.stem
        lines += [f"**{run.settings['name']}** ([{stem}](../configs/strategies/{run.config.name})). {run.said}", ""]
        lines += [f"![equity of {stem}](strategies/{stem}.svg)", "", ruled(run), ""]
    if name == OF_PARTS:
        return "\n".join(lines)
    lines += ["| parameter | default | allowed | what it is |", "|---|---|---|---|"]
    for each in parameters_of(kind.Params):
        lines.append(f"| {each.name} | {each.default} | {each.allowed} | {each.description} |")
    return "\n".join([*lines, ""])


def ruled(run: Run) -> str:
    """What the risk rules did, in a sentence."""
    risk = run.summary.get("risk")
    if not risk:
        return ""
    spoke = {rule["rule"].replace("_", " "): rule["denied"] + rule["reduced"] for rule in risk["rules"]}
    total = risk["approved"] + risk["reduced"] + risk["denied"]
    said = f"Of {total:,} orders that were to open or add the risk rules let {risk['approved']:,} pass whole"
    return said + (f"; {', '.join(f'{name} {count:,}' for name, count in spoke.items())}." if spoke else ".")


def picture(run: Run) -> str:
    """Equity (blue) and the same money held (grey), both as multiples of the start."""
    initial = run.summary["initial_equity"]
    curves = {"equity": pl.read_parquet(run.folder / "equity.parquet"), "held": run.folder / "benchmark.parquet"}
    lines = []
    for name, source in curves.items():
        if isinstance(source, Path):
            if not source.exists():
                continue
            source = pl.read_parquet(source)
        values = source["equity"].to_numpy() / initial
        lines.append((name, values[:: max(1, len(values) // POINTS)].tolist()))
    low = min(min(values) for _, values in lines)
    high = max(max(values) for _, values in lines)
    room = (high - low) or 1.0

    def y(value: float) -> float:
        return HEIGHT - 14 - (value - low) / room * (HEIGHT - 28)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        "<style>text{fill:#666}@media(prefers-color-scheme:dark){text{fill:#aaa}}</style>",
        f'<line x1="0" x2="{WIDTH - 60}" y1="{y(1.0):.1f}" y2="{y(1.0):.1f}" stroke="#999" stroke-dasharray="2 3"/>',
    ]
    ends = []
    for name, values in reversed(lines):
        step = (WIDTH - 60) / max(1, len(values) - 1)
        points = " ".join(f"{i * step:.1f},{y(value):.1f}" for i, value in enumerate(values))
        colour, width = ("#0072b2", 1.6) if name == "equity" else ("#999999", 1.0)
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" points="{points}"/>')
        ends.append([y(values[-1]), f"{'held ' if name == 'held' else ''}{(values[-1] - 1) * 100:+.1f} %", colour])
    ends.sort()
    if len(ends) == 2 and ends[1][0] - ends[0][0] < 13:
        ends[0][0], ends[1][0] = ends[0][0] - 6, ends[1][0] + 7
    for at, text, colour in ends:
        label = str(text).replace("-", "−")
        out.append(f'<text x="{WIDTH - 56}" y="{at + 4:.1f}" style="fill:{colour}">{label}</text>')
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    sys.exit(main())
