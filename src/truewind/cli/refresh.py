"""`truewind data refresh`: what a venue says of itself today, kept with its date."""

import os
from typing import Annotated

import typer

from truewind.cli.options import Json, Network

KEY, SECRET = "TRUEWIND_BINANCE_KEY", "TRUEWIND_BINANCE_SECRET"


def register(group: typer.Typer) -> None:
    """Put the command into `truewind data`."""
    group.command(epilog="Example: truewind data refresh --venue binance_usdm")(refresh)


def refresh(
    venue: Annotated[str, typer.Option(help="binance or binance_usdm.")] = "binance_usdm",
    archive: Annotated[
        bool, typer.Option("--archive", help="Read which days the archive has of whom: the delisted since 2017 too.")
    ] = False,
    network: Network = None,
    json: Json = False,
) -> None:
    """Keep who is listed under which rules today, and the margin tiers.

    The tiers need a key that may read, in the environment: TRUEWIND_BINANCE_KEY and TRUEWIND_BINANCE_SECRET. Done
    daily, it makes the universe and the rules of any later day known as they were.
    """
    import asyncio

    from truewind.cli import settings
    from truewind.cli.output import console, print_json
    from truewind.cli.progress import progress
    from truewind.domain.clock import iso
    from truewind.errors import ConfigError
    from truewind.market.history.refresh import Key, refresh_archive
    from truewind.market.history.refresh import refresh as ask
    from truewind.storage.lake import Lake
    from truewind.venues.binance.hosts import hosts
    from truewind.venues.binance.signing import Secret

    configured = settings.load()
    given = [Secret(text) for name in (KEY, SECRET) if (text := os.environ.get(name))]
    if len(given) == 1:
        raise ConfigError("A key needs its secret", remedy=f"Set both {KEY} and {SECRET}")
    key = Key(*given) if given else None
    lake, where = Lake(configured.lake), hosts(network or configured.network)
    found = asyncio.run(ask(lake, venue, where, key))
    past = None
    if archive:
        with progress() as step:
            past = asyncio.run(refresh_archive(lake, venue, where, lambda done, all: step("listing files", done, all)))
    if json:
        print_json(
            {
                "venue": venue,
                "at": iso(found.at_us),
                "listed": [event["symbol"] for event in found.events if event["what"] == "listed"],
                "delisted": [event["symbol"] for event in found.events if event["what"] == "delisted"],
                "instruments": found.instruments,
                "tiers": found.tiers,
                "archive": None if past is None else len({event.symbol for event in past}),
            }
        )
        return
    tell = console().print
    tell(f"{venue} at {iso(found.at_us)}", markup=False)
    for what in ("listed", "delisted"):
        names = [event["symbol"] for event in found.events if event["what"] == what]
        tell(f"{what:<12} {len(names):,} new" + (f": {', '.join(names[:8])}" if names else ""), markup=False)
    if past is not None:
        gone = {event.symbol for event in past if event.what == "delisted"}
        everyone = {event.symbol for event in past}
        tell(f"archive      {len(everyone):,} symbols, {len(gone):,} of them were gone at some time", markup=False)
    tell(f"instruments  {len(found.instruments):,} of the lake have other rules than before", markup=False)
    tiers = f"{len(found.tiers):,} changed" if found.tiers is not None else f"not asked: set {KEY} and {SECRET}"
    tell(f"tiers        {tiers if venue != 'binance' else 'none at a spot market'}", markup=False)
