"""`truewind walkforward`: settings chosen on the past, traded on what follows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from truewind.cli.options import Figure, Json, SampleSeed, SweepConfig, Sweeps, Vary, Workers
from truewind.cli.progress import progress


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind walkforward configs/demo.yaml --train 90d --test 30d")(walkforward)


def walkforward(
    config: SweepConfig,
    assignments: Vary = None,
    train: Annotated[str, typer.Option(help="Length of the span that settings are chosen on.")] = "365d",
    test: Annotated[str, typer.Option(help="Length of the span that they are then traded on.")] = "90d",
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Every training begins at the data's beginning, and grows.")
    ] = False,
    embargo: Annotated[str, typer.Option(help="Left out between training and test; 0 for nothing.")] = "0",
    by: Figure = "sharpe",
    choose: Annotated[
        Literal["best", "plateau"],
        typer.Option(help="The best trial, or the one that is best together with its neighbours."),
    ] = "best",
    sample: Annotated[int | None, typer.Option(help="Try so many of them in each window.")] = None,
    seed: SampleSeed = None,
    out: Sweeps = Path("sweeps"),
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Choose settings on the past and trade them on what follows, window by window.

    What is held at the end of a window is closed there, and pays for it. The test spans, one behind the other, are what
    somebody who had worked like this would have had.

    Without --set and a `sweep:` part, every parameter is varied within its declared bounds.
    """
    from truewind.cli import settings
    from truewind.cli.output import console, print_json
    from truewind.cli.sweep import ranges_and_values
    from truewind.research.walkforward import walkforward as run

    grid, overrides = ranges_and_values(assignments or [])
    program = settings.load()
    with progress(compiles=True) as step:
        done = run(
            config, grid, train=train, test=test, embargo=embargo, anchored=anchored, metric=by, choose=choose,
            overrides=overrides, sample=sample, seed=seed, lake=program.lake, out=out, database=program.database,
            workers=workers, progress=step,
        )  # fmt: skip
    if json:
        print_json({"folder": done.folder, "report": done.report, **done.plain()})
        return
    walk = done.plain()
    _windows(walk["windows"])
    from truewind.analytics.walked import verdict

    for sentence in (*verdict(walk), *walk["notes"]):
        console().print(sentence, markup=False)
    console().print(f"report  {done.report}", markup=False, soft_wrap=True)


def _windows(windows: Sequence[Mapping[str, Any]]) -> None:
    """A row a window, for people."""
    from truewind.analytics.figures import written
    from truewind.analytics.walked import settings_text
    from truewind.cli.output import print_table
    from truewind.domain.clock import iso

    rows = []
    for window in windows:
        inside, outside = window["inside"], window["outside"]
        rows.append(
            [
                iso(window["test_start_us"])[:10],
                iso(window["test_end_us"])[:10],
                settings_text(window["chosen"]),
                written("fraction", inside["yearly"]),
                written("ratio", inside["sharpe"]),
                written("fraction", outside["yearly"]),
                written("ratio", outside["sharpe"]),
                written("fraction", outside["net_return"]),
                f"{outside['trades']:,}",
            ]
        )
    heads = ["test from", "to", "chosen", ">a year, in", ">Sharpe, in", ">a year, out", ">Sharpe, out"]
    print_table([*heads, ">return", ">trades"], rows, "Settings chosen on the past, traded on what followed")
