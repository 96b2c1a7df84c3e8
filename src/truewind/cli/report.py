"""`truewind report`: make the page of a finished run again."""

from pathlib import Path
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
    from truewind.cli import settings
    from truewind.cli.output import print_json

    folder = find_run(run, settings.load().runs)
    page = folder / "report.html"
    page.write_text(from_run(folder), encoding="utf-8")
    if json:
        print_json({"run_id": folder.name, "run_dir": folder, "report": page})
    else:
        print(page)


def find_run(run: str, runs: Path) -> Path:
    """The folder of a run. Raises MissingFileError if there is none, or several begin alike."""
    from truewind.errors import MissingFileError, suggest

    given = Path(run)
    if (given / "run.json").is_file():
        return given
    # Ids are time-ordered, so the last by name is the latest.
    found = sorted(path.parent for path in runs.glob("*/run.json"))
    if not found:
        raise MissingFileError(f"No runs in {runs}", remedy="Run one: truewind demo", path=runs)
    if run == "latest":
        return found[-1]
    matches = [folder for folder in found if folder.name == run] or [
        folder for folder in found if folder.name.startswith(run)
    ]
    if len(matches) == 1:
        return matches[0]
    names = [folder.name for folder in matches or found]
    if matches:
        raise MissingFileError(f"{len(names)} runs begin with '{run}'", remedy=f"One of: {', '.join(names[:12])}")
    raise MissingFileError(f"No run '{run}' in {runs}", remedy=suggest(run, names), run=run)
