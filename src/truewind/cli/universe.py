"""`truewind data universe`: what was listed when, as the lake knows it."""

from typing import TYPE_CHECKING, Annotated

import typer

from truewind.cli.options import End, Json, Start

if TYPE_CHECKING:
    from truewind.market.universe import Life


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind data universe --venue binance_usdm --at 2024-01-01 --top 30")(universe)


def universe(
    venue: Annotated[str, typer.Option(help="Where it is traded.")] = "binance_usdm",
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Who was listed at this time (UTC): 2024-01-31.")
    ] = None,
    start: Start = None,
    end: End = None,
    top: Annotated[int | None, typer.Option(min=1, help="With --at: the most traded ones only.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Days over which trading is summed.")] = 30,
    quote: Annotated[str, typer.Option(help="With --at: priced in this only: USDT.")] = "",
    json: Json = False,
) -> None:
    """Show who was listed, and when.

    At one time, or at any time of a span, the delisted among them. It is told by snapshots of exchange information and
    by the bars in the lake, each as it was known at the time.
    """
    from truewind.cli import settings
    from truewind.cli.output import print_json, print_table
    from truewind.domain.clock import NEVER, iso, parse_ts_us
    from truewind.domain.timeframe import DAY_US
    from truewind.errors import ConfigError
    from truewind.market import universe as known
    from truewind.market.selection import UniverseSettings, select
    from truewind.storage.lake import Lake

    if at is not None and (start is not None or end is not None):
        raise ConfigError("--at is one time, --start and --end are a span", remedy="Give the one or the others")
    if at is None and (top is not None or quote):
        raise ConfigError("--top and --quote choose at a time", remedy="Give it: --at 2024-01-01")
    lake = Lake(settings.load().lake)
    listed = known.universe_of(lake, venue)
    lives: list[Life]
    if at is not None:
        moment = parse_ts_us(at)
        names = listed.at(moment)
        if top is not None or quote:
            chosen = UniverseSettings(top=top, days=days, quote=quote)
            names = list(select(lake, venue, chosen, moment, moment + DAY_US).periods[0].symbols)
        lives = [life for name in names if (life := listed.life(name, moment)) is not None]
    else:
        lives = listed.between(
            parse_ts_us(start) if start is not None else -NEVER, parse_ts_us(end) if end is not None else NEVER
        )
    if json:
        print_json({"lake": str(lake.url), "venue": venue, "symbols": [known.described(life) for life in lives]})
        return
    print_table(
        ["symbol", "listed", "delisted"],
        (
            (life.symbol, iso(life.listed_us), iso(life.delisted_us) if life.delisted_us is not None else "")
            for life in lives
        ),
    )
