"""`truewind features list`: what can be computed."""

from typing import Any

import typer

from truewind.cli.output import Json

app = typer.Typer(name="features", help="What can be computed from bars.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What can be computed from bars."""


@app.command("list", epilog="Example: truewind features list --json")
def list_(json: Json = False) -> None:
    """List every feature with its parameters."""
    from truewind.cli.output import print_json, print_table
    from truewind.features.base import REGISTRY

    found = [_described(feature) for feature in sorted(REGISTRY.values(), key=lambda f: (f.family, f.name))]
    if json:
        print_json({"features": found})
        return
    rows = ([one[name] for name in ("family", "spec", "inputs", "columns", "units", "about")] for one in found)
    print_table(["family", "spec", "reads", "gives", "units", "what it is"], rows)


def _described(feature: Any) -> dict[str, Any]:
    """A feature class with its defaults. columns: what one with default parameters adds to a table."""
    default = feature()
    return {
        "name": feature.name,
        "family": feature.family,
        "spec": repr(default),
        "parameters": {
            name: {"default": bound.default, "low": bound.low, "high": bound.high}
            for name, bound in feature.parameters.items()
        },
        "inputs": list(feature.inputs),
        "columns": list(default.columns),
        "warmup": default.warmup,
        "units": feature.units,
        "about": (feature.__doc__ or "").strip().partition("\n")[0],
    }
