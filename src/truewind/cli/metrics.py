"""`truewind metrics`: what the numbers of a window mean, and computing them into the lake."""

from typing import TYPE_CHECKING, Annotated

import typer

from truewind.cli.options import End, Json, Start
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.storage.lake import Lake

app = typer.Typer(name="metrics", help="Named, versioned metrics of symbols over windows.", no_args_is_help=True)
Window = Annotated[str, typer.Option(help="Length of the windows: 1s, 5s, 15s, 1m, 5m, 15m, 1h, 4h, 1d.")]


@app.command("list", epilog="Example: truewind metrics list --window 1s")
def list_(
    window: Annotated[str, typer.Option(help="Only those that have a meaning in windows of this length.")] = "",
    json: Json = False,
) -> None:
    """List every metric with its version, formula, inputs and units."""
    from truewind.cli.output import print_json, print_table
    from truewind.features.metrics import definitions, definitions_table

    found = definitions_table(definitions(window=window)).to_dicts()
    if json:
        print_json({"metrics": found})
        return
    rows = ([one["id"], one["version"], one["formula"], one["inputs"], one["rows"], one["units"]] for one in found)
    print_table(["metric", ">version", "formula", "made of", "of the window's", "units"], rows)


@app.command(epilog="Example: truewind metrics export")
def export(json: Json = False) -> None:
    """Write the definitions into the lake, under meta/metric_definitions/.

    Those of older versions stay. A definition that was changed without a new version is refused.
    """
    from truewind.cli import settings
    from truewind.cli.output import console, print_json
    from truewind.research.metrics import export_definitions
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    table = export_definitions(lake)
    if json:
        print_json({"lake": str(lake.url), "definitions": table.height})
        return
    console().print(f"{table.height} definitions in {lake.url}", markup=False)


@app.command(epilog="Example: truewind metrics compute BTCUSDT --window 1m --metric vwap --metric spread_mean")
def compute(
    symbols: Annotated[list[str], typer.Argument(help="Symbols of the lake.")],
    window: Window = "1m",
    venue: Annotated[str | None, typer.Option(help="Where they are traded, if the lake has several venues.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric; without it, all that the data allow. Repeatable.")
    ] = None,
    start: Start = None,
    end: End = None,
    json: Json = False,
) -> None:
    """Compute metrics of symbols over windows, in place of those that are there.

    They are made of the trades, bars, quotes, order books, funding and prices in the lake, and lie there as a set of
    features. Every run is put on record with its inputs under meta/metric_runs/.
    """
    import msgspec

    from truewind.cli import settings
    from truewind.cli.output import console, print_json, print_table
    from truewind.domain.clock import iso
    from truewind.research.metrics import compute_metrics
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    runs = []
    with progress(compiles=True) as step:
        for symbol in symbols:
            place = venue or _venue(lake, symbol)
            runs.append(
                compute_metrics(lake, place, symbol, window, metric or None, start=start, end=end, progress=step)
            )
    if json:
        print_json({"runs": [msgspec.to_builtins(run) | {"key": str(run.key)} for run in runs]})
        return
    print_table(
        ["set", ">rows", ">metrics", "from", "to", "made of", "inputs' snapshot"],
        (
            [
                str(run.key),
                f"{run.rows:,}",
                len(run.definitions),
                iso(run.start_us),
                iso(run.end_us),
                list(run.inputs),
                run.input_snapshot_id[:12],
            ]
            for run in runs
        ),
    )
    for run in runs:
        for reason in dict.fromkeys(run.skipped.values()):
            names = [name for name, why in run.skipped.items() if why == reason]
            console().print(f"{run.symbol}: no {', '.join(names)}: {reason}", markup=False)


def _venue(lake: "Lake", symbol: str) -> str:
    """The one venue that has the symbol. Raises UnknownSeriesError, ConfigError."""
    from truewind.errors import ConfigError, UnknownSeriesError, suggest

    series = lake.series()
    venues = sorted({info.key.venue for info in series if info.key.symbol == symbol})
    if not venues:
        known = {info.key.symbol for info in series}
        raise UnknownSeriesError(f"No symbol '{symbol}' in the lake {lake.url}", remedy=suggest(symbol, known))
    if len(venues) > 1:
        raise ConfigError(f"{symbol} is traded at {' and '.join(venues)}", remedy="Say which with --venue")
    return venues[0]
