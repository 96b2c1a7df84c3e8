"""`truewind features`: what can be computed, computing it into the lake, and putting one's own to the test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from truewind.cli.options import Json, Workers
from truewind.cli.progress import progress

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(name="features", help="What can be computed from bars, books and trades.", no_args_is_help=True)


@app.command("list", epilog="Example: truewind features list --family momentum")
def list_(
    family: Annotated[str, typer.Option(help="Only this family.")] = "",
    json: Json = False,
) -> None:
    """List every feature with its parameters, inputs and warm-up."""
    from truewind import features
    from truewind.cli.output import print_json, print_table
    from truewind.errors import ConfigError, suggest

    found = features.describe()
    families = dict.fromkeys(one["family"] for one in found)
    if family and family not in families:
        raise ConfigError(f"There is no family '{family}'", remedy=suggest(family, families))
    found = [one for one in found if not family or one["family"] == family]
    if json:
        print_json({"features": found})
        return
    rows = (
        [
            one["family"],
            one["spec"],
            ", ".join(one["inputs"]),
            ", ".join(output.partition(".")[2] for output in one["outputs"] if "." in output),
            one["warmup"],
            one["summary"],
        ]
        for one in found
    )
    print_table(["family", "spec", "reads", "gives", ">rows until", "what it is"], rows)


@app.command(epilog="Example: truewind features build examples/features.yaml --workers 2")
def build(
    recipe: Annotated[Path, typer.Argument(help="YAML: name, data (venue, symbols, timeframe), features.")],
    anew: Annotated[bool, typer.Option("--anew", help="Begin from the first bar, whatever is there.")] = False,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Compute a set of features over the lake's bars, or append what is new.

    The set lies in the lake under features/. A second build goes on from the saved state; it begins anew by itself if
    the recipe, the code of a feature or the bars have changed.
    """
    import os

    from truewind.cli import settings
    from truewind.cli.output import console, print_json, print_table
    from truewind.research.build import build as run
    from truewind.storage.lake import Lake

    store = Lake(settings.load().lake)
    with progress(compiles=True) as step:
        done = run(recipe, lake=store, anew=anew, workers=workers or os.cpu_count() or 1, progress=step)
    series = [info for key in done.keys for info in store.series(kind=key.kind, symbol=key.symbol) if info.key == key]
    if json:
        print_json(
            {
                "version": done.version,
                "columns": done.columns,
                "rows": done.rows,
                "resumed": done.resumed,
                "seconds": done.seconds,
                "series": [{"key": str(info.key), "rows": info.rows} for info in series],
            }
        )
        return
    from truewind.domain.clock import iso

    rows = (
        [str(info.key), f"{info.rows:,}", len(done.columns), iso(info.start_us), iso(info.end_us)] for info in series
    )
    print_table(["set", ">rows", ">columns", "from", "to"], rows)
    how = (
        f"{done.resumed} of {len(done.keys)} symbols went on from where they were" if done.resumed else "from the start"
    )
    console().print(
        f"{done.rows:,} rows computed in {done.seconds:.1f} s ({how}); version {done.version}", markup=False
    )


@app.command(epilog="Example: truewind features check my_features:Momentum(20) --data prices.csv")
def check(
    spec: Annotated[str, typer.Argument(help="A feature: rsi(14), or your own, my.module:MyFeature(20).")],
    data: Annotated[
        Path | None, typer.Option(help="Bars to check it on (CSV, Parquet, Feather); else a made-up market.")
    ] = None,
    json: Json = False,
) -> None:
    """Put a feature to the test that every built-in one has passed.

    Batch = stream = any chunks, saved state, causality (the future is changed, the past must not move), warm-up and how
    far a fresh start is off, missing rows, extreme values, the laws that it declares. Exit code 6 if a check fails.
    """
    from truewind.cli.failures import FAILED_CHECK
    from truewind.cli.output import console, print_json
    from truewind.features.checks import check_feature

    result = check_feature(spec, None if data is None else _bars(data))
    if json:
        print_json(
            {
                "spec": result.spec,
                "ok": result.ok,
                "checks": result.checks,
                "findings": [finding._asdict() for finding in result.findings],
            }
        )
    else:
        console().print(str(result), markup=False, soft_wrap=True)
    if not result.ok:
        raise typer.Exit(FAILED_CHECK)


def _bars(path: Path) -> "pl.DataFrame":
    """A table from a file. Raises MissingFileError, DataError."""
    from collections.abc import Callable
    from typing import Any

    import polars as pl

    from truewind.errors import DataError, MissingFileError

    readers: dict[str, Callable[[Any], pl.DataFrame]] = {
        ".csv": pl.read_csv,
        ".parquet": pl.read_parquet,
        ".feather": pl.read_ipc,
        ".arrow": pl.read_ipc,
    }
    if not path.is_file():
        raise MissingFileError(f"There is no file {path}", remedy="Check the path")
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is none of {', '.join(readers)}", remedy="Convert it, or import it into the lake")
    try:
        return reader(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}", remedy="Check the file") from None
