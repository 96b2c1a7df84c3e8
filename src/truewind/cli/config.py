"""`truewind config show`: what is in force, and where it comes from."""

from pathlib import Path
from typing import Annotated

import typer

from truewind.cli.options import Json, Set

app = typer.Typer(name="config", help="Settings of the program and of backtests.", no_args_is_help=True)


@app.command(epilog="Example: truewind config show configs/demo.yaml --set seed=7")
def show(
    config: Annotated[Path | None, typer.Argument(help="A backtest's YAML; without it only the program's.")] = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Print the effective settings.

    Defaults are filled in, secrets hidden. Without a config only the settings of the program.
    """
    from truewind import log
    from truewind.cli import settings
    from truewind.cli.output import print_json
    from truewind.config import dump

    shown = {"settings": dump(settings.load())}
    if config is not None:
        from truewind.backtest.settings import load_config

        shown["config"] = dump(load_config(config, overrides=assignments or ()))
    shown = log.redacted(shown)
    if json:
        print_json(shown)
        return
    import yaml

    print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
