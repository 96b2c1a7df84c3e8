"""`truewind strategy`: which strategies there are, what they say of themselves, and putting one to the test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.options import Json, Set
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.backtest.about import About

app = typer.Typer(name="strategy", help="Built-in strategies and your own.", no_args_is_help=True)


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
    from truewind.backtest.about import about, about_parts
    from truewind.cli.output import console, print_json, print_table

    params: dict[str, Any] = {}
    path = strategy
    if strategy.endswith((".yaml", ".yml")):
        from truewind.backtest.settings import load_config

        chosen = load_config(Path(strategy)).chosen
        path, params = chosen.shown, chosen.params
        found = about(path, params) if chosen.parts is None else about_parts(path, chosen.load())
    else:
        found = about(path)
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


@app.command(epilog="Example: truewind strategy check configs/demo.yaml")
def check(
    target: Annotated[
        str, typer.Argument(help="A backtest's YAML, or a strategy as `show` takes it, on the demo's market.")
    ],
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Put a strategy to the test that every built-in one has passed.

    Determinism, causality (the future is changed, the past must not move), lane parity, missing features, and every
    parameter at its bounds. Without the config's data in the lake: on a made-up market. Exit code 6 if a check fails.
    """
    from truewind.backtest.check import check as run
    from truewind.backtest.points import FAILED
    from truewind.backtest.settings import load_config
    from truewind.cli import demo, settings
    from truewind.cli.failures import FAILED_CHECK
    from truewind.cli.output import console, print_json, print_table
    from truewind.config import read_yaml
    from truewind.storage.lake import Lake

    config: Any = Path(target)
    if not target.endswith((".yaml", ".yml")):
        config = read_yaml(demo.CONFIG) | {"strategy": {"path": target}}
    with progress(compiles=True) as step:
        result = run(load_config(config, assignments or []), Lake(settings.load().lake), step)
    if json:
        checks = [one._asdict() for one in result.checks]
        print_json({**result._asdict(), "ok": result.ok, "checks": checks})
    else:
        print_table(["check", "verdict", "what was found"], result.checks, f"{result.strategy} on {result.data}")
        count = sum(one.verdict == FAILED for one in result.checks)
        end = f"{count} of {len(result.checks)} checks failed" if count else "all checks passed"
        console().print(f"{end} in {result.seconds:.1f} s", markup=False)
    if not result.ok:
        raise typer.Exit(FAILED_CHECK)


@app.command(epilog="Example: truewind strategy fit configs/fits/eth-cluster.yaml --out my-states.json")
def fit(
    recipe: Annotated[Path, typer.Argument(help="YAML: data with start and end, states, horizon, hurdle, seed.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; the recipe's name with .json if left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit the market states that the ETH cluster bot decides by, on a training span.

    The file says what it was learned from, and the bot takes it as its parameter `model`. Judge it on later bars only.
    """
    from truewind.cli import settings
    from truewind.cli.output import console, print_json, print_table
    from truewind.research.states import fit_states
    from truewind.storage.lake import Lake

    file = out or recipe.with_suffix(".json")
    with progress(compiles=True) as step:
        states = fit_states(recipe, lake=Lake(settings.load().lake), out=file, progress=step)
    if json:
        print_json({"file": file, "hash": states.hash, **states.model_dump(mode="json")})
        return
    held = {1: "long", 0: "flat", -1: "short"}
    rows = (
        [number, held[state.side], f"{state.forward:+.2%}", f"{state.rows:,}", *(f"{at:+.2f}" for at in state.centre)]
        for number, state in enumerate(states.states, 1)
    )
    heads = (f">{field}" for field in states.features)
    print_table([">state", "held", f">return in {states.horizon} bars", ">bars", *heads], rows)
    console().print(f"{states.rows:,} bars of {states.source}; features in standard deviations", markup=False)
    console().print(f"states  {file} ({states.hash})", markup=False, soft_wrap=True)


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
