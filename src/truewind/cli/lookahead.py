"""`truewind lookahead`: does a strategy, with all that it reads, know what had not happened yet?"""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.options import Config, Json, Set
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.backtest.lookahead import Lookahead
    from truewind.backtest.warmup import Settling


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind lookahead configs/demo.yaml --points 40")(lookahead)


def lookahead(
    config: Config,
    assignments: Set = None,
    points: Annotated[int, typer.Option(min=2, help="Moments at which the future is changed or cut off.")] = 20,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 42,
    json: Json = False,
) -> None:
    """Look for look-ahead: change the future at many moments, cut it off, and see what moves in the past.

    Names the feature and the bar that leak, and how many bars ahead they looked; shows from how much history on each
    feature has settled. Without the config's data in the lake: on a made-up market. Exit code 6 if something leaks.
    """
    from truewind.backtest.lookahead import lookahead as run
    from truewind.backtest.settings import load_config
    from truewind.cli import settings
    from truewind.cli.failures import FAILED_CHECK
    from truewind.cli.output import print_json
    from truewind.storage.lake import Lake

    with progress(compiles=True) as step:
        found = run(
            load_config(config, assignments or []), Lake(settings.load().lake), points=points, seed=seed, progress=step
        )
    if json:
        print_json(_plain(found))
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(FAILED_CHECK)


def _plain(found: "Lookahead") -> dict[str, Any]:
    warm_up = [
        {**one._asdict(), "broken": one.broken, "differences": {str(k): _finite(v) for k, v in one.differences.items()}}
        for one in found.warm_up
    ]
    leaks = [{**leak._asdict(), "said": str(leak)} for leak in found.leaks]
    return {**found._asdict(), "ok": found.ok, "leaks": leaks, "warm_up": warm_up}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(found: "Lookahead") -> None:
    from truewind.cli.output import console, print_table
    from truewind.domain.clock import iso

    out = console()
    if found.leaks:
        rows = (
            [
                leak.what,
                leak.symbol,
                iso(leak.known_us),
                leak.value,
                leak.other,
                leak.reach,
                f"{leak.how} {iso(leak.cut_us)}",
            ]
            for leak in found.leaks
        )
        columns = ["what leaks", "symbol", "on the bar known at", "value", "became", "looked ahead", "when"]
        print_table(columns, rows, f"{found.strategy} on {found.data}")
    if found.warm_up:
        lengths = sorted({length for one in found.warm_up for length in one.differences})
        heads = (f">{length:,}" for length in lengths)
        print_table(
            ["feature", ">declared", *heads, ">settled from"],
            ([_called(one), _declared(one), *_shares(one, lengths), one.settled] for one in found.warm_up),
            "Warm-up: relative difference of values that have seen so many bars only",
        )
    for one in found.warm_up:
        if one.broken:
            out.print(f"{one.field} has not settled after the {one.declared:,} rows that it declares", markup=False)
    for note in found.notes:
        out.print(note, markup=False)
    features = f"{len(found.features)} features in {found.pieces:,} pieces, " if found.features else ""
    count = len(found.leaks)
    end = f"{count} leak{'s' if count > 1 else ''}" if count else "no look-ahead found"
    asked = f"{found.rows:,} rows, {features}the future changed at {found.moments} moments"
    out.print(f"{end}: {asked}, in {found.seconds:.1f} s", markup=False)


def _called(one: "Settling") -> str:
    return one.field if one.field == one.spec or not one.spec else f"{one.field} = {one.spec}"


def _declared(one: "Settling") -> str:
    return "all" if one.declared is None else f"{one.declared:,}"


def _shares(one: "Settling", lengths: list[int]) -> list[str | None]:
    def shown(value: float | None) -> str | None:
        if value is None:
            return None
        if math.isinf(value):
            return "missing"
        return "0" if value == 0.0 else f"{value:.1e}"

    return [shown(one.differences.get(length)) for length in lengths]
