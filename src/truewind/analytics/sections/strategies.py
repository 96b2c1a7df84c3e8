"""Strategies: what each of several has done with its share of the account."""

import numpy as np

from truewind.analytics.document import Block, Column, Lines, Section, Series, Table
from truewind.analytics.report import Report
from truewind.numerics.floats import floats

_COLUMNS = (
    Column(label="Strategy"),
    Column(label="Orders", kind="count"),
    Column(label="Fills", kind="count"),
    Column(label="Realised", kind="money"),
    Column(label="Unrealised", kind="money"),
    Column(label="Fees", kind="money"),
    Column(label="Funding", kind="money", meaning="Funding, dividends, borrow fees and swaps"),
    Column(label="Net", kind="money", tone="sign"),
    Column(label="Of the start", kind="fraction"),
)


def section(report: Report) -> Section | None:
    """A row and a curve a strategy; None where one ran alone."""
    several = report.summary.get("strategies")
    if several is None:
        return None
    initial = report.summary["initial_equity"]
    rows = tuple(
        (
            *(one["name"], one["orders"], one["fills"], one["realised"], one["unrealised"], -one["fees"]),
            *(one["funding"] + one["carry"], one["net"], one["net"] / initial if initial else None),
        )
        for one in several
    )
    note = (
        "Each strategy by its own share of the account; the nets add up to the result. Trades are the account's: where "
        "strategies hold a symbol together they are one position."
    )
    blocks: list[Block] = [Table(name="strategies", columns=_COLUMNS, rows=rows, note=note)]
    if report.gains is not None and not report.gains.is_empty():
        found = {str(key[0]): table for key, table in report.gains.group_by("strategy", maintain_order=True)}
        blocks.append(
            Lines(
                title="What each has gained",
                kind="money",
                ts_us=np.asarray(next(iter(found.values()))["ts"].dt.epoch("us").to_numpy()),
                series=tuple(
                    Series(name=name, values=floats(table["gain"]), role="other") for name, table in found.items()
                ),
            )
        )
    return Section(id="strategies", title="Strategies", blocks=tuple(blocks))
