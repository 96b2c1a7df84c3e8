"""`truewind strategy`: which strategies there are, what they say of themselves, and putting one to the test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.output import Json

if TYPE_CHECKING:
    from truewind.backtest.about import About

app = typer.Typer(name="strategy", help="Built-in strategies and your own.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Built-in strategies and your own."""


@app.command("list", epilog="Example: truewind strategy list --json")
def list_(json: Json = False) -> None:
    """List the built-in strategies: by what they act, in which lanes they run, and the idea in a sentence."""
    from truewind.backtest.about import built_in
    from truewind.cli.output import print_json, print_table

    found = built_in()
    if json:
        print_json({"strategies": [_plain(name, about) for name, about in found.items()]})
        return
    rows = ([name, about.kind, ", ".join(about.lanes), about.idea] for name, about in found.items())
    print_table(["name", "acts by", "lanes", "idea"], rows)


@app.command(epilog="Example: truewind strategy show breakout")
def show(
    strategy: Annotated[
        str, typer.Argument(help="A built-in one by name, package.module:Name, file.py:Name, or a backtest's YAML.")
    ],
    json: Json = False,
) -> None:
    """Show a strategy: idea and source, when it fails, its parameters, what it reads and in which lanes it runs."""
    from truewind.backtest.about import about
    from truewind.cli.output import console, print_json, print_table

    params: dict[str, Any] = {}
    path = strategy
    if strategy.endswith((".yaml", ".yml")):
        from truewind.backtest.run import load_config

        chosen = load_config(Path(strategy)).chosen
        path, params = chosen.path, chosen.params
    found = about(path, params)
    if json:
        print_json(_plain(path, found) | {"given": params})
        return
    out = console()
    for paragraph in (found.idea, *found.text, found.fails):
        if paragraph:
            out.print(paragraph + "\n", markup=False)
    if found.parameters:
        rows = (
            [p.name, p.type, "needed" if p.default is None else str(p.default), p.allowed or "unbounded", p.description]
            for p in found.parameters
        )
        print_table(["parameter", "type", ">default", "may be", "what it is"], rows)
    if params:
        out.print(f"given   {', '.join(f'{key}={value}' for key, value in params.items())}", markup=False)
    reads = ", ".join(field if field == spec else f"{field} = {spec}" for field, spec in found.features.items())
    out.print(f"reads   {reads or 'bars, no features'}", markup=False)
    out.print(f"lanes   {', '.join(found.lanes)}{f' ({found.why})' if found.why else ''}", markup=False)
    out.print(f"path    {found.path}", markup=False)


def _plain(name: str, about: "About") -> dict[str, Any]:
    """`About` as JSON has it."""
    parameters = [
        {
            "name": p.name,
            "type": p.type,
            "default": p.default,
            "low": p.bounds.low,
            "high": p.bounds.high,
            "above": p.bounds.above,
            "below": p.bounds.below,
            "choices": list(p.choices),
            "description": p.description,
        }
        for p in about.parameters
    ]
    return {"name": name, **about._asdict(), "parameters": parameters}
