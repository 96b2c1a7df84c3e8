"""`truewind demo`: the whole path with no download."""

from pathlib import Path

import typer

from truewind.cli.options import Json
from truewind.cli.progress import progress

CONFIG = Path(__file__).with_name("demo.yaml")


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind demo")(demo)


def demo(json: Json = False) -> None:
    """Make a synthetic market, run a backtest on it, and write its report.

    Needs no download. The market goes into the lake as venue `synthetic`; the report lies in the run's folder.
    """
    from truewind.backtest.settings import load_config
    from truewind.cli import backtest, settings
    from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
    from truewind.storage.lake import Lake

    wanted = load_config(CONFIG).data
    market = SyntheticMarket(SyntheticConfig(symbols=wanted.symbols, timeframe=wanted.timeframe))
    with progress(compiles=True) as step:
        market.write(Lake(settings.load().lake), step)
        result = backtest.execute(CONFIG, [], step)
    backtest.show(result, json)
