"""`truewind data`: bring market data into the lake, look at it, judge it, name its state."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from truewind.cli.options import Json, Series
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.market.report import ImportReport, Refusal
    from truewind.storage.lake import Lake
    from truewind.storage.snapshot import SeriesInfo

app = typer.Typer(
    name="data", help="Market data: import, download, record, list, check, snapshot.", no_args_is_help=True
)


@app.command("import", epilog="Example: truewind data import downloads/ --venue binance --column ts=Date")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="CSV, Parquet, feather or zip files, or folders of them.")],
    venue: Annotated[str | None, typer.Option(help="Where it was traded: binance, binance_usdm, kraken …")] = None,
    symbol: Annotated[str | None, typer.Option(help="In the venue's form: BTCUSDT.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of the bars: 1m, 1h, 1d.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="bars, mark_bars, index_bars, trades, quotes, funding or book.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Our column=the file's: ts=Date. Repeatable.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="A check to leave out, as in outlier. Repeatable.")] = None,
    base_latency_ms: Annotated[
        float | None,
        typer.Option(help="Raw recordings with a clock behind the venue's: the least time that a message took."),
    ] = None,
    json: Json = False,
) -> None:
    """Put files into the lake.

    Formats are recognised; what a file does not say, the options do. Bad rows go to quarantine and are counted.
    """
    from truewind import log
    from truewind.cli import settings
    from truewind.cli.output import print_json
    from truewind.errors import FormatError
    from truewind.market.importing import import_files
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    with progress() as step:
        report = import_files(
            lake,
            paths,
            venue=venue,
            symbol=symbol,
            timeframe=timeframe,
            kind=kind,
            columns=_columns(column or []),
            skip=skip or (),
            base_latency_ms=base_latency_ms,
            progress=lambda _file, done, total: step("importing files", done, total),
        )
    log.get("data").info("imported", lake=str(lake.url), **report.totals)
    for refusal in report.refused:
        log.get("data").info("file refused", file=refusal.file, reason=refusal.reason)
    if not report.files:
        first = report.refused[0] if report.refused else None
        raise FormatError(
            f"Nothing was imported: {_refused(first)}" if first else "Nothing was imported: no files found",
            remedy=(first.remedy or None) if first else "Name files, or folders that hold some",
            refused=[_refused(refusal) for refusal in report.refused],
        )
    if json:
        print_json({"lake": str(lake.url), **report.as_dict()})
    else:
        _print_import(report)


def _refused(refusal: "Refusal") -> str:
    """Which file was refused and why; many reasons name it themselves."""
    return refusal.reason if refusal.reason.startswith(refusal.file) else f"{refusal.file}: {refusal.reason}"


def _columns(assignments: list[str]) -> dict[str, str] | None:
    from truewind.errors import ConfigError

    columns = {}
    for assignment in assignments:
        ours, equals, theirs = assignment.partition("=")
        if not (equals and ours.strip() and theirs.strip()):
            raise ConfigError(f"'{assignment}' maps no column", remedy="Write ours=theirs, as in ts=Date")
        columns[ours.strip()] = theirs.strip()
    return columns or None


def _print_import(report: "ImportReport") -> None:
    from truewind.cli.output import console, print_table

    print_table(
        ["file", "series", "format", ">rows", ">new", ">already there", ">replaced", ">quarantined"],
        (
            (
                one.file,
                one.key,
                one.format,
                one.read,
                one.stored,
                one.duplicates,
                one.replaced,
                sum(one.quarantined.values()),
            )
            for one in report.files
        ),
    )
    notes = [f"quarantined  {reason}: {count:,}" for reason, count in report.quarantined.items()]
    notes += [f"noticed      {check}: {count:,}" for check, count in report.warnings.items()]
    assumed = Counter(text for file in report.files for text in file.assumed)
    notes += [f"assumed      {text} ({count} files)" for text, count in assumed.items()]
    notes += [f"instrument   {instrument}" for instrument in report.instruments]
    notes += [f"note         {note}" for note in report.notes]
    notes += [f"refused      {_refused(refusal)}. {refusal.remedy}" for refusal in report.refused]
    for note in notes:
        console().print(note, markup=False, soft_wrap=True)


@app.command(epilog="Example: truewind data synthetic --symbol BTCUSDT --days 30 --book-hours 2")
def synthetic(
    symbol: Annotated[list[str] | None, typer.Option(help="Ending in USDT, as in BTCUSDT. Repeatable.")] = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="First day (UTC), as in 2024-01-31.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Length of the history.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of the bars: 1m, 1h, 1d.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed is another world.")] = None,
    spot: Annotated[bool, typer.Option("--spot", help="Spot instead of perpetuals with funding.")] = False,
    book_hours: Annotated[int, typer.Option(min=0, help="Hours from the start with an order book.")] = 0,
    json: Json = False,
) -> None:
    """Make a market and put it into the lake, as venue `synthetic`.

    Bars and funding of all days, and of its first hours the order book with every trade.
    """
    from truewind.cli import settings
    from truewind.cli.output import print_json
    from truewind.config import parse
    from truewind.domain.timeframe import HOUR_US
    from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
    from truewind.storage.lake import Lake

    given = {"symbols": symbol or None, "start": start, "days": days, "timeframe": timeframe, "seed": seed}
    given["kind"] = "spot" if spot else None
    chosen = parse(SyntheticConfig, {name: value for name, value in given.items() if value is not None}, "options")
    lake, market = Lake(settings.load().lake), SyntheticMarket(chosen)
    with progress(compiles=True) as step:
        keys = market.write(lake, step)
        for done, name in enumerate(chosen.symbols if book_hours else ()):
            step("order books", done, len(chosen.symbols))
            keys.append(market.write_book(lake, name, chosen.start_us, chosen.start_us + book_hours * HOUR_US))
    if json:
        print_json({"lake": str(lake.url), "series": [str(key) for key in keys]})
    else:
        for key in keys:
            print(key)


@app.command(epilog="Example: truewind data bars BTCUSDT --timeframe 1m")
def bars(
    series: Annotated[str | None, typer.Argument(help="Parts of a series' name; without it, all trades.")] = None,
    timeframe: Annotated[str, typer.Option(help="Length of the bars: 1s, 1m, 1h, 1d.")] = "1m",
    json: Json = False,
) -> None:
    """Make bars of the trades in the lake, and put them into it.

    Bars that are there already stay: only what comes after the last one is added. The bar of the last trade is left
    out, since nothing shows that it was over.
    """
    from truewind.cli import settings
    from truewind.cli.output import print_json, print_table
    from truewind.errors import UnknownSeriesError
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    traded = lake.series(kind="trades")
    if not traded:
        raise UnknownSeriesError("The lake holds no trades", remedy="Import some: truewind data import PATH")
    chosen = choose(traded, series)
    made = []
    with progress() as step:
        for done, info in enumerate(chosen):
            step("making bars", done, len(chosen))
            made.append(_make_bars(lake, info, timeframe))
    if json:
        print_json({"lake": str(lake.url), "series": [{"series": name, "added": count} for name, count in made]})
    else:
        print_table(["series", ">bars added"], made)


def _make_bars(lake: "Lake", info: "SeriesInfo", timeframe: str) -> tuple[str, int]:
    """Bars of one series of trades into the lake, day by day: their series, and how many were added."""
    from truewind.domain.timeframe import DAY_US, timeframe_name, timeframe_us
    from truewind.errors import EmptyRangeError
    from truewind.features import TradeBars
    from truewind.storage.schema import SeriesKey

    length = timeframe_us(timeframe)
    key = SeriesKey("bars", info.key.venue, info.key.symbol, timeframe_name(length))
    stored = lake.series(kind=key.kind, venue=key.venue, symbol=key.symbol, timeframe=key.timeframe)
    start = max([info.start_us, *(one.end_us + length for one in stored)])
    builder, added = TradeBars(every=timeframe), 0
    for day in range(start, info.end_us + 1, DAY_US):
        try:
            trades = lake.read(info.key, start_us=day, end_us=day + DAY_US, columns=("ts", "price", "quantity", "side"))
        except EmptyRangeError:
            continue
        added += lake.write(key, builder.extend(trades)).added
    return str(key), added


@app.command("list", epilog="Example: truewind data list --json")
def list_(json: Json = False) -> None:
    """List what the lake holds."""
    from truewind.cli import settings
    from truewind.cli.output import print_json, print_table
    from truewind.domain.clock import iso
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    series = lake.series()
    reasons = [_reasons(lake, info) for info in series]
    if json:
        listed = [described(info) | {"reasons": why} for info, why in zip(series, reasons, strict=True)]
        print_json({"lake": str(lake.url), "series": listed})
        return
    print_table(
        ["venue", "symbol", "kind", "timeframe", ">rows", "first", "last", ">gaps", ">missing", "why", ">MB"],
        (
            (
                info.key.venue,
                info.key.symbol,
                info.key.kind,
                info.key.timeframe,
                info.rows,
                iso(info.start_us),
                iso(info.end_us),
                info.gaps,
                info.missing,
                ", ".join(f"{reason} {count:,}" for reason, count in why.items()),
                f"{info.bytes / 1e6:,.1f}",
            )
            for info, why in zip(series, reasons, strict=True)
        ),
    )


def _reasons(lake: "Lake", info: "SeriesInfo") -> dict[str, int]:
    """Why rows are missing, and how many; how many ranges of time where rows come when they come."""
    if info.key.step_us and not info.gaps:
        return {}
    counts: Counter[str] = Counter()
    for reason, missing in lake.gaps(info.key).select("reason", "missing").iter_rows():
        counts[reason] += 1 if missing is None else missing
    return dict(counts.most_common())


@app.command(epilog="Example: truewind data instrument AAPL --venue zipline --kind equity")
def instrument(
    symbol: Annotated[str, typer.Argument(help="In the venue's form: AAPL, EURUSD, BTCUSDT_240329.")],
    venue: Annotated[str, typer.Option(help="Where it is traded.")],
    kind: Annotated[str | None, typer.Option(help="spot, perpetual, future, equity, fx or index.")] = None,
    base: Annotated[str | None, typer.Option(help="What is bought: BTC.")] = None,
    quote: Annotated[str | None, typer.Option(help="What it is priced in: USDT.")] = None,
    settle: Annotated[str | None, typer.Option(help="What profit and margin are in; without it, the quote.")] = None,
    tick: Annotated[str | None, typer.Option(help="Smallest step of the price: 0.01.")] = None,
    lot: Annotated[str | None, typer.Option(help="Smallest step of the quantity.")] = None,
    multiplier: Annotated[str | None, typer.Option(help="Base units in a contract.")] = None,
    min_notional: Annotated[str | None, typer.Option(help="Least worth of an order.")] = None,
    expiry: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it expires, or was delisted (UTC): 2024-03-29T08:00.")
    ] = None,
    calendar: Annotated[str | None, typer.Option(help="crypto, us_equities or fx.")] = None,
    json: Json = False,
) -> None:
    """Say what an instrument is, where the data do not; without options, show it.

    What is not said stays as it was, or is what is usual for its kind.
    """
    import msgspec

    from truewind.cli import settings
    from truewind.cli.output import print_json, print_table
    from truewind.domain.clock import iso
    from truewind.market.contracts import describe
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    given = {
        "kind": kind, "base": base, "quote": quote, "settle": settle, "tick_size": tick, "lot_size": lot,
        "multiplier": multiplier, "min_notional": min_notional, "expiry": expiry, "calendar": calendar,
    }  # fmt: skip
    said = {name: value for name, value in given.items() if value is not None}
    about = describe(lake, venue, symbol, said) if said else lake.instrument(venue, symbol)
    if json:
        print_json(msgspec.to_builtins(about))
        return
    rows = [(name, getattr(about, name)) for name in ("kind", "base", "quote", "tick_size", "lot_size", "multiplier")]
    rows += [("settled in", about.currency), ("calendar", about.calendar)]
    rows += [("expiry", iso(about.expiry_us))] if about.expiry_us else []
    print_table([about.id, ""], rows)


@app.command(epilog="Example: truewind data continuous BTCUSDT_240329 BTCUSDT_240628 --venue binance_usdm --into BTC1")
def continuous(
    contracts: Annotated[list[str], typer.Argument(help="Dated futures of the lake, at least two.")],
    venue: Annotated[str, typer.Option(help="Where they were traded.")],
    into: Annotated[str, typer.Option(help="The symbol of the new series.")],
    timeframe: Annotated[str, typer.Option(help="Length of the bars to join.")] = "1d",
    roll: Annotated[
        Literal["expiry", "volume"], typer.Option(help="Some days before expiry, or once the next trades more.")
    ] = "expiry",
    days: Annotated[float, typer.Option(min=0.0, help="Days before expiry.")] = 3.0,
    adjust: Annotated[
        Literal["none", "ratio", "difference"], typer.Option(help="How the jump at a roll is taken out.")
    ] = "ratio",
    json: Json = False,
) -> None:
    """Join dated futures into one series of bars."""
    from typing import cast

    from truewind.cli import settings
    from truewind.cli.output import print_json, print_table
    from truewind.market.contracts import join
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    parts = join(
        lake, venue, contracts, timeframe, into, roll=cast("Any", roll), days=days, adjust=cast("Any", adjust)
    )  # fmt: skip
    if json:
        print_json({"symbol": into, "contracts": [{"symbol": name, "from": since} for name, since in parts]})
    else:
        print_table([f"{into} is", "from"], parts)


def choose(series: "list[SeriesInfo]", wanted: str | None) -> "list[SeriesInfo]":
    """The series whose name has every part of `wanted`: "BTCUSDT", "binance/BTCUSDT/1h". Raises UnknownSeriesError."""
    from truewind.errors import UnknownSeriesError, suggest

    parts = (wanted or "").replace("/", " ").split()
    names = [(info.key.venue, info.key.symbol, info.key.kind, info.key.timeframe, info.key.layer) for info in series]
    found = [info for info, name in zip(series, names, strict=True) if all(part in name for part in parts)]
    if not found:
        strangers = [part for part in parts if not any(part in name for name in names)]
        known = sorted({part for name in names for part in name if part})
        remedy = suggest(strangers[0], known) if strangers else "truewind data list shows what there is"
        raise UnknownSeriesError(f"No series '{wanted}' in the lake" if wanted else "The lake is empty", remedy=remedy)
    return found


@app.command(epilog="Example: truewind data snapshot --json")
def snapshot(
    series: Series = None,
    json: Json = False,
) -> None:
    """Name the state of the data.

    One id, the same wherever the same data lies; it is kept with every result.
    """
    from truewind.cli import settings
    from truewind.cli.output import print_json
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    taken = lake.snapshot([info.key for info in choose(lake.series(), series)])
    if json:
        listed = [described(info) | {"content_hash": info.content_hash} for info in taken.series]
        print_json({"lake": str(lake.url), "id": taken.id, "series": listed})
    else:
        print(taken.id)


def described(info: "SeriesInfo") -> dict[str, Any]:
    """A series as plain values for JSON."""
    from truewind.domain.clock import iso

    key = info.key
    return {
        "series": str(key),
        "kind": key.kind,
        "venue": key.venue,
        "symbol": key.symbol,
        "timeframe": key.timeframe,
        "layer": key.layer,
        "rows": info.rows,
        "start": iso(info.start_us),
        "end": iso(info.end_us),
        "gap_count": info.gaps,
        "missing": info.missing,
        "bytes": info.bytes,
        "columns": list(info.columns),
    }
