"""`truewind data download`, `update` and `sources`: history from the places that publish it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from truewind.cli.lists import Lists
from truewind.cli.options import End, Json, Network, Series, Source, Start
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truewind.market.history.download import DownloadReport, Want
    from truewind.market.history.provider import DataProvider
    from truewind.storage.lake import Lake
    from truewind.storage.schema import SeriesKey

_TIMEFRAMES = "1m 5m 1h 4h 1d"
_MONTHS = 7
Share = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="How much of the venue's request limits to use; others may need some.")
]
AtOnce = Annotated[int, typer.Option(min=1, max=64, help="Series under way at a time.")]


def register(group: typer.Typer) -> None:
    """Put the commands into `truewind data`."""
    example = "truewind data download --pair BTCUSDT --timeframes 1m 5m 1h 4h --months 8"
    group.command(cls=Lists, epilog=f"Example: {example}")(download)
    group.command(epilog="Example: truewind data update binance_usdm/BTCUSDT")(update)
    group.command(epilog="Example: truewind data sources binance_usdm")(sources)


def download(
    pair: Annotated[list[str], typer.Option(metavar="SYMBOL …", help="In the venue's form: BTCUSDT ETHUSDT.")],
    timeframes: Annotated[
        list[str] | None, typer.Option(metavar="TIMEFRAME …", help="Lengths of the bars.", show_default=_TIMEFRAMES)
    ] = None,
    venue: Annotated[
        str, typer.Option(help="binance (spot), binance_usdm (perpetuals) …: see data sources.")
    ] = "binance",
    kinds: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND …", help="bars, trades, funding …: see data sources.", show_default="bars"),
    ] = None,
    months: Annotated[float, typer.Option(min=0.0, help="How far back, if --start is not given.")] = _MONTHS,
    start: Start = None,
    end: End = None,
    source: Source = "auto",
    network: Network = None,
    share: Share = 0.98,
    at_once: AtOnce = 8,
    json: Json = False,
) -> None:
    """Bring history into the lake, checked, the fastest way there is.

    A download that was interrupted goes on where it was when it is started again. What is there already is not asked
    for again.
    """
    from truewind.cli import settings
    from truewind.market.history.download import Want
    from truewind.market.history.sources import sources_of
    from truewind.storage.lake import Lake

    configured = settings.load()
    ranges = (_range(start, end, months),)
    wants = [Want(key, ranges) for key in _keys(venue, pair, kinds or ["bars"], timeframes or _TIMEFRAMES.split())]
    providers = {venue: sources_of(venue, network or configured.network, source)}
    _run(Lake(configured.lake), providers, wants, share=share, at_once=at_once, recheck=False, json=json)


def update(
    series: Series = None,
    source: Source = "auto",
    network: Network = None,
    share: Share = 0.98,
    at_once: AtOnce = 8,
    json: Json = False,
) -> None:
    """Go on with every series of the lake from where it ends to now, and fill what was left open.

    Files of an archive that were issued anew are taken anew.
    """
    from truewind.cli import settings
    from truewind.cli.data import choose
    from truewind.domain.clock import WallClock
    from truewind.errors import TruewindError, UnknownSeriesError
    from truewind.market.history.download import tail
    from truewind.market.history.sources import sources_of
    from truewind.storage.lake import Lake

    configured = settings.load()
    lake = Lake(configured.lake)
    stored = [info.key for info in choose(lake.series(), series) if info.key.layer == "raw"]
    providers, left = {}, []
    for venue in sorted({key.venue for key in stored}):
        try:
            providers[venue] = sources_of(venue, network or configured.network, source)
        except TruewindError as error:
            left.append(f"{venue} stays as it is: {error.message}")
    offered = [key for key in stored if any(one.offer(key) for one in providers.get(key.venue, ()))]
    if not offered:
        raise UnknownSeriesError(
            f"No source gives any of these series{''.join(f'; {reason}' for reason in left)}",
            remedy="truewind data sources shows what there is",
        )
    left += [
        f"{key} stays as it is: no source gives it" for key in stored if key.venue in providers if key not in offered
    ]
    now_us = WallClock().now_us()
    wants = [tail(lake, key, now_us) for key in offered]
    _run(lake, providers, wants, share=share, at_once=at_once, recheck=True, json=json, left=left)


def sources(
    venue: Annotated[str | None, typer.Argument(help="One venue; without it, all.")] = None,
    json: Json = False,
) -> None:
    """Say what can be had of each kind, from where, how far back, and what cannot be had and why."""
    from truewind.cli.output import console, print_json, print_table
    from truewind.market.history.sources import venues

    table = [row for name in ([venue] if venue else venues()) for row in _sources_of(name)]
    if json:
        print_json({"sources": table})
        return
    print_table(
        ["venue", "kind", "timeframes", "archive, reaching", "REST, reaching", "live"],
        (
            (row["venue"], row["kind"], _span(row["timeframes"]), row["archive"], row["rest"], row["live"] or None)
            for row in table
        ),
    )
    print_table(
        ["venue", "kind", "what cannot be had"],
        ((row["venue"], row["kind"], f"{way}: {text}") for row in table for way, text in row["lacks"].items()),
    )
    if venue is None:
        console().print("Any other venue that ccxt knows: truewind data sources kraken", markup=False)


def _sources_of(venue: str) -> list[dict[str, Any]]:
    """What a venue's sources give, a row for each kind, and of each what it lacks or why it gives nothing."""
    from truewind.market.history.sources import live_kinds, sources_of

    providers = {"archive" if one.name == "archive" else "rest": one for one in sources_of(venue)}
    live = live_kinds(venue)
    offered = {way: {offer.kind: offer for offer in one.offers} for way, one in providers.items()}
    kinds = dict.fromkeys([kind for offers in offered.values() for kind in offers])
    kinds |= dict.fromkeys([kind for one in providers.values() for kind in one.refuses])
    rows = []
    for kind in kinds:
        offers = {way: by_kind[kind] for way, by_kind in offered.items() if kind in by_kind}
        lacks = {way: offer.lacks for way, offer in offers.items() if offer.lacks}
        lacks |= {way: one.refuses[kind] for way, one in providers.items() if kind in one.refuses}
        row = {"venue": venue, "kind": kind, "archive": None, "rest": None, "live": kind in live, "lacks": lacks}
        row |= {way: offer.reach for way, offer in offers.items()}
        lengths = [length for offer in offers.values() for length in offer.timeframes]
        rows.append(row | {"timeframes": list(dict.fromkeys(lengths))})
    return rows


def _span(timeframes: list[str]) -> str:
    from truewind.domain.timeframe import timeframe_us

    lengths = sorted(timeframes, key=timeframe_us)
    return f"{lengths[0]} … {lengths[-1]}" if lengths else ""


def _range(start: str | None, end: str | None, months: float) -> tuple[int, int]:
    """The span that is wanted, µs; months count 30.4 days. Raises ConfigError."""
    from truewind.domain.clock import WallClock, iso, parse_ts_us
    from truewind.domain.timeframe import DAY_US
    from truewind.errors import ConfigError

    end_us = WallClock().now_us() if end is None else parse_ts_us(end)
    start_us = end_us - round(months * 30.4375) * DAY_US if start is None else parse_ts_us(start)
    start_us -= start_us % DAY_US if start is None else 0
    if start_us >= end_us:
        raise ConfigError(f"{iso(start_us)} is not before {iso(end_us)}", remedy="Set --start before --end")
    return start_us, end_us


def _keys(venue: str, pairs: "Sequence[str]", kinds: "Sequence[str]", timeframes: "Sequence[str]") -> "list[SeriesKey]":
    """Every series of these. Raises ConfigError for a kind or timeframe that is none."""
    from truewind.errors import ConfigError, suggest
    from truewind.storage.schema import KINDS, SeriesKey

    keys = []
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS:
            raise ConfigError(f"Unknown kind '{kind}'", remedy=suggest(kind, KINDS))
        lengths = dict.fromkeys(timeframes) if KINDS[kind].has_timeframe else ("",)
        keys += [SeriesKey(kind, venue, symbol, length) for symbol in dict.fromkeys(pairs) for length in lengths]
    return keys


def _run(
    lake: "Lake",
    providers: "dict[str, list[DataProvider]]",
    wants: "list[Want]",
    *,
    share: float,
    at_once: int,
    recheck: bool,
    json: bool,
    left: "Sequence[str]" = (),
) -> None:
    from truewind.cli.output import print_json
    from truewind.market.history.download import download

    for provider in (one for group in providers.values() for one in group):
        provider.use(share)
    with progress() as step:
        report = download(lake, providers, wants, at_once=at_once, recheck=recheck, progress=step)
    if json:
        print_json({"lake": str(lake.url), **report.as_dict(), "left": list(left)})
    else:
        _print(report, left)
    if report.error is not None:
        raise typer.Exit(report.error.exit_code)


def _print(report: "DownloadReport", left: "Sequence[str]") -> None:
    from truewind.cli.output import console, print_table
    from truewind.domain.clock import iso
    from truewind.domain.timeframe import SECOND_US

    print_table(
        ["series", ">new", ">already there", ">replaced", ">quarantined", "complete until", "from"],
        (
            (
                str(one.key),
                one.stored,
                one.duplicates,
                one.replaced,
                sum(one.quarantined.values()),
                None if one.until_us is None else iso(one.until_us // SECOND_US * SECOND_US),
                ", ".join(one.read),
            )
            for one in report.outcomes
        ),
    )
    failed: dict[str, list[str]] = {}
    for one in report.outcomes:
        lines = [f"quarantined {reason}: {count:,}" for reason, count in one.quarantined.items()]
        lines += [f"noticed {check}: {count:,}" for check, count in one.warnings.items()]
        lines += [] if one.error else one.notes
        for line in lines:
            console().print(f"{one.key}: {line}", markup=False, soft_wrap=True)
        if one.error:
            failed.setdefault(str(one.error), []).append(str(one.key))
    for why, keys in failed.items():
        which = keys[0] if len(keys) == 1 else f"{len(keys)} series, {keys[0]} the first"
        console().print(f"failed: {why} ({which})", markup=False, soft_wrap=True)
    for line in [*report.notes, *left]:
        console().print(line, markup=False, soft_wrap=True)
