"""Page: a sheet of A4, what is put on it, and what text measures.

Places are in points (1/72 inch) from the upper left corner; a text's `y` is its baseline. Text is drawn by the PDF
backend directly, without matplotlib's text objects, which would cost most of the time that a long table takes.
"""

import contextlib
import functools
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D

WIDTH, HEIGHT = 595.28, 841.89  # A4
LEFT, RIGHT, TOP, BOTTOM = 48.0, 48.0, 64.0, 58.0  # margins
INNER = WIDTH - LEFT - RIGHT
FLOOR = HEIGHT - BOTTOM

# Blue and orange are told apart by every kind of colour vision, and in grey by what is drawn beside them: a sign, a
# dash, a shape.
INK, QUIET, LINE, PALE = "#1c2024", "#5f6873", "#c9cdd2", "#f1f3f5"
GAIN, LOSS, HELD = "#0b62b8", "#b8520a", "#7c858f"
_FAMILY, _MONO = "DejaVu Sans", "DejaVu Sans Mono"
_MISSING = "\N{REPLACEMENT CHARACTER}"


class Style(NamedTuple):
    """How text is set."""

    size: float
    bold: bool = False
    colour: str = INK
    mono: bool = False

    @property
    def leading(self) -> float:
        """From one baseline to the next."""
        return self.size * 1.42


BODY = Style(9.0)
SMALL = Style(7.5, colour=QUIET)
TITLE = Style(9.0, bold=True)  # of a table, of a chart


@functools.cache
def _font(size: float, bold: bool, mono: bool = False) -> FontProperties:
    return FontProperties(family=_MONO if mono else _FAMILY, weight="bold" if bold else "normal", size=size)


@functools.cache
def _advance(character: str, bold: bool, mono: bool) -> float:
    """Width of a character at a size of one point."""
    size = 100.0
    font = _font(size, bold, mono)
    return float(text_to_path.get_text_width_height_descent(character, font, ismath=False)[0]) / size


@functools.lru_cache(maxsize=50_000)
def _measured(text: str, bold: bool, mono: bool) -> float:
    # Kerning is left out: it makes text a little narrower, and measuring it takes longer than drawing does.
    return sum(_advance(character, bold, mono) for character in text)


def width(text: str, style: Style) -> float:
    return _measured(text, style.bold, style.mono) * style.size


@functools.cache
def _drawable() -> frozenset[int]:
    """The characters that the font has."""
    file = font_manager.findfont(_font(10.0, False), fallback_to_default=True)
    return frozenset(font_manager.get_font(file).get_charmap())


def typeset(text: str) -> str:
    """`as_given`, with true minus signs before numbers, narrow spaces before units, and spaces of one kind."""
    text = re.sub(r"(?<![\w.)-])-(?=[\d.])", "\N{MINUS SIGN}", text)
    text = re.sub(r"(?<=\d) (?=%|bps\b)", "\N{NARROW NO-BREAK SPACE}", text)
    text = " ".join(re.split(r"[ \t\r\n\v\f]+", text))
    return as_given(text)


def as_given(text: str) -> str:
    """`text`, but for characters that the font lacks, which are marked as such, and those that nobody sees."""
    known = _drawable()
    return "".join(one if ord(one) in known else _MISSING for one in text if one >= " ")


def wrapped(text: str, room: float, style: Style) -> list[str]:
    """Lines no wider than `room`, broken between words, and within a word that is wider by itself."""
    lines, line = [], ""
    for word in typeset(text).split(" "):
        longer = f"{line} {word}" if line else word
        if width(longer, style) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = _pieces(word, room, style)
        lines += whole
    return [*lines, line]


def _pieces(word: str, room: float, style: Style) -> list[str]:
    """`word` in pieces that fit; broken after a mark such as `/` where there is one in the piece's second half."""
    pieces = []
    while width(word, style) > room and len(word) > 1:
        end = len(word) - 1
        while end > 1 and width(word[:end], style) > room:
            end -= max(1, (end - 1) // 16)
        while end < len(word) and width(word[: end + 1], style) <= room:
            end += 1
        marks = [place for place in range(max(1, end // 2), end) if word[place] in "/_-.,:;=|"]
        cut = marks[-1] + 1 if marks else end
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def shortened(text: str, room: float, style: Style) -> str:
    """`text`, cut with an ellipsis where it is wider than `room`."""
    text = typeset(text)
    if width(text, style) <= room:
        return text
    while text and width(text + "…", style) > room:
        text = text[:-1]
    return text.rstrip() + "…"


class _Words(NamedTuple):
    x: float
    y: float
    text: str
    style: Style


class _Shape(NamedTuple):
    path: Path
    line: str | None
    weight: float
    dash: Sequence[float] | None
    fill: str | None


class _Ink(Artist):
    """What is drawn directly."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[_Words] = []
        self.shapes: list[_Shape] = []

    def draw(self, renderer: Any) -> None:
        turned = Affine2D().scale(1, -1).translate(0, HEIGHT)
        for shape in self.shapes:
            gc = renderer.new_gc()
            gc.set_foreground(shape.line or shape.fill or INK)
            gc.set_linewidth(shape.weight if shape.line else 0.0)
            if shape.dash:
                gc.set_dashes(0, list(shape.dash))
            fill = mpl.colors.to_rgba(shape.fill) if shape.fill else None
            renderer.draw_path(gc, shape.path, turned, fill)
            gc.restore()
        for words in self.words:
            gc = renderer.new_gc()
            gc.set_foreground(words.style.colour)
            font = _font(words.style.size, words.style.bold, words.style.mono)
            renderer.draw_text(gc, words.x, HEIGHT - words.y, words.text, font, 0)
            gc.restore()


class Page:
    """One sheet."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
        self._ink = _Ink()
        self.figure.add_artist(self._ink)

    def text(
        self, x: float, y: float, text: str, style: Style = BODY, align: Literal["left", "right", "centre"] = "left"
    ) -> None:
        """One line, as `typeset` made it; `x` is its left end, right end or middle."""
        if text:
            shift = {"left": 0.0, "right": 1.0, "centre": 0.5}[align]
            self._ink.words.append(_Words(x - shift * width(text, style) if shift else x, y, text, style))

    def rule(
        self, x: float, y: float, x_end: float, y_end: float, colour: str = LINE, weight: float = 0.6, dash: Any = None
    ) -> None:
        self._ink.shapes.append(_Shape(Path([(x, y), (x_end, y_end)]), colour, weight, dash, None))

    def box(self, x: float, y: float, wide: float, high: float, fill: str | None, line: str | None = None) -> None:
        corners = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high), (x, y)]
        self._ink.shapes.append(_Shape(Path(corners, closed=True), line, 0.5, None, fill))

    def axes(self, x: float, y: float, wide: float, high: float) -> Axes:
        """A chart's field at this place, without anything around it."""
        return self.figure.add_axes((x / WIDTH, 1 - (y + high) / HEIGHT, wide / WIDTH, high / HEIGHT))


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """matplotlib set up for these pages, whatever a user's own settings say."""
    own: dict[Any, Any] = {
        "font.family": [_FAMILY],
        "font.size": 7.5,
        "pdf.fonttype": 42,  # whole outlines: text can be searched and copied
        "axes.edgecolor": LINE,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.labelcolor": QUIET,
        "axes.labelsize": 7.5,
        "xtick.color": LINE,
        "ytick.color": LINE,
        "xtick.labelcolor": QUIET,
        "ytick.labelcolor": QUIET,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 0.0,
        "lines.solid_joinstyle": "round",
        "text.parse_math": False,
        "timezone": "UTC",
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(own)
        yield


def bound(pages: Sequence[Page], title: str, subject: str) -> bytes:
    """The pages as one PDF file."""
    told = {"Title": title, "Subject": subject, "Creator": "truewind", "Producer": None, "CreationDate": None}
    target = io.BytesIO()
    with PdfPages(target, metadata=told) as file:
        for page in pages:
            file.savefig(page.figure)
    return target.getvalue()
