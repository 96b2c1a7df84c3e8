"""Data quality: what the run read, what is missing of it, and what a reader must know before he trusts the figures."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from truewind.analytics.document import Block, Column, Section, Table, Text
from truewind.analytics.figures import FIGURES, percent
from truewind.analytics.report import Report

_ALL_YEAR = 365  # trading days of a market that never closes
_MADE_UP = "synthetic"  # the venue of markets that nobody traded on
_SEVERAL = 2  # warnings of one kind that are said one by one
_NAMED = 4  # symbols that are named of a warning of many
_COLUMNS = (
    Column(label="Series"),
    Column(label="Rows", kind="count"),
    Column(label="From (UTC)"),
    Column(label="To (UTC)"),
    Column(label="Gaps", kind="count"),
    Column(label="Missing", kind="count", meaning="Rows that lack between the first and the last"),
    Column(label="Share", kind="fraction", meaning="Of the rows that there should be"),
    Column(label="Why", meaning="As the ledger of gaps knows it"),
    Column(label="Refused", kind="count", meaning="Rows in quarantine"),
)
_SESSIONS = "Rows that a market lacks while it is closed are no gaps, and are not counted here."


def section(report: Report) -> Section:
    """The series that were read, then all warnings, then what is not defined and why."""
    told = report.warnings
    said = Text(sentences=tuple(_gathered(told)) or ("None.",), bullets=bool(told), title="Warnings")
    blocks: list[Block] = [*_series(report), said]
    if len(told) > len(said.sentences):
        rows = tuple((warning,) for warning in told)
        blocks.append(
            Table(name="warnings", title="Every warning", columns=(Column(label="Warning"),), rows=rows, folded=True)
        )
    if missing := _undefined(report.summary):
        blocks.append(Text(sentences=tuple(missing), bullets=True, title="Figures that are not defined"))
    return Section(id="quality", title="Data quality", blocks=tuple(blocks))


def _series(report: Report) -> list[Block]:
    """A sentence and a row a series; nothing for a run that read no lake."""
    series = (report.data or {}).get("series") or ()
    if not series:
        return []
    always = report.summary["days_per_year"] >= _ALL_YEAR
    rows = tuple(_row(one, always) for one in series)
    missing = sum(one["missing"] for one in series) if always else 0
    lacking = sum(1 for one in series if one["missing"]) if always else 0
    refused = sum(sum(one["quarantined"].values()) for one in series)
    sentence = f"{len(series):,} series were read. " if len(series) > 1 else "One series was read. "
    if not always:
        sentence += _SESSIONS
    elif missing:
        share = missing / (missing + sum(one["rows"] for one in series if one["timeframe"]))
        sentence += f"{lacking:,} of them {'lacks' if lacking == 1 else 'lack'} rows, {percent(share)} of all."
    else:
        sentence += "None has a gap."
    if refused:
        sentence += f" {refused:,} rows were refused by checks and are in quarantine."
    blocks: list[Block] = [Text(sentences=(sentence,))]
    if any(one["venue"] == _MADE_UP for one in series):
        made = "These markets are made up: they show that a strategy runs, never that it earns."
        blocks.append(Text(sentences=(made,), tone="warning"))
    blocks.append(Table(name="data", title="What was read", columns=_COLUMNS, rows=rows, folded=len(rows) > 8))
    return blocks


def _row(one: Mapping[str, Any], always: bool) -> tuple[Any, ...]:
    name = " ".join(part for part in (one["venue"], one["symbol"], one["kind"], one["timeframe"]) if part)
    counted = always and bool(one["timeframe"])  # what comes when it comes cannot be told to be missing
    gaps, missing = (one["gaps"], one["missing"]) if counted else (None, None)
    share = missing / (missing + one["rows"]) if counted and one["rows"] else None
    why = ", ".join(f"{reason} {count:,}" for reason, count in one["why"].items()) if counted else ""
    refused = sum(one["quarantined"].values())
    return (name, one["rows"], one["start"], one["end"], gaps, missing, share, why or None, refused)


def _gathered(told: Sequence[str]) -> list[str]:
    """Warnings, those that many symbols share said once, of the first of them, with the names of the others."""
    kinds: dict[str, list[str]] = {}
    for warning in told:
        kinds.setdefault(_kind(warning), []).append(warning)
    found = []
    for alike in kinds.values():
        if len(alike) <= _SEVERAL:
            found += alike
            continue
        others = [warning.partition(":")[0] for warning in alike[1:]]
        named = ", ".join(others[:_NAMED])
        if len(others) > _NAMED:
            named += f" and {len(others) - _NAMED:,} more"
        found.append(f"{alike[0]} (likewise {named})")
    return found


def _kind(warning: str) -> str:
    """What a warning says whatever symbol and figures it names; of one without a symbol all of it."""
    symbol, colon, rest = warning.partition(": ")
    return re.sub(r"\d[\d.,:\- ]*", "#", rest) if colon and " " not in symbol else warning


def _undefined(summary: Mapping[str, Any]) -> list[str]:
    """One line a reason, naming the figures that share it."""
    by_reason: dict[str, list[str]] = {}
    for item in summary["not_defined"]:
        by_reason.setdefault(item["reason"], []).append(FIGURES[item["metric"]].label)
    return [f"{_few(names)}: not defined, because {reason}" for reason, names in by_reason.items()]


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:6])} and {len(names) - 6} more figures"
