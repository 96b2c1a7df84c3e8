"""`truewind exchange`: a Binance of one's own, to try network code on."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.options import Json, Set

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange

_REFRESH_S = 1.0
_NAMED = 8  # symbols of a line


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: truewind exchange --port 9100 --speed 10")(exchange)


def exchange(
    port: Annotated[
        int, typer.Option(min=0, help="Of spot; USD-M and the archive have the next two. 0: free ones.")
    ] = 9100,
    lake: Annotated[
        str | None, typer.Option(help="Folder or URL of a lake whose venues binance and binance_usdm are replayed.")
    ] = None,
    synthetic: Annotated[
        Path | None,
        typer.Option(help="YAML of a synthetic market (seed, symbols, start, days). Without both: its defaults."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.0, help="Seconds of the market in one of ours.")] = 1.0,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it opens (UTC), as in 2024-01-31T12:00; else see docs/exchange.md."),
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="YAML of what goes wrong, and how often.")] = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Run a local exchange that speaks Binance's spot and USD-M protocols.

    It replays the lake or trades a synthetic market, and serves REST, streams and the archive of files until it is
    interrupted. Point a client at it with --network http://127.0.0.1:9100.
    """
    from truewind.config import override, parse, read_yaml
    from truewind.exchange import ExchangeConfig, LocalExchange
    from truewind.exchange.matching import warm

    given: dict[str, Any] = {"port": port, "speed": speed, "start": start, "lake": lake}
    if synthetic is not None:
        given["synthetic"] = read_yaml(synthetic)
    if faults is not None:
        given["faults"] = read_yaml(faults)
    config = parse(ExchangeConfig, override(given, assignments or []), "options")
    warm()  # else the first order of a day would find the exchange busy with itself
    asyncio.run(_serve(LocalExchange(config), json))


async def _serve(exchange: "LocalExchange", json: bool) -> None:
    from truewind.cli.output import print_json

    loop, over = asyncio.get_running_loop(), asyncio.Event()
    async with exchange:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        if json:
            print_json(_about(exchange))
            sys.stdout.flush()
        else:
            _introduce(exchange)
        counting = asyncio.create_task(_count(exchange))
        playing = asyncio.create_task(exchange.wait())
        waiting = asyncio.create_task(over.wait())
        await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (counting, playing, waiting):
            task.cancel()
        await asyncio.gather(counting, playing, waiting, return_exceptions=True)
    if not json:
        print(f"Closed. {_line(exchange.figures())}", file=sys.stderr)


def _about(exchange: "LocalExchange") -> dict[str, Any]:
    """Addresses, and what is served there."""
    import msgspec

    from truewind.domain.clock import iso

    return {
        "network": exchange.network,
        "hosts": msgspec.structs.asdict(exchange.hosts),
        "now": iso(exchange.clock.now_us()),
        "speed": exchange.config.speed,
        "accounts": [account.key for account in exchange.config.accounts],
        "symbols": {name: list(market.tapes) for name, market in exchange.markets.items()},
        "served": {
            name: {symbol: tape.describe() for symbol, tape in market.tapes.items()}
            for name, market in exchange.markets.items()
        },
    }


def _introduce(exchange: "LocalExchange") -> None:
    from truewind.cli.output import console, print_table

    about = _about(exchange)
    hosts = about["hosts"]
    print_table(
        ("", "REST", "streams"),
        [
            ("spot", hosts["spot_rest"], f"{hosts['spot_ws']}/ws"),
            ("USD-M futures", hosts["usdm_rest"], f"{hosts['usdm_ws']}/ws"),
            ("archive of files", hosts["archive"], ""),
        ],
        title="Local exchange",
    )
    print_table(("market", "history and feed", "symbols"), _grouped(about["served"]))
    console().print(f"It is {about['now']} UTC there, at {about['speed']:g} times our speed. Ctrl-C ends it.")
    known = f"{len(about['accounts'])} accounts" if len(about["accounts"]) != 1 else "one account"
    console().print(f"It knows {known}: keys and secrets are in docs/exchange.md.")
    console().print(f"Clients of truewind: --network {about['network']}  (or TRUEWIND_NETWORK={about['network']})")


def _grouped(served: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    """Symbols of which the same can be said, in one line."""
    rows = []
    for market, found in served.items():
        for text in dict.fromkeys(found.values()):
            names = [symbol for symbol, told in found.items() if told == text]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            rows.append((market, text, ", ".join(names[:_NAMED]) + more))
    return rows


async def _count(exchange: "LocalExchange") -> None:
    """Counters that move, where a person is watching."""
    if not sys.stderr.isatty():
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(Text(), console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        while True:
            live.update(Text(_line(exchange.figures()), style="dim"), refresh=True)
            await asyncio.sleep(_REFRESH_S)


def _line(figures: dict[str, Any]) -> str:
    from truewind.domain.clock import iso

    parts = [iso(figures["now_us"] // 1_000_000 * 1_000_000)]
    parts += [f"{figures[name]:,} {name}" for name in ("requests", "refused", "connections", "messages")]
    if figures["faults"]:
        parts.append("faults: " + ", ".join(f"{name} {count:,}" for name, count in sorted(figures["faults"].items())))
    return "   ".join(parts)
