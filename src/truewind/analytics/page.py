"""Page: a report's document on one HTML page that needs no network and is byte-identical for equal documents.

Script and styles are part of the page; a content policy in its head forbids it to fetch anything.
"""

import functools
import itertools
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import orjson
from markupsafe import Markup, escape

from truewind.analytics import drawings, heatmaps, markup, timelines
from truewind.analytics.document import (
    Bars,
    Block,
    Candles,
    Document,
    HeatMap,
    Histogram,
    Lines,
    Scatter,
    Section,
    Series,
    Table,
    Text,
    Tiles,
)

_JUDGED = "overfitting"  # the section that has the gate's rules
_NOTHING = "Nothing to draw: no value is defined."


def page(document: Document) -> str:
    """The page of a document. Nothing in it depends on clock or chance."""
    timed = sum(_layout(block) == "timed" for section in document.sections for block in section.blocks)
    drawn = _Drawn(timelines.VALUES_IN_ALL // max(1, timed))
    sections = [
        {"id": section.id, "title": section.title, "body": drawn.section(section)} for section in document.sections
    ]
    judged = next((section.id for section in document.sections if section.id == _JUDGED), "title")
    return render(
        "page.html",
        document=document,
        judged_in=judged,
        sections=sections,
        data=_json({"curves": drawn.curves, "candles": drawn.candles}),
        script=asset("page.js"),
        charts=asset("lightweight-charts.js") if drawn.curves or drawn.candles else "",
    )


def render(template: str, **values: Any) -> str:
    """A template with these values, in the style that all pages share."""
    return _environment().get_template(template).render(style=asset("page.css"), **values)


def asset(name: str) -> Markup:
    """A file of the templates, as it is."""
    return Markup((files("truewind.analytics") / "templates" / name).read_text(encoding="utf-8"))


class _Drawn:
    """Sections as markup, while what the script has to draw is gathered."""

    def __init__(self, values: int) -> None:
        """values: that a chart over time may have."""
        self._values = values
        self.curves: list[dict[str, Any]] = []
        self.candles: dict[str, Any] = {}
        self._count = 0

    def section(self, section: Section) -> Markup:
        """Drawings that follow each other stand side by side where there is room."""
        parts: list[Markup] = []
        for kind, grouped in itertools.groupby(section.blocks, key=_layout):
            blocks = list(grouped)
            timed = [block for block in blocks if isinstance(block, Lines) and kind == "timed"]
            drawn = self._timed(timed) if timed else [self._block(block) for block in blocks]
            if kind in ("half", "slim") and len(drawn) > 1:
                parts.append(Markup('<div class="pair">') + Markup("").join(drawn) + Markup("</div>"))
            else:
                parts += drawn
        return Markup("\n").join(parts)

    def _block(self, block: Block) -> Markup:
        match block:
            case Text():
                return markup.text(block)
            case Tiles():
                return markup.tiles(block)
            case Table():
                return markup.table(block)
            case Bars():
                return _figure(block, drawings.bars(block))
            case Histogram():
                return _figure(block, drawings.histogram(block), _key([(block.curve_name, "normal")]))
            case HeatMap():
                return _figure(block, heatmaps.heat_map(block))
            case Scatter():
                named = [(name, f"dot g{number % 8}") for number, name in enumerate(block.names)]
                return _figure(block, drawings.scatter(block), _key(named))
            case Candles():
                return self._candles(block)
            case Lines():
                return _figure(block, drawings.lines(block), _line_key(block))

    def _timed(self, blocks: Sequence[Lines]) -> list[Markup]:
        """Charts of equal times are thinned together and move together."""
        found: list[Markup] = []
        groups: list[list[Lines]] = []
        for block in blocks:
            if groups and np.array_equal(np.asarray(groups[-1][0].ts_us), np.asarray(block.ts_us)):
                groups[-1].append(block)
            else:
                groups.append([block])
        for group in groups:
            names = [f"chart-{self._count + number}" for number in range(len(group))]
            self._count += len(group)
            most = min(timelines.MAX_VALUES, self._values * len(group))
            self.curves.append(timelines.curves(group, names, most))
            found += [_chart(block, name) for block, name in zip(group, names, strict=True)]
        return found

    def _candles(self, block: Candles) -> Markup:
        drawn = timelines.drawn_symbols(block)
        title = f"<h3>{escape(block.title)}</h3>"
        if not drawn or self.candles:  # a page has one picture of prices, which tables point into
            return Markup(f'<div class="part">{title}<p class="note">The run kept no candles to draw.</p></div>')
        self.candles = timelines.candles(block)
        crowded = timelines.crowded(block.trades, drawn)
        undrawn = [symbol for symbol in block.candles if symbol not in drawn]
        note = [block.note] if block.note else []
        if crowded:
            note.append(f"Only the latest {timelines.max_marked(drawn):,} trades of {', '.join(crowded)} are marked.")
        if undrawn:
            note.append(f"Not drawn: {', '.join(undrawn)}.")
        return Markup(_environment().get_template("candles.html").render(title=block.title, symbols=drawn, note=note))


def _layout(block: Block) -> str:
    """What may stand together: timed charts, drawings of half a page's width, and tables of few figures."""
    if isinstance(block, Lines):
        long = block.ts_us is not None and not block.bands and len(block.ts_us) > 1
        return "timed" if long and block.series else "half"
    if isinstance(block, HeatMap):
        return "whole" if np.ndim(block.values) == 2 and np.shape(block.values)[1] <= heatmaps.MOST_COLUMNS else "half"
    if isinstance(block, Table):
        figures = all(column.kind not in ("text", "moment") for column in block.columns[1:])
        return "slim" if len(block.columns) <= 3 and figures and not block.folded else "whole"
    return "half" if isinstance(block, Bars | Histogram | Scatter) else "whole"


def _figure(block: Bars | Histogram | HeatMap | Scatter | Lines, drawing: Markup | None, key: str = "") -> Markup:
    note = " ".join(part for part in ("" if drawing is not None else _NOTHING, block.note) if part)
    said = f'<p class="note">{markup.prose(note)}</p>' if note else ""
    inner = drawing if drawing is not None else ""
    return Markup(f"<figure><h3>{escape(block.title)}</h3>{key if inner else ''}{inner}{said}</figure>")


def _key(named: Sequence[tuple[str, str]]) -> str:
    """What colours mean."""
    shown = [f'<span><i class="swatch {look}"></i>{escape(name)}</span>' for name, look in named if name]
    return f'<p class="key">{"".join(shown)}</p>' if shown else ""


def _line_key(block: Lines) -> str:
    named = [(band.name, "band") for band in block.bands]
    return _key([*_looks(block.series), *named]) if len(block.series) + len(named) > 1 else ""


def _looks(series: Sequence[Series]) -> list[tuple[str, str]]:
    others = itertools.count()
    return [(one.name, f"g{next(others) % 8}" if one.role == "other" else one.role) for one in series]


def _chart(block: Lines, name: str) -> Markup:
    values = [np.asarray(one.values, np.float64) for one in block.series]
    positive = all(bool(np.all(v[np.isfinite(v)] > 0)) for v in values) and any(np.isfinite(v).any() for v in values)
    switch = (
        f'<div class="switch" role="group" aria-label="Scale" data-chart="{name}">'
        '<button type="button" data-scale="0" aria-pressed="true">Linear</button>'
        '<button type="button" data-scale="1" aria-pressed="false">Log</button></div>'
        if block.choose_log and positive
        else ""
    )
    # A lone curve has its name in the title already.
    names = _looks(block.series) if len(block.series) > 1 else []
    shown = "".join(f'<span><i class="swatch {look}"></i>{escape(said)}</span>' for said, look in names)
    size = "tall" if block.choose_log else "short" if block.under else "middle"
    note = f'<p class="note">{markup.prose(block.note)}</p>' if block.note else ""
    return Markup(
        f'<figure><div class="head"><h3>{escape(block.title)}</h3>{switch}</div>'
        f'<p class="key">{shown}<output id="{name}-readout"></output></p>'
        f'<div id="{name}" class="chart {size}" role="img" aria-label="{escape(block.title)} over time"></div>'
        f"{note}</figure>"
    )


def _json(data: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(orjson.dumps(data).decode().replace("<", "\\u003c"))


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("truewind.analytics"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
