"""Document: a report as data: sections of sentences, tiles, tables and charts, which know nothing of being drawn.

Who reckons something writes a `Section`; the HTML page, the PDF and the exports draw whatever sections there are. So
what a reader is told stands in one place, and a new section appears in all of them.

Values are plain numbers in the units of their `kind` (see `analytics.figures`): a fraction of 0.12 is drawn as 12 %.
What is not defined is None or NaN and is drawn as a dash; why it is not is said in a note.
"""

from typing import Any, Literal

import msgspec

from truewind.analytics.figures import Kind
from truewind.numerics.performance import Floats, Ints

# good, bad: coloured as gain and loss; sign: by the value's sign; warning: what a reader must not overlook.
Tone = Literal["plain", "good", "bad", "sign", "warning", "quiet"]


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """Sentences; each a paragraph, or an item of a list if `bullets`. title: a heading above them.

    code: lines that are set as they are (a config), shown when asked for under their title.
    """

    sentences: tuple[str, ...]
    tone: Tone = "plain"
    bullets: bool = False
    title: str = ""
    code: bool = False


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One figure, large. meaning: what it is, or why it is not defined."""

    label: str
    value: Any
    kind: Kind
    meaning: str = ""
    tone: Tone = "plain"


class Tiles(msgspec.Struct, frozen=True, kw_only=True):
    """Figures side by side; `small` ones are a list of names and values."""

    tiles: tuple[Tile, ...]
    small: bool = False


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a table. meaning: what its heading means, where a reader may ask."""

    label: str
    kind: Kind = "text"
    meaning: str = ""
    tone: Tone = "plain"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """rows: tuples as long as `columns`. name: of its CSV file. folded: shown when asked for. bold: numbers of the rows
    that sum others up. note: what must be said of it, hidden rows among that. spot: numbers of the columns that say
    symbol, beginning and end of what a row tells of; the page then shows it in the candles. best: (row, column) of
    cells to point out, the best of a column.
    """

    name: str
    title: str = ""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""
    folded: bool = False
    bold: tuple[int, ...] = ()
    spot: tuple[int, int, int] | None = None
    best: tuple[tuple[int, int], ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line. role: own (the run), held (its benchmark), other (one of several equals), limit (a threshold)."""

    name: str
    values: Floats
    role: Literal["own", "held", "other", "limit"] = "own"


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """The space between two lines: a confidence band. Wider bands come first, and are drawn fainter."""

    name: str
    low: Floats
    high: Floats


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Curves over time (`ts_us`, int64 µs UTC) or over numbers (`x`); all values as long as that. NaN is a gap.

    kind: of the values. under: drawn as an area that hangs from zero. choose_log: a reader may choose a log scale.
    """

    title: str
    series: tuple[Series, ...]
    kind: Kind
    ts_us: Ints | None = None
    x: Floats | None = None
    x_label: str = ""
    bands: tuple[Band, ...] = ()
    under: bool = False
    choose_log: bool = False
    note: str = ""


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """One bar a label, up from zero or down from it. low, high: of an error bar, or None."""

    title: str
    labels: tuple[str, ...]
    values: Floats
    kind: Kind
    low: Floats | None = None
    high: Floats | None = None
    note: str = ""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Counts between `edges` (one more than counts). curve: a distribution to compare with, expected counts a bin at
    `curve_at`. marks: values to point out, with what they are.
    """

    title: str
    edges: Floats
    counts: Floats
    kind: Kind
    curve_at: Floats | None = None
    curve: Floats | None = None
    curve_name: str = ""
    marks: tuple[tuple[str, float], ...] = ()
    note: str = ""


class HeatMap(msgspec.Struct, frozen=True, kw_only=True):
    """A field of values, rows × columns; NaN where there is none. centre: the value that is neither good nor bad, from
    which colours part; None for values that only rise. marked: (row, column) of a cell to point out, or None.
    totals: one more value a row (a year of months), beside the field and not coloured, under `total_label`.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats
    kind: Kind
    centre: float | None = 0.0
    row_label: str = ""
    column_label: str = ""
    marked: tuple[int, int] | None = None
    totals: Floats | None = None
    total_label: str = "Total"
    note: str = ""


class Scatter(msgspec.Struct, frozen=True, kw_only=True):
    """Points. groups: of each point the number of its name in `names` (winners, losers …). diagonal: draws y = x."""

    title: str
    x: Floats
    y: Floats
    x_label: str
    y_label: str
    x_kind: Kind
    y_kind: Kind
    groups: Ints | None = None
    names: tuple[str, ...] = ()
    diagonal: bool = False
    note: str = ""


class Candles(msgspec.Struct, frozen=True, kw_only=True):
    """Prices by symbol with entries and exits. candles: by symbol `ts`, `open`, `high`, `low`, `close`; trades: as in a
    run's folder. Renderers thin them out.
    """

    title: str
    candles: dict[str, Any]
    trades: Any
    note: str = ""


Block = Text | Tiles | Table | Lines | Bars | Histogram | HeatMap | Scatter | Candles


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a report. id: a word, for links and file names."""

    id: str
    title: str
    blocks: tuple[Block, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report. overline: what kind of report. subtitle: what it is about, in a line. verdict: what came out, in
    words. passed: whether it may be trusted, None where nobody judged. warnings: how many there are.
    """

    name: str
    overline: str
    subtitle: str
    verdict: tuple[str, ...]
    passed: bool | None
    warnings: int
    sections: tuple[Section, ...]
