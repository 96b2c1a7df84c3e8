"""`truewind data check`: what is wrong with stored series, what is missing and why, and whether they agree."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from truewind.cli.data import choose, described
from truewind.cli.options import Json, Network, Series
from truewind.cli.progress import progress

if TYPE_CHECKING:
    from truewind.storage.lake import Lake
    from truewind.storage.schema import SeriesKey
    from truewind.storage.snapshot import SeriesInfo

_SHOWN_GAPS = 3


def register(group: typer.Typer) -> None:
    """Put the command into `truewind data`."""
    group.command(epilog="Example: truewind data check binance/BTCUSDT/1h --picture coverage.html")(check)


def check(
    series: Series = None,
    picture: Annotated[
        Path | None, typer.Option(help="Where to write a page that shows which days are there and which are not.")
    ] = None,
    against: Annotated[
        Literal["rest", "archive"] | None, typer.Option(help="Ask again there for the last days, and compare.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, help="How many, with --against.")] = 3.0,
    network: Network = None,
    json: Json = False,
) -> None:
    """Read stored series again and say what is wrong with them.

    Checksums, gaps and why, the named checks, quarantine, and whether series of one market agree with each other.

    Exit code 4 if a file is damaged.
    """
    from truewind.cli import settings
    from truewind.cli.output import print_json
    from truewind.errors import StorageError
    from truewind.storage.lake import Lake

    lake = Lake(settings.load().lake)
    there = lake.series()
    chosen, keys = choose(there, series), [info.key for info in there]
    results = []
    with progress() as step:
        for done, info in enumerate(chosen):
            step("checking series", done, len(chosen))
            results.append(_checked(lake, info, keys))
        if against is not None:
            step(f"asking {against} again", 0, 0)
            _ask_again(lake, chosen, results, against, days, network)
        if picture is not None:
            step("drawing the calendar", 0, 0)
            _draw(lake, chosen, results, picture)
    damaged = any(result["damage"] for result in results)
    if json:
        told = {"lake": str(lake.url), "ok": not damaged, "series": results}
        print_json(told | ({"picture": str(picture)} if picture else {}))
    else:
        _print_checks(results)
        if picture is not None:
            print(f"calendar: {picture}")
    if damaged:
        raise typer.Exit(StorageError.exit_code)


def _checked(lake: "Lake", info: "SeriesInfo", keys: "list[SeriesKey]") -> dict[str, Any]:
    from truewind.errors import CorruptError
    from truewind.market.check import check_series

    result: dict[str, Any] = {"findings": [], "months": [], "gaps": [], "quarantined": {}, "compared": []}
    result = described(info) | result | {"damage": None}
    try:
        lake.verify(info.key)
        report = check_series(lake, info.key, keys)
        found = report.as_dict()
        result |= {name: found[name] for name in ("findings", "months", "quarantined", "compared")}
        result["gaps"] = report.gaps.to_dicts()
    except CorruptError as error:
        result["damage"] = str(error)
    return result


def _ask_again(
    lake: "Lake",
    chosen: "list[SeriesInfo]",
    results: list[dict[str, Any]],
    source: str,
    days: float,
    network: str | None,
) -> None:
    """Compare the last days of every sound series with its source, and put what was found beside the rest."""
    from truewind.cli import settings
    from truewind.domain.timeframe import DAY_US
    from truewind.market.history.against import against
    from truewind.market.history.sources import sources_of

    sound = {str(info.key): result for info, result in zip(chosen, results, strict=True) if not result["damage"]}
    keys = [info.key for info in chosen if str(info.key) in sound and info.key.layer == "raw"]
    for venue in sorted({key.venue for key in keys}):
        (provider,) = sources_of(venue, network or settings.load().network, source)
        for comparison in against(lake, provider, [key for key in keys if key.venue == venue], round(days * DAY_US)):
            sound[str(comparison.key)]["compared"].append(comparison.as_dict())


def _draw(lake: "Lake", chosen: "list[SeriesInfo]", results: list[dict[str, Any]], picture: Path) -> None:
    from truewind.analytics.coverage_page import page
    from truewind.errors import StorageError
    from truewind.market.coverage import coverage

    sound = [info for info, result in zip(chosen, results, strict=True) if not result["damage"]]
    drawn = page(str(lake.url), [coverage(lake, info.key) for info in sound], results) if sound else ""
    try:
        picture.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"Cannot write {picture}: {error.strerror}", remedy="Choose another place") from None


def _print_checks(results: list[dict[str, Any]]) -> None:
    from truewind.cli.output import console

    out = console()
    for result in results:
        out.print(f"[bold]{result['series']}[/]  {result['rows']:,} rows, {result['start']} to {result['end']}")
        lines = [f"damaged: {result['damage']}"] if result["damage"] else []
        lines += [
            f"{finding['check']}: {finding['count']:,}, first {finding['first']}, last {finding['last']}"
            + (f"; {finding['detail']}" if finding["detail"] else "")
            for finding in result["findings"]
        ]
        longest = sorted(result["gaps"], key=lambda gap: gap["ts_from"] - gap["ts_to"])[:_SHOWN_GAPS]
        lines += [f"gap of {_extent(gap)} from {gap['ts_from']:%Y-%m-%d %H:%M} ({gap['reason']})" for gap in longest]
        lines += [
            f"coverage of {month['month']}: {month['rows']:,} of {month['expected']:,} rows"
            for month in result["months"]
            if 0 < month["rows"] < month["expected"] and result["gaps"]
        ]
        if len(result["gaps"]) > _SHOWN_GAPS:
            lines.append(f"… and {len(result['gaps']) - _SHOWN_GAPS} shorter gaps (--json lists all)")
        lines += [f"in quarantine, {reason}: {count:,}" for reason, count in result["quarantined"].items()]
        lines += [comparison["says"] for comparison in result["compared"]]
        for line in lines or ["nothing to say"]:
            out.print(f"  {line}", markup=False, soft_wrap=True)


def _extent(gap: dict[str, Any]) -> str:
    """How much a gap lacks: rows, or time where rows come when they come."""
    return f"{gap['ts_to'] - gap['ts_from']}" if gap["missing"] is None else f"{gap['missing']:,} bars"
