"""Options and arguments that several commands have: one name, one meaning, one sentence of help each."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, and nothing else.")]

Config = Annotated[Path, typer.Argument(help="A backtest's YAML.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting. Repeatable.")]
Run = Annotated[str, typer.Argument(help="A run's id, the beginning of one, its folder, or latest.")]
Series = Annotated[str | None, typer.Argument(help="Parts of a series' name; without it, all series.")]

SweepConfig = Annotated[Path, typer.Argument(help="A backtest's YAML, perhaps with a `sweep:` part.")]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUES",
        help="Vary a setting: KEY=5:15, KEY=0.5:3:0.25, KEY=[1,2,5], KEY=0.5..4 (any number; needs --sample), "
        "KEY=auto:8 (over the bounds that the strategy declares). KEY=VALUE changes it for all. Repeatable.",
    ),
]
SampleSeed = Annotated[int | None, typer.Option(help="Chooses the sample.")]
Sweeps = Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of sweeps.")]
Workers = Annotated[int | None, typer.Option(min=1, help="How many work at a time; all cores if left out.")]
Figure = Annotated[str, typer.Option("--by", metavar="FIGURE", help="Figure by which the best are chosen.")]

Network = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="mainnet, testnet, or a local exchange as in http://127.0.0.1:9100."),
]
Source = Annotated[Literal["auto", "rest", "archive"], typer.Option(help="Which way; auto takes the fastest there is.")]
For = Annotated[
    str | None, typer.Option("--for", metavar="LENGTH", help="End after so long, as in 10m, 1h or 2d; else by Ctrl-C.")
]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="From when (UTC), as in 2024-01-31 or 2024-01-31T12:00.")
]
End = Annotated[str | None, typer.Option(metavar="TIME", help="Up to when, itself excluded.")]
