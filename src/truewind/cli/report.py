"""`truewind report`: make the page of a finished run again."""

from typing import Annotated

import typer

from truewind.cli.output import Json


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind report latest")(report)


def report(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, its folder, or 'latest'.")],
    json: Json = False,
) -> None:
    """Make the page of a finished run again.

    Writes report.html anew from the other files of the run's folder.
    """
    from truewind.analytics.tearsheet import from_run
    from truewind.backtest.folder import find_run
    from truewind.cli import settings
    from truewind.cli.output import print_json
    from truewind.storage.blobs import open_blobs

    folder = find_run(settings.load().runs, run)
    page = folder / "report.html"
    open_blobs(folder).write(page.name, from_run(folder).encode())
    if json:
        print_json({"run_id": folder.name, "run_dir": folder, "report": page})
    else:
        print(page)
