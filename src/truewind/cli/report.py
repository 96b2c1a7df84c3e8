"""`truewind report`: what runs left, in the forms that people keep and send, and several runs side by side."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from truewind.cli.options import Json, Run

if TYPE_CHECKING:
    from truewind.analytics.export import Format

_USUAL = "make"


class _MakesByDefault(TyperGroup):
    """`truewind report latest` is `truewind report make latest`: what is no command is a run."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # its click is one of its own
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, [_USUAL, *args] if args and args[0] not in known else args)


app = typer.Typer(
    name="report",
    cls=_MakesByDefault,
    help="Reports of finished runs: HTML, PDF, CSV, JSON; several runs side by side.",
    epilog="`truewind report latest` is short for `truewind report make latest`.",
    no_args_is_help=True,
)

Html = Annotated[bool, typer.Option("--html", help="The page; made if no other form is asked for.")]
Pdf = Annotated[bool, typer.Option("--pdf", help="For print (needs the extra `pdf`).")]
Csv = Annotated[bool, typer.Option("--csv", help="Every table, in full precision.")]
JsonFile = Annotated[bool, typer.Option("--json-file", help="The whole report as data.")]
Everything = Annotated[bool, typer.Option("--all", help="All of these.")]
Open = Annotated[bool, typer.Option("--open", help="Show the result in the browser.")]


@app.command(epilog="Example: truewind report make latest --pdf --csv")
def make(
    run: Run,
    html: Html = False,
    pdf: Pdf = False,
    csv: Csv = False,
    json_file: JsonFile = False,
    everything: Everything = False,
    show: Open = False,
    json: Json = False,
) -> None:
    """Make the report of a finished run again, in the forms asked for.

    From the other files of the run's folder it writes report.html there, report.pdf, report.json, and csv/.
    `make` may be left out.
    """
    from truewind.analytics import export
    from truewind.analytics.report import load
    from truewind.analytics.sections import build
    from truewind.backtest.folder import find_run
    from truewind.cli import settings

    folder = find_run(settings.load().runs, run)
    made = export.write(folder, build(load(folder)), _formats(html, pdf, csv, json_file, everything))
    _tell({"run_id": folder.name, "run_dir": folder}, made, show, json)


@app.command(epilog="Example: truewind report compare latest 20240131T120000-3f9a1c --pdf")
def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs: ids, beginnings of ids, folders, or latest.")],
    html: Html = False,
    pdf: Pdf = False,
    csv: Csv = False,
    json_file: JsonFile = False,
    everything: Everything = False,
    out: Annotated[
        Path | None, typer.Option(help="Name of what is written, without an ending; else it lies beside the runs.")
    ] = None,
    show: Open = False,
    json: Json = False,
) -> None:
    """Put several runs side by side.

    Growth, drawdowns, figures, correlations and months over the days that all have; whether their Sharpe ratios
    really differ; which settings do.
    """
    from truewind.analytics import export
    from truewind.analytics.compare import Run
    from truewind.analytics.compare import compare as compared
    from truewind.analytics.report import load
    from truewind.backtest.folder import find_run
    from truewind.cli import settings

    home = settings.load().runs
    folders = [find_run(home, run).resolve() for run in runs]
    document = compared([Run(folder.name, load(folder)) for folder in folders])
    target = out or Path(home) / compared_name([folder.name for folder in folders])
    made = export.write(
        target.parent,
        document,
        _formats(html, pdf, csv, json_file, everything),
        name=target.name,
        tables=f"{target.name}-csv",
    )
    _tell({"runs": [folder.name for folder in folders], "verdict": document.verdict}, made, show, json)


def compared_name(runs: list[str]) -> str:
    """compare-<ids>; of many runs, whose ids make no file name, the first and a hash of all."""
    name = f"compare-{'-'.join(runs)}"
    if len(name) <= 100:
        return name
    return f"compare-{runs[0][:60]}-and-{len(runs) - 1}-more-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _formats(html: bool, pdf: bool, csv: bool, json_file: bool, everything: bool) -> "list[Format]":
    asked: dict[Format, bool] = {"html": html, "pdf": pdf, "csv": csv, "json": json_file}
    return [form for form, wanted in asked.items() if wanted or everything] or ["html"]


def _tell(about: dict[str, object], made: dict[str, Path], show: bool, json: bool) -> None:
    """Where everything is, `report` the page if there is one; for a machine or a person."""
    from truewind.cli.output import print_json

    if json:
        print_json({**about, "report": made.get("html", next(iter(made.values()))), "files": made})
    else:
        for path in made.values():
            print(path)
    if show:
        shown = made.get("html") or made.get("pdf") or next(iter(made.values()))
        typer.launch(str(shown.resolve()))
