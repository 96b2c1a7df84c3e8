"""A coverage calendar on one HTML page that needs no network: which days of which series are there, and what is not.

A line is a series, a column a day. Equal coverage gives equal bytes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from truewind.analytics.page import render
from truewind.domain.clock import iso
from truewind.domain.timeframe import DAY_US
from truewind.market.coverage import COMPLETE, STATES, Coverage, Stretch
from truewind.storage.ledger import EMPTY

LONGEST = 25  # gaps that are listed
_WIDTH, _LABELS, _FIGURES = 1072, 210, 58
_ROW, _BAR, _PART, _TOP = 18, 13, 8, 26
_HINTS = {
    "lost": "a recorder lost them",
    "missing": "asked for, and not there",
    "quarantined": "refused by a check",
    "not downloaded": "nobody asked for them",
    "venue down": "the venue was down",
    "no trades": "nothing happened, says the source",
    COMPLETE: "all rows are there",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def page(name: str, covered: Sequence[Coverage], checks: Sequence[Mapping[str, Any]] = ()) -> str:
    """The page of some series. checks: what `data check` found of each, of which damage and disagreement are shown."""
    covered = sorted(covered, key=lambda one: (one.key.venue, one.key.symbol, one.key.kind, one.key.step_us))
    begin, end = min(one.start_us for one in covered), max(one.end_us for one in covered)
    gaps = _longest(covered)
    return render(
        "coverage.html",
        name=name,
        series=len(covered),
        period=f"{_day(begin)} to {_day(end - DAY_US)}",
        verdict=_verdict(covered),
        groups=[
            (f"{venue} {symbol}", _drawing(list(group), begin, end))
            for (venue, symbol), group in groupby(covered, key=lambda one: (one.key.venue, one.key.symbol))
        ],
        axis=_axis(begin, end),
        legend=[(_css(state), state, _HINTS[state], _days(covered, state)) for state in (COMPLETE, *STATES[:-1])],
        gaps=gaps[:LONGEST],
        more=max(0, len(gaps) - LONGEST),
        troubles=[
            (check["series"], said)
            for check in checks
            for said in (
                *([f"damaged: {check['damage']}"] if check["damage"] else []),
                *(one["says"] for one in check["compared"] if one["differing"]),
            )
        ],
        agreeing=sum(1 for check in checks for one in check["compared"] if one["compared"] > one["differing"] == 0),
    )


def _verdict(covered: Sequence[Coverage]) -> str:
    whole = [one for one in covered if one.complete >= 1.0]
    if len(whole) == len(covered):
        return f"All {len(covered)} series are complete." if len(covered) > 1 else "The series is complete."
    worst = min(covered, key=lambda one: one.complete)
    return (
        f"{len(whole)} of {len(covered)} series are complete. {worst.key} lacks most: {1 - worst.complete:.2%} "
        "of its time."
    )


def _drawing(group: Sequence[Coverage], begin: int, end: int) -> Markup:
    """The lines of one instrument."""
    parts = []
    for line, one in enumerate(group):
        y = line * _ROW + (_ROW - _BAR) / 2
        label = f"{one.key.kind.replace('_', ' ')} {one.key.timeframe}".strip()
        parts.append(f'<text x="0" y="{y + _BAR - 3:.1f}">{escape(label)}</text>')
        shown = "100 %" if one.complete >= 1.0 else f"{min(one.complete * 100, 99.99):.2f} %"
        parts.append(f'<text x="{_WIDTH}" y="{y + _BAR - 3:.1f}" text-anchor="end">{shown}</text>')
        parts += [_bar(stretch, y, begin, end) for stretch in one.stretches]
    return _svg(len(group) * _ROW, parts, "Coverage by day")


def _bar(stretch: Stretch, y: float, begin: int, end: int) -> str:
    left, right = _x(stretch.start_us, begin, end), _x(stretch.end_us, begin, end)
    first, last = _day(stretch.start_us), _day(stretch.end_us - DAY_US)
    when = first if first == last else f"{first} to {last}"
    share = "" if stretch.state == COMPLETE else f" ({stretch.missing:.2%} of the time)"
    # A day among years would be thinner than a line: it is drawn wide enough to be seen.
    width = max(right - left, 1.2 if stretch.state == COMPLETE else 2.4)
    where = f'x="{left:.2f}" y="{y:.1f}" width="{width:.2f}"'
    title = f"<title>{when}: {escape(stretch.state)}{share}</title>"
    if stretch.whole or stretch.state == COMPLETE:
        return f'<rect class="{_css(stretch.state)}" {where} height="{_BAR}">{title}</rect>'
    return (
        f'<rect class="{COMPLETE}" {where} height="{_BAR}"/>'
        f'<rect class="{_css(stretch.state)}" {where} height="{_PART}">{title}</rect>'
    )


def _axis(begin: int, end: int) -> Markup:
    """Names of months, or of years, where they begin."""
    start, stop = (_EPOCH + timedelta(microseconds=at) for at in (begin, end))
    months = []
    month = start.replace(day=1)
    while month < stop:
        months.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    apart = (_WIDTH - _LABELS - _FIGURES) / len(months)
    every = next(step for step in (1, 3, 6, 12, 24, 60, 120, 1200) if step * apart > 44)
    parts = []
    for month in months:
        at = int((month - _EPOCH).total_seconds()) * 1_000_000
        if at < begin or (month.month - 1 + 12 * month.year) % every:
            continue
        x = _x(at, begin, end)
        shown = f"{month:%Y}" if month.month == 1 else f"{month:%b}"
        if x < _WIDTH - _FIGURES - 24:
            parts.append(f'<text x="{x:.1f}" y="14">{shown}</text>')
            parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{_TOP - 2}"/>')
    return _svg(_TOP, parts, "Months")


def _svg(height: float, parts: Sequence[str], label: str) -> Markup:
    # The parts are made of numbers and of text that has been escaped.
    head = f'<svg class="days" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")


def _x(at: int, begin: int, end: int) -> float:
    return _LABELS + (at - begin) / (end - begin) * (_WIDTH - _LABELS - _FIGURES)


def _longest(covered: Sequence[Coverage]) -> list[tuple[str, str, str, str, str]]:
    """What lacks, the longest first: series (timeframes of one kind together), from, to, how long, why."""
    lacking: dict[tuple[str, int, int, str], list[str]] = {}
    for one in covered:
        for start, end, why in one.gaps:
            if why != EMPTY:
                name = f"{one.key.venue} {one.key.symbol} {one.key.kind}"
                lacking.setdefault((name, start, end, why), []).append(one.key.timeframe)
    return [
        (f"{name} {' '.join(timeframes)}".strip(), iso(start), iso(end), _length(end - start), why)
        for (name, start, end, why), timeframes in sorted(
            lacking.items(), key=lambda both: (both[0][1] - both[0][2], both[0])
        )
    ]


def _length(time_us: float) -> str:
    days = time_us / DAY_US
    return f"{days:,.1f} days" if days >= 1 else f"{days * 24:.1f} h" if days * 24 >= 1 else f"{days * 1440:.1f} min"


def _days(covered: Sequence[Coverage], state: str) -> int:
    return sum(
        (stretch.end_us - stretch.start_us) // DAY_US
        for one in covered
        for stretch in one.stretches
        if stretch.state == state
    )


def _css(state: str) -> str:
    return state.replace(" ", "-")


def _day(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).date().isoformat()
