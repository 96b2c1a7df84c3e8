"""`truewind data record`: live streams into the lake."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.lists import Lists
from truewind.cli.options import For, Json, Network

if TYPE_CHECKING:
    from truewind.market.stream.recorder import Progress, Recorder
    from truewind.venues.binance.hosts import Hosts

_PATIENCE_S = 10.0
_VENUES = {"binance": "spot", "binance_usdm": "usdm"}


def register(app: typer.Typer) -> None:
    """Put the command into the group `data`."""
    example = "Example: truewind data record --pair BTCUSDT --venue binance_usdm --streams bars:1m trades book marks"
    app.command(cls=Lists, epilog=example)(record)


def record(
    pair: Annotated[list[str], typer.Option(metavar="SYMBOL …", help="In the venue's form: BTCUSDT ETHUSDT.")],
    venue: Annotated[str, typer.Option(help="binance (spot) or binance_usdm.")] = "binance_usdm",
    streams: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STREAM …",
            help="bars:1m trades book quotes marks liquidations open_interest: one or more.",
            show_default="bars:1m",
        ),
    ] = None,
    length: For = None,
    rotate: Annotated[float, typer.Option(help="Seconds between two writes to the lake.", min=1.0)] = 60.0,
    spill: Annotated[
        Path | None, typer.Option(help="Folder for what is not in the lake yet. Default: recorder/ in the lake.")
    ] = None,
    network: Network = None,
    json: Json = False,
) -> None:
    """Record live streams, with the time of receipt beside the venue's.

    A kill loses less than a second. The next start repairs trades and bars; what cannot be repaired is in the gap
    ledger: truewind data check.
    """
    from truewind import log
    from truewind.cli import settings
    from truewind.domain.timeframe import timeframe_us
    from truewind.errors import ConfigError, suggest
    from truewind.market.stream.recorder import Recorder, stream_names
    from truewind.storage.lake import Lake
    from truewind.venues.binance.hosts import hosts

    given = settings.load()
    length_us = None if length is None else timeframe_us(length)
    if venue not in _VENUES:
        raise ConfigError(f"'{venue}' cannot be recorded", remedy=suggest(venue, _VENUES))
    market, symbols = _VENUES[venue], list(dict.fromkeys(pair))
    names = [name for symbol in symbols for name in stream_names(symbol, streams or ["bars:1m"], market)]
    lake = Lake(given.lake)
    where = hosts(network or given.network)
    recorder = Recorder(
        *(lake, where, market, names, spill or _default_folder(given.lake, venue)),
        rotate_s=rotate,
    )
    log.get("system").info("recording", venue=venue, streams=names, lake=str(lake.url))
    line = _Line(json)
    done = asyncio.run(_run(recorder, symbols, where, length_us, line))
    line.end()
    log.get("system").info("recorded", **_summary(done, lake.url))
    if json:
        from truewind.cli.output import print_json

        print_json(_summary(done, lake.url))
    else:
        _print_summary(done, str(lake.url))


def _default_folder(lake: str, venue: str) -> Path:
    from truewind.errors import ConfigError

    if "://" in lake:
        raise ConfigError(
            "A lake elsewhere has no place for what is not in it yet", remedy="Name a local folder: --spill recorder"
        )
    return Path(lake) / "recorder" / venue


async def _run(
    recorder: "Recorder", symbols: list[str], where: "Hosts", length_us: int | None, line: "_Line"
) -> "Progress":
    """Record until the time is over or somebody says stop."""
    await _keep_instruments(recorder, symbols, where)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if length_us is not None:
        loop.call_later(length_us / 1e6, stop.set)
    return await recorder.run(stop, line.show)


async def _keep_instruments(recorder: "Recorder", symbols: list[str], where: "Hosts") -> None:
    """Keep what the venue says of symbols that the lake does not know: a book is nothing without its ticks.

    Raises UnknownSeriesError for a symbol that the venue does not list. A venue that does not answer is no reason not
    to listen to its streams.
    """
    from truewind import log
    from truewind.errors import DataError, NetworkError
    from truewind.market.history.binance import BinanceRest

    unknown = []
    for symbol in symbols:
        try:
            recorder.lake.instrument(recorder.venue, symbol)
        except DataError:
            unknown.append(symbol)
    if not unknown:
        return
    try:
        async with asyncio.timeout(_PATIENCE_S), BinanceRest(recorder.venue, where) as rest:
            for instrument in await rest.instruments(unknown):
                recorder.lake.put_instrument(instrument)
    except (NetworkError, TimeoutError) as error:
        log.get("data").warning("no instruments", venue=recorder.venue, symbols=unknown, error=str(error))


class _Line:
    """One line on stderr that says how it goes, where a person is watching."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._before = 0

    def show(self, now: "Progress") -> None:
        """Called once a second."""
        status = now.status
        rate, self._before = status.messages - self._before, status.messages
        if not self._shown:
            return
        parts = [
            f"{status.connections} connected" if status.connections else "connecting …",
            f"{rate:,} messages/s",
            f"lag {status.lag_us / 1000:,.0f} ms",
            f"{sum(now.rows.values()):,} rows",
            f"{status.reconnects} reconnects",
            f"{status.repaired:,} repaired",
            f"{now.lost} gaps",
        ]
        if status.refused:
            parts.append(f"{status.refused} refused")
        if now.segments:
            parts.append(f"{now.segments} waiting for the lake")
        sys.stderr.write("\r\x1b[K" + " · ".join(parts))
        sys.stderr.flush()

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")


def _summary(done: "Progress", lake: Any) -> dict[str, Any]:
    from msgspec import to_builtins

    status = to_builtins(done.status)
    kept = ("messages", "bytes", "reconnects", "handovers", "duplicates", "holes", "repaired", "refused")
    return {
        "lake": str(lake),
        "rows": done.rows,
        "stored": done.stored,
        "lost": done.lost,
        **{name: status[name] for name in kept},
    }


def _print_summary(done: "Progress", lake: str) -> None:
    from truewind.cli.output import console, print_table

    print_table(["series", ">heard"], done.rows.items(), title=f"recorded into {lake}")
    status = done.status
    notes = [f"stored       {done.stored:,} rows that were new"]
    if status.reconnects or status.repaired:
        notes.append(f"repaired     {status.repaired:,} events after {status.reconnects} reconnects")
    if done.lost:
        notes.append(f"lost         {done.lost} spans, told in the gap ledger: truewind data check")
    if status.refused:
        notes.append(f"quarantined  {status.refused} messages that cannot be")
    for note in notes:
        console().print(note, markup=False, soft_wrap=True)
