"""`truewind report`: what runs left, in the forms that people keep and send, and several runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from truewind.cli.output import Json

if TYPE_CHECKING:
    from truewind.analytics.export import Format

_USUAL = "make"


class _MakesByDefault(TyperGroup):
    """`truewind report latest` is `truewind report make latest`: what is no command is a run."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
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


@app.callback()
def _group() -> None:
    """Reports of finished runs: HTML, PDF, CSV, JSON; several runs side by side."""


@app.command(epilog="Example: truewind report make latest --pdf --csv")
def make(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, its folder, or 'latest'.")],
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
