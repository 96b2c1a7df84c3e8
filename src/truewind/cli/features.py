"""`truewind features list`: what can be computed."""

import typer

from truewind.cli.output import Json

app = typer.Typer(name="features", help="What can be computed from bars.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What can be computed from bars."""


@app.command("list", epilog="Example: truewind features list --json")
def list_(json: Json = False) -> None:
    """List every feature with its parameters."""
    from truewind import features
    from truewind.cli.output import print_json, print_table

    found = features.describe()
    if json:
        print_json({"features": found})
        return
    rows = ([one[name] for name in ("family", "spec", "inputs", "outputs", "units", "summary")] for one in found)
    print_table(["family", "spec", "reads", "gives", "units", "what it is"], rows)
