"""Attribution: where the result came from, what the costs took of it, and what carrying out the orders cost."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl

from truewind.analytics import shortfall
from truewind.analytics.attribution import (
    CONFIDENCE,
    FEW,
    Costs,
    Split,
    costs_by_strategy,
    costs_by_symbol,
    outside,
    splits,
)
from truewind.analytics.document import Bars, Block, Column, Section, Table, Text
from truewind.analytics.report import Report

ID, TITLE = "attribution", "Attribution"
MAX_ROWS = 30  # boxes of one table: of very many symbols the best and the worst
_MEANS = ("hour", "weekday", "session", "regime")  # drawn as the mean of a trade with its interval
_SUMS = ("symbol", "entry-reason", "exit-reason", "holding")  # drawn as money
_FOLDED = ("hour", "month")
_COLUMNS = (
    Column(label="Trades", kind="count"),
    Column(label="Net", kind="money", tone="sign", meaning="Sum of the trades' results after all costs"),
    Column(
        label="Share", kind="fraction", meaning="Result before fees and funding, of the sum of all rows' absolute ones"
    ),
    Column(label="Won", kind="fraction", meaning="Trades that made money after costs"),
    Column(label="Average R", kind="ratio", meaning="Mean result over the risk at the first stop"),
    Column(label="Mean", kind="money", tone="sign", meaning="Net result of a trade"),
    Column(
        label="Low", kind="money", meaning=f"Lower end of the mean's {CONFIDENCE * 100:.0f} % interval, by Student's t"
    ),
    Column(label="High", kind="money", meaning="Upper end of it"),
    Column(label="Reading", meaning=f"Below {FEW} trades nothing is concluded; luck where the interval holds zero"),
)


def section(report: Report) -> Section | None:
    """None if there was no trade and no order."""
    found, rest = splits(report), outside(report)
    blocks: list[Block] = []
    if found:
        blocks.append(Text(sentences=_intro(found)))
        plain = [one for one in found if not one.id.startswith("feature-")]
        drawings = {one.id: _drawn(one) for one in plain if one.id in (*_MEANS, *_SUMS)}
        blocks += [drawing for drawn in drawings.values() for drawing in drawn]
        for one in plain:  # what is drawn needs its table only for the figures
            table = _table(one, rest)
            blocks.append(msgspec.structs.replace(table, folded=True) if drawings.get(one.id) else table)
        blocks += _features([one for one in found if one.id.startswith("feature-")], rest)
        blocks += _costs(report)
    blocks += _shortfall(report)
    return Section(id=ID, title=TITLE, blocks=tuple(blocks)) if blocks else None


def _intro(found: Sequence[Split]) -> tuple[str, ...]:
    judged = [
        box for one in found if not one.afterwards for box in one.boxes if box.trades >= FEW and box.low <= box.high
    ]
    clear = sum(box.reading in ("gains", "loses") for box in judged)
    sentences = [
        "Every trade stands in one row of each table, so that the rows of a table add up to the result; what belongs "
        "to no trade has a row of its own.",
    ]
    if judged:
        sentences.append(
            f"Of {len(judged)} rows with {FEW} trades or more {clear} {'have' if clear != 1 else 'has'} a mean that "
            f"differs from zero at {CONFIDENCE * 100:.0f} %; about {(1 - CONFIDENCE) * len(judged):.1f} would by luck "
            "alone if no row were better than another. Choosing the best hour, or any other row, is one more trial."
        )
    else:
        sentences.append(f"No row has {FEW} trades: nothing can be concluded from these tables.")
    return tuple(sentences)


def _table(one: Split, rest: float) -> Table:
    boxes = one.boxes
    note = one.note
    if one.afterwards:
        note = f"{note} Known only when a trade is over: stops lose, and that is no find.".strip()
    if len(boxes) > MAX_ROWS:
        note = f"{note} The {len(boxes) - MAX_ROWS} rows between the best and the worst are summed up.".strip()
    half = MAX_ROWS // 2
    shown = boxes if len(boxes) <= MAX_ROWS else (*boxes[:half], *boxes[-half:])
    rows: list[tuple[Any, ...]] = [
        (b.label, b.trades, b.net, *_values(b), "" if one.afterwards else b.reading) for b in shown
    ]
    if len(shown) < len(boxes):
        left = boxes[half:-half]
        rows.insert(
            half, (f"{len(left)} others", sum(b.trades for b in left), math.fsum(b.net for b in left), *_NONE, "")
        )
    if rest and math.isfinite(rest):
        rows.append(("belongs to no trade", 0, rest, *_NONE, ""))
    total = math.fsum(b.net for b in boxes) + (rest if math.isfinite(rest) else 0.0)
    rows.append(("all", sum(b.trades for b in boxes), total, *_NONE, ""))
    return Table(
        name=f"attribution-{one.id}",
        title=one.title,
        columns=(Column(label=one.title), *_COLUMNS),
        rows=tuple(rows),
        note=note,
        folded=one.id in _FOLDED or one.id.startswith("feature-"),
        bold=(len(rows) - 1,),
    )


_NONE = (None,) * 6


def _values(box: Any) -> tuple[float | None, ...]:
    values = (box.share, box.win_rate, box.average_r, box.mean, box.low, box.high)
    return tuple(value + 0.0 if math.isfinite(value) else None for value in values)


def _drawn(one: Split) -> list[Block]:
    boxes = [box for box in one.boxes if math.isfinite(box.net)]
    if len(boxes) < 2 or len(boxes) > MAX_ROWS:
        return []
    labels = tuple(box.label for box in boxes)
    if one.id in _SUMS:
        return [Bars(title=f"Net result by {_lower(one.title)}", labels=labels,
                     values=np.array([box.net for box in boxes]), kind="money")]  # fmt: skip
    return [
        Bars(
            title=f"Mean result of a trade by {_lower(one.title)}",
            labels=labels,
            values=np.array([box.mean for box in boxes]),
            kind="money",
            low=np.array([box.low if box.trades >= FEW else math.nan for box in boxes]),
            high=np.array([box.high if box.trades >= FEW else math.nan for box in boxes]),
            note=f"Whiskers: {CONFIDENCE * 100:.0f} % interval of the mean; none below {FEW} trades.",
        )
    ]


def _lower(title: str) -> str:
    return title[0].lower() + title[1:]


def _features(found: Sequence[Split], rest: float) -> list[Block]:
    if not found:
        return []
    told = Text(
        sentences=(
            "By features: the value of each feature that was read, on the bar that the entry was decided on, in fifths "
            "of the entries. The edges are taken from the same trades: they describe, and are no rule to trade by.",
        )
    )
    return [told, *(_table(one, rest) for one in found)]


def _costs(report: Report) -> list[Block]:
    tables = [
        ("symbol", "Costs by symbol", costs_by_symbol(report)),
        ("strategy", "Costs by strategy", costs_by_strategy(report)),
    ]
    return [_cost_table(name, title, costs) for name, title, costs in tables if costs]


def _cost_table(name: str, title: str, costs: Sequence[Costs]) -> Table:
    def row(one: Costs) -> tuple[Any, ...]:
        return (one.label, one.before, -one.slippage, -one.fees, one.funding, one.carry, one.net)

    rows = [row(one) for one in costs]
    rows.append(("all", *(math.fsum(line[i] for line in rows) for i in range(1, 7))))
    labels = ("Before costs", "Slippage", "Fees", "Funding", "Carry", "Net")
    return Table(
        name=f"costs-by-{name}",
        title=title,
        columns=(
            Column(label=name.capitalize()),
            *(Column(label=label, kind="money", tone="sign") for label in labels),
        ),
        rows=tuple(rows),
        note="Carry: dividends, borrow fees and swaps. Trades that are still open are valued at the last price.",
        bold=(len(rows) - 1,),
    )


def _shortfall(report: Report) -> list[Block]:
    table = shortfall.of_orders(report)
    if table is None or table.is_empty():
        return []
    total, worth = float(table["total"].sum()), float(table["worth"].sum())
    bps = f", {1e4 * total / worth:.2f} bps of what was ordered" if worth > 0 else ""
    told = Text(
        sentences=(
            f"Implementation shortfall: a paper portfolio that does {len(table):,} orders whole, at the price "
            f"it was decided at and for nothing, ends {total:,.2f} {report.info.get('currency', '')}".rstrip()
            + f" {'above' if total >= 0 else 'below'} the real one{bps}.".replace("-", ""),
        )
    )
    blocks: list[Block] = [told]
    names = [("kind", "Kind of order")]
    names += [("symbol", "Symbol")] if table["symbol"].n_unique() > 1 else []
    names += [("strategy", "Strategy")] if table["strategy"].n_unique() > 1 else []
    for name, label in names:
        blocks.append(_shortfall_table(f"shortfall-by-{name}", label, shortfall.by(table, name), name))
    worst = table.sort("total", descending=True).head(10)
    blocks.append(
        Table(
            name="shortfall-worst-orders",
            title="The ten orders that fell short most",
            columns=(
                Column(label="Order", kind="count"),
                Column(label="Symbol"),
                Column(label="Kind"),
                Column(label="Sent", kind="moment"),
                *_MONEY,
            ),
            rows=tuple(
                (row["order_id"], row["symbol"], row["kind"], row["created"], *_parts(row))
                for row in worst.with_columns(bps=1e4 * pl.col("total") / pl.col("worth")).iter_rows(named=True)
            ),
            folded=True,
        )
    )
    return blocks


_MONEY = (
    Column(label="Ordered", kind="money", meaning="Worth at the decision price"),
    Column(label="Delay", kind="money", meaning="From the decision to the arrival at the venue"),
    Column(
        label="Trading", kind="money", meaning="From the arrival to the fill: spread, impact, and what waiting brought"
    ),
    Column(label="Fees", kind="money"),
    Column(
        label="Not filled",
        kind="money",
        meaning="What the part that never filled would have made until it was given up",
    ),
    Column(label="Shortfall", kind="money"),
    Column(label="bps", kind="bps", meaning="Of the worth ordered"),
)


def _parts(row: dict[str, Any]) -> tuple[Any, ...]:
    values = (row[name] for name in ("worth", *shortfall.PARTS, "total", "bps"))
    return tuple(None if value is None else value + 0.0 for value in values)  # no -0.0


def _shortfall_table(name: str, label: str, sums: pl.DataFrame, key: str) -> Table:
    rows = [(row[key] or "none", row["orders"], *_parts(row)) for row in sums.iter_rows(named=True)]
    summed = [math.fsum(row[i] for row in rows) for i in range(2, 8)]
    rows.append(("all", sum(row[1] for row in rows), *summed, 1e4 * summed[-1] / summed[0] if summed[0] > 0 else None))
    return Table(
        name=name,
        title=f"Implementation shortfall by {_lower(label)}",
        columns=(Column(label=label), Column(label="Orders", kind="count"), *_MONEY),
        rows=tuple(rows),
        note="Costs are positive. A stop or a target was decided at the price that it waits for, and does not count "
        "where that was never reached.",
        bold=(len(rows) - 1,),
    )
