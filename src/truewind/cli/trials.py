"""`truewind trials`: all that was ever tried, and how much luck is in the best of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.options import Figure, Json

if TYPE_CHECKING:
    from truewind.analytics.tried import Judged
    from truewind.storage.trials import Trial, TrialLedger

app = typer.Typer(
    name="trials",
    help="The ledger of trials: every backtest, and every point of a sweep.",
    no_args_is_help=True,
)

Family = Annotated[str | None, typer.Option(help="Only strategies with this in their path, as in momentum.")]
Kind = Annotated[
    str | None, typer.Option(help="Only one kind: backtest, sweep, walkforward, validation, paper, model.")
]
Name = Annotated[str | None, typer.Option(help="Only those with this in their name.")]
Symbol = Annotated[str | None, typer.Option(help="Only those that traded this, as in BTCUSDT or binance:BTCUSDT.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only those run since (UTC), as in 2024-01-31 or 2024-01-31T12:00.")
]
Id = Annotated[str, typer.Argument(help="A trial's id, the beginning of one, or latest.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
_SHOWN = ("net_return", "sharpe", "max_drawdown", "trades")


@app.command("list", epilog="Example: truewind trials list --family momentum --since 2024-06-01")
def list_(
    family: Family = None,
    kind: Kind = None,
    name: Name = None,
    symbol: Symbol = None,
    since: Since = None,
    parent: Annotated[
        str | None, typer.Option(help="The points of this sweep, the folds of this walk-forward.")
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted, too.")] = False,
    limit: Limit = 30,
    json: Json = False,
) -> None:
    """List trials, those run last first.

    A sweep or walk-forward is one line; --parent shows what it is made of.
    """
    from truewind.cli.output import console, print_json, print_table

    ledger = _opened()
    wanted = "" if parent is None else ledger.get(parent).id
    found = ledger.list(
        family=family, kind=_kind(kind), name=name, symbol=symbol, since_us=_moment(since), parent=wanted, limit=limit,
        with_deleted=deleted,
    )  # fmt: skip
    if json:
        print_json({"trials": [_plain(trial) for trial in found]})
        return
    if not found:
        print("no trials" + (" that fit" if family or kind or name or symbol or since or parent else ""))
        return
    columns = ["id", "kind", "name", "strategy", "symbols", "from", "to", *_heads(), ">points", "last run (UTC)"]
    print_table(columns, [_line(trial) for trial in found])
    if len(found) == limit:
        console().print(f"the last {limit} of them; --limit shows more", markup=False)


@app.command(epilog="Example: truewind trials show latest")
def show(trial: Id, json: Json = False) -> None:
    """Show a trial: what it was, its settings and figures, and how much luck is in it."""
    from truewind.analytics.luck import words
    from truewind.analytics.tried import judged
    from truewind.cli.output import console, print_json, print_table

    ledger = _opened()
    (found,) = judged(ledger, [ledger.get(trial)])
    one = found.trial
    if json:
        print_json(_plain(one) | {"params": one.params, "metrics": one.metrics} | _luck(found))
        return
    facts = [
        *_identity(one),
        *((name, value) for name, value in sorted(one.params.items())),
        *((_label(name), _written(name, value)) for name, value in one.metrics.items()),
    ]
    print_table(["", ""], facts)
    for sentence in words(found.luck):
        console().print(sentence, markup=False)


@app.command(epilog="Example: truewind trials compare 3f2a 91bc")
def compare(
    trials: Annotated[list[str], typer.Argument(help="Two or more trials: ids, beginnings of ids, or latest.")],
    every: Annotated[bool, typer.Option("--all", help="Also what is the same in all of them.")] = False,
    json: Json = False,
) -> None:
    """Set the parameters and figures of trials side by side: what differs, unless --all."""
    from truewind.analytics.luck import percent
    from truewind.analytics.tried import judged
    from truewind.cli.output import print_json, print_table, shown
    from truewind.errors import ConfigError

    ledger = _opened()
    found = judged(ledger, [ledger.get(name) for name in trials])
    if len(found) < 2:
        raise ConfigError("One trial cannot be compared", remedy="Name another one")
    params = [_all_params(ledger, each.trial) for each in found]
    if json:
        shown_trials = [
            _plain(each.trial) | {"params": given, "metrics": each.trial.metrics} | _luck(each)
            for each, given in zip(found, params, strict=True)
        ]
        print_json({"trials": shown_trials})
        return
    rows = [[name, *values] for name, *values in zip(*_facts_of(found), strict=True)]
    rows += [[name, *(shown(given.get(name)) for given in params)] for name in _names(params)]
    metrics = [each.trial.metrics for each in found]
    rows += [[_label(name), *(_written(name, one.get(name)) for one in metrics)] for name in _names(metrics)]
    rows += [["deflated Sharpe", *(percent(each.luck.deflated) for each in found)]]
    print_table(["", *(f">{each.trial.id}" for each in found)], [row for row in rows if every or _differs(row)])


@app.command(epilog="Example: truewind trials best --by sharpe --family momentum")
def best(
    by: Figure = "sharpe",
    limit: Limit = 10,
    family: Family = None,
    kind: Kind = None,
    name: Name = None,
    symbol: Symbol = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Show the best trials by a figure, points of sweeps among them, with how much was tried beside each.

    deflated: the chance that the true Sharpe ratio is above what the best of so many shows by luck alone.
    """
    from truewind.analytics.luck import percent
    from truewind.analytics.tried import judged, ranked
    from truewind.cli.output import console, print_json, print_table

    ledger = _opened()
    trials = ranked(ledger.list(family=family, kind=_kind(kind), name=name, symbol=symbol, since_us=_moment(since)), by)
    found = judged(ledger, trials[:limit])
    if json:
        print_json({"by": by, "among": len(trials), "trials": [_plain(each.trial) | _luck(each) for each in found]})
        return
    if not found:
        print(f"no trials of which {_label(by)} is defined")
        return
    figures = (by, *(figure for figure in _SHOWN if figure != by))
    columns = ["id", "strategy", "symbols", "parameters", *(f">{_label(figure)}" for figure in figures)]
    rows = []
    for each in found:
        one, beside = each.trial, each.luck.crowd
        tried = [f"{beside.tried:,}", f"{beside.different:,}"] if beside else ["–", "–"]
        figured = [_written(figure, one.metrics.get(figure)) for figure in figures]
        rows.append([one.id, _short(one), _symbols(one), _given(one), *figured, percent(each.luck.deflated), *tried])
    print_table([*columns, ">deflated", ">tried", ">different"], rows)
    console().print(f"chosen among {len(trials):,} trials of which it is defined", markup=False)


@app.command(epilog="Example: truewind trials delete 3f2a")
def delete(trial: Id, json: Json = False) -> None:
    """Delete a trial, and the points of a sweep with it: they are listed no more, and still count.

    What was tried stays tried: the numbers that say how much luck is in a result do not change. Files stay.
    """
    from truewind.cli.output import print_json

    gone = list(_opened().delete(trial))
    if json:
        print_json({"deleted": gone})
        return
    print(f"{len(gone)} deleted; in what is tried, they count still" if gone else "deleted already")


def _opened() -> "TrialLedger":
    """The ledger. Raises MissingFileError where there is none, ConfigError where it is switched off."""
    from truewind.cli import settings
    from truewind.errors import ConfigError
    from truewind.storage.trials import open_ledger

    ledger = open_ledger(settings.load().database, must_exist=True)
    if ledger is None:
        raise ConfigError("Nothing is recorded: TRUEWIND_DATABASE is off", remedy="Name a file or URL")
    return ledger


def _kind(kind: str | None) -> str | None:
    from truewind.errors import ConfigError, suggest
    from truewind.storage.trials import KINDS

    if kind is not None and kind not in KINDS:
        raise ConfigError(f"There are no trials of kind '{kind}'", remedy=suggest(kind, KINDS))
    return kind


def _moment(text: str | None) -> int | None:
    from truewind.domain.clock import parse_ts_us

    return None if text is None else parse_ts_us(text)


def _names(mappings: "list[dict[str, Any]]") -> list[str]:
    """The keys of all, in the order in which they are met."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _differs(row: list[Any]) -> bool:
    return any(value != row[1] for value in row[2:])


def _all_params(ledger: "TrialLedger", trial: "Trial") -> dict[str, Any]:
    """The settings of a trial, of a sweep's point those that hold for all points too."""
    from truewind.errors import DataError

    if not trial.parent:
        return trial.params
    try:
        return ledger.get(trial.parent).params | trial.params
    except DataError:  # recorded elsewhere
        return trial.params


def _identity(trial: "Trial") -> list[tuple[str, str]]:
    """What a trial is, line by line."""
    from truewind.domain.clock import iso

    facts = {
        "id": trial.id,
        "kind": trial.kind,
        "name": trial.name,
        "part of": trial.parent,
        "strategy": trial.family,
        "symbols": ", ".join(trial.universe),
        "timeframe": trial.timeframe,
        "from": iso(trial.start_us),
        "to": iso(trial.end_us),
        "seed": str(trial.seed),
        "data snapshot": trial.data_snapshot,
        "config": trial.config,
        "code version": trial.code_version,
        "first tried": iso(trial.created_us)[:16],
        "last run": iso(trial.last_us)[:16],
        "deleted": "" if trial.deleted_us is None else iso(trial.deleted_us)[:16],
        "folder": trial.run_dir,
    }
    return [(name, value) for name, value in facts.items() if value]


def _facts_of(found: "list[Judged]") -> list[list[str]]:
    """Names, then the values of each trial, of what it is."""
    facts = [dict(_identity(each.trial)) for each in found]
    names = [name for name in _names(facts) if name not in ("id", "first tried", "last run", "folder")]
    return [names, *([one.get(name, "–") for name in names] for one in facts)]


def _line(trial: "Trial") -> list[str]:
    from truewind.domain.clock import iso

    points = trial.metrics.get("trials")
    figures = [_written(name, trial.metrics.get(name)) for name in _SHOWN]
    name = trial.name + (" (deleted)" if trial.deleted_us is not None else "")
    return [
        *(trial.id, trial.kind, name, _short(trial), _symbols(trial)),
        *(iso(trial.start_us)[:10], iso(trial.end_us)[:10]),
        *figures,
        *("" if points is None else f"{points:,}", iso(trial.last_us)[:16]),
    ]


def _heads() -> list[str]:
    return [f">{_label(name)}" for name in _SHOWN]


def _short(trial: "Trial") -> str:
    """The strategy without the packages that it lies in."""
    return ", ".join(each.rpartition(".")[2] if ".py:" not in each else each for each in trial.family.split(", "))


def _symbols(trial: "Trial") -> str:
    names = [member.rpartition(":")[2] for member in trial.universe]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _given(trial: "Trial") -> str:
    """The parameters of the strategy, short."""
    from truewind.cli.output import shown

    own = {key: value for key, value in trial.params.items() if trial.parent or key.startswith("strategy.")}
    return ", ".join(f"{key.rpartition('.')[2]} {shown(value)}" for key, value in own.items())


def _label(name: str) -> str:
    from truewind.analytics.figures import FIGURES

    return FIGURES[name].label if name in FIGURES else name.replace("_", " ")


def _written(name: str, value: float | None) -> str:
    from truewind.analytics.figures import FIGURES, show
    from truewind.cli.output import shown

    return show(name, value) if name in FIGURES else shown(value)


def _plain(trial: "Trial") -> dict[str, Any]:
    """A trial for programs: without its sketch, times as ISO text."""
    import msgspec

    from truewind.domain.clock import iso

    found = msgspec.structs.asdict(trial)
    del found["sketch"]
    times = {"start_us": "start", "end_us": "end", "created_us": "created", "last_us": "last", "deleted_us": "deleted"}
    for name, plain in times.items():
        value = found.pop(name)
        found[plain] = None if value is None else iso(value)
    return found


def _luck(found: "Judged") -> dict[str, Any]:
    from truewind.analytics.luck import facts

    return {"luck": facts(found.luck)}
