"""Exposure: how much was held, for how long, and how near equity came to not bearing it."""

import numpy as np

from truewind.analytics.document import Block, Lines, Section, Series, Text, Tiles
from truewind.analytics.report import Report
from truewind.analytics.sections.performance import times
from truewind.analytics.sections.summary import tile
from truewind.numerics.floats import floats
from truewind.numerics.performance import NAN, Floats

_TILES = (*("exposure", "average_gross", "average_net", "max_gross", "max_margin_use", "least_cushion", "turnover"),)
_NOTE = "Gross is long plus short, net long less short, both over equity: 100 % is as much as the account is worth."
_LIQUIDATION = (
    "The least cushion is how far all that was held could have moved against the account before equity was used up; a "
    "venue liquidates sooner, by its maintenance margin."
)


def section(report: Report) -> Section | None:
    """Gross and net over time, and their figures; nothing for a run that never held anything."""
    gross, worth = floats(report.equity["gross"]), floats(report.equity["equity"])
    if not (gross > 0).any():
        return None
    ts, sound = times(report.equity), worth > 0
    series = [Series(name="gross", values=_over(gross, worth))]
    if "net" in report.equity.columns:
        series.append(Series(name="net", values=_over(floats(report.equity["net"]), worth), role="other"))
    note = _NOTE if sound.all() else f"{_NOTE} Not drawn where equity was not above zero."
    blocks: tuple[Block, ...] = (
        Tiles(tiles=tuple(tile(report.summary, name) for name in _TILES), small=True),
        Lines(title="Held, over equity", kind="fraction", ts_us=ts, series=tuple(series), note=note),
        Text(sentences=(_LIQUIDATION,), tone="quiet"),
    )
    return Section(id="exposure", title="Exposure", blocks=blocks)


def _over(held: Floats, worth: Floats) -> Floats:
    ratios: Floats = np.divide(held, worth, out=np.full(len(held), NAN), where=worth > 0)
    return ratios
