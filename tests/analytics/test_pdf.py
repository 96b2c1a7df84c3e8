"""A report as PDF: every block, nothing beyond the margins, equal bytes for equal documents."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import blocks
from profiles import examples
from truewind.analytics import pdf
from truewind.analytics.document import (
    Bars,
    Candles,
    Column,
    HeatMap,
    Histogram,
    Lines,
    Scatter,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
)
from truewind.analytics.pdf import fields, layout, page
from truewind.errors import ConfigError


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data))


def text_of(data: bytes) -> str:
    """All text, however it is broken into lines, with spaces of one kind."""
    found = "\n".join(sheet.extract_text() for sheet in read(data).pages)
    return " ".join(found.replace("\N{NARROW NO-BREAK SPACE}", " ").split())


@pytest.fixture(scope="module")
def whole() -> bytes:
    return pdf.render(blocks.every_block())


def test_every_block_is_there_as_text_that_can_be_searched(whole: bytes) -> None:
    """Titles, sentences, cells and notes; a true minus; a dash where a value is not defined; A4."""
    text = text_of(whole)
    for words in (
        *("A run", "Backtest", "NOT PASSED", "1 warning", "Everything", "A sentence about −1.5 %.", "−12.34 %"),
        *("not defined: needs two daily returns", "Before costs", "−1.50", "2024-01-01 00:00", "43,210.50"),
        *("Equity and benchmark", "Held", "Limit", "Hourly.", "Underwater", "Fan", "By year", "VaR 95 %", "Normal"),
        *("By reason", "Monthly returns", "Surface", "rows: entry", "MAE", "winners", "Fills: BTCUSDT", "–"),
    ):
        assert words in text, words
    assert "nan" not in text.replace("finance", "")
    assert "beyond" not in text  # a mark outside of the histogram is not drawn at its edge
    for sheet in read(whole).pages:
        assert [float(side) for side in sheet.mediabox] == pytest.approx([0, 0, 595.28, 841.89], abs=0.01)


def test_pages_are_numbered_and_the_contents_lead_to_them() -> None:
    """Sections are found in the contents with the numbers that their pages bear."""
    tall = Table(name="t", columns=(Column(label="n", kind="count"),), rows=tuple((n,) for n in range(100)))
    parts = tuple(Section(id=f"s{n}", title=f"Part {n}", blocks=(tall,)) for n in range(3))
    document = blocks.document()
    reader = read(pdf.render(type(document)(**{**_fields(document), "sections": parts})))
    pages = [sheet.extract_text() for sheet in reader.pages]
    assert [f"{n} / {len(pages)}" in text for n, text in enumerate(pages, 1)] == [True] * len(pages)
    contents = pages[0].splitlines()
    for number in range(3):
        begins = next(n for n, text in enumerate(pages, 1) if f"Part {number}" in text and (n > 1 or not number))
        assert f"Part {number} {begins}" in contents


def _fields(document: object) -> dict[str, object]:
    return {name: getattr(document, name) for name in document.__struct_fields__}


def test_a_cover_that_is_too_long_goes_on() -> None:
    """Hundreds of sentences and a name without end: each once, over pages, and the contents after them."""
    said = tuple(f"Sentence number {n} of the verdict." for n in range(120))
    reader = read(pdf.render(blocks.document(name="name " * 80, verdict=said)))
    pages = [" ".join(sheet.extract_text().split()) for sheet in reader.pages]
    assert [sum(page.count(sentence) for page in pages) for sentence in said] == [1] * len(said)
    assert len(pages) > 2
    assert any(f"Everything {number}" in text for number, text in enumerate(pages, 1))


def test_a_table_goes_on_with_its_heading_and_all_its_rows() -> None:
    """140 rows: each once, in order, the heading on every page."""
    rows = tuple((f"row-{n:03d}", float(n)) for n in range(140))
    table = Table(name="long", columns=(Column(label="Name"), Column(label="Worth", kind="money")), rows=rows)
    reader = read(pdf.render(blocks.document(table)))
    pages = [sheet.extract_text() for sheet in reader.pages]
    assert len(pages) > 2
    found = [word for text in pages for word in text.split() if word.startswith("row-")]
    assert found == [name for name, _ in rows]
    assert all("Worth" in text for text in pages)


def test_of_a_very_long_table_the_first_rows_are_printed_and_it_says_so() -> None:
    rows = tuple((n,) for n in range(1_000))
    table = Table(name="long", columns=(Column(label="n", kind="count"),), rows=rows, folded=True)
    assert "The first 60 of 1,000 rows; all are in long.csv." in text_of(pdf.render(blocks.document(table)))


def test_equal_documents_give_equal_bytes(whole: bytes, tmp_path: Path) -> None:
    """Here, and in a process with another hash seed, another time zone and a matplotlibrc of the user's own."""
    assert pdf.render(blocks.every_block()) == whole
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.grid: True\npdf.fonttype: 3\n")
    program = (
        "import hashlib; from analytics import blocks; from truewind.analytics import pdf; "
        "print(hashlib.sha256(pdf.render(blocks.every_block())).hexdigest())"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    own = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, env=os.environ | own
    )
    assert done.stdout.strip() == hashlib.sha256(whole).hexdigest()


def test_fonts_are_embedded_and_no_date_is_in_it(whole: bytes) -> None:
    reader = read(whole)
    assert reader.metadata is not None
    assert reader.metadata.title == "A run"
    assert reader.metadata.creation_date is None
    fonts = [font.get_object() for sheet in reader.pages for font in sheet["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert inner["/FontDescriptor"].get_object().keys() & {"/FontFile2", "/FontFile3"}


def test_settings_of_the_users_matplotlib_are_left_as_they_were(whole: bytes) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    pdf.render(blocks.document())
    assert dict(mpl.rcParams) == before


ALONE = {
    "no series": Lines(title="t", series=(), kind="money"),
    "no rows": Lines(title="t", series=(blocks.series([]),), kind="money", ts_us=np.empty(0, np.int64)),
    "all NaN": Lines(title="t", series=(blocks.series([np.nan] * 3),), kind="money", x=np.arange(3.0)),
    "no bars": Bars(title="t", labels=(), values=np.empty(0), kind="money"),
    "no counts": Histogram(title="t", edges=np.array([0.0]), counts=np.empty(0), kind="money"),
    "no width": Histogram(title="t", edges=np.zeros(3), counts=np.ones(2), kind="money"),
    "no cells": HeatMap(title="t", rows=(), columns=(), values=np.empty((0, 0)), kind="ratio"),
    "NaN cells": HeatMap(title="t", rows=("a",), columns=("b",), values=np.array([[np.nan]]), kind="ratio"),
    "no points": Scatter(
        title="t", x=np.empty(0), y=np.empty(0), x_label="x", y_label="y", x_kind="money", y_kind="money"
    ),
}


@pytest.mark.parametrize("name", ALONE)
def test_where_there_is_nothing_to_draw_it_is_said(name: str) -> None:
    assert "No value to draw" in text_of(pdf.render(blocks.document(ALONE[name])))


@pytest.mark.parametrize(
    "block",
    [
        Lines(title="t", series=(blocks.series([5.0]),), kind="money", ts_us=np.array([1_704_067_200_000_000])),
        Lines(title="t", series=(blocks.series([0.0] * 50),), kind="fraction", x=np.arange(50.0), under=True),
        Lines(title="t", series=(blocks.series([1e300, -1e300]),), kind="money", x=np.arange(2.0)),
        Lines(title="t", series=(blocks.series([np.inf, 1.0, 2.0]),), kind="money", x=np.arange(3.0)),
        HeatMap(title="t", rows=("a",), columns=("b",), values=np.array([[0.0]]), kind="ratio", centre=None),
        HeatMap(title="t", rows=tuple(map(str, range(500))), columns=("b",), values=np.ones((500, 1)), kind="ratio"),
        Bars(title="t", labels=tuple(f"a long label {n}" for n in range(90)), values=np.ones(90), kind="money"),
        Table(name="t", columns=(), rows=()),
        Table(name="t", columns=(Column(label="a"),), rows=()),
        Table(name="t", columns=(Column(label="a"), Column(label="b")), rows=(("word " * 2_000, blocks.LONG_WORD),)),
        Tiles(tiles=(Tile(label=blocks.LONG_WORD, value=blocks.LONG_WORD, kind="text", meaning=blocks.LONG_WORD),)),
        Text(sentences=("$x_1$ and \\frac, a tab\t, \x00, 漢字, 😀, and a line\nthat ends.",)),
        Candles(title="t", candles={}, trades=blocks.trades(0)),
        Candles(title="t", candles={"BTCUSDT": blocks.candles(1)}, trades=blocks.trades(0)),
    ],
    ids=lambda block: type(block).__name__,
)
def test_extremes_are_drawn_within_the_margins(block: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert beyond(block, monkeypatch) == []


def beyond(block: object, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that reach beyond the margins, found before the pages are bound."""
    bound, seen = page.bound, []

    def catch(pages: list[page.Page], *more: str) -> bytes:
        seen.extend(pages)
        return bound(pages, *more)

    with monkeypatch.context() as patch:
        patch.setattr(layout.page, "bound", catch)
        assert pdf.render(blocks.document(block)).startswith(b"%PDF")
    return [
        words.text
        for sheet in seen
        for words in sheet._ink.words
        if not (
            words.x > page.LEFT - 6
            and words.x + page.width(words.text, words.style) < page.WIDTH - page.RIGHT + 1
            and 30 < words.y < page.HEIGHT - 20
        )
    ]


cells = st.one_of(st.none(), st.text(max_size=60), st.text("abcdefgh_/", max_size=300))


@examples(15)
@given(st.integers(1, 14).flatmap(lambda n: st.lists(st.tuples(*[cells] * n), max_size=6).map(lambda rows: (n, rows))))
def test_no_cell_reaches_beyond_the_page(drawn: tuple[int, list[tuple[str | None, ...]]]) -> None:
    """Whatever text stands in whatever number of columns."""
    number, rows = drawn
    table = Table(name="t", columns=tuple(Column(label=f"Column {n}") for n in range(number)), rows=tuple(rows))
    with pytest.MonkeyPatch.context() as patch:
        assert beyond(table, patch) == []


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([0.0, 0.1, 0.2], "fraction", ["0 %", "10 %", "20 %"]),
        ([-0.005, 0.0, 0.005], "fraction", ["−0.5 %", "0.0 %", "0.5 %"]),
        ([9_900.0, 10_000.0], "money", ["9,900", "10,000"]),
        ([0.0, 500_000.0, 1_000_000.0], "money", ["0.0 M", "0.5 M", "1.0 M"]),
        ([0.25, 0.5], "ratio", ["0.25", "0.50"]),
        ([1.0, 2.0], "times", ["1×", "2×"]),
        ([3.0], "count", ["3"]),
        ([], "money", []),
    ],
)
def test_ticks_have_the_decimals_that_tell_them_apart(values: list[float], kind: str, texts: list[str]) -> None:
    with page.styled():
        assert [text.replace("\N{NARROW NO-BREAK SPACE}", " ") for text in fields.ticks(values, kind)] == texts


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("truewind.analytics.pdf.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"truewind\[pdf\]"):
        pdf.render(blocks.document())


def test_of_thousands_of_trades_the_latest_are_drawn() -> None:
    """They would cover the prices; the title says how many there were."""
    crowd = Candles(title="Fills", candles={"BTCUSDT": blocks.candles(5_000)}, trades=blocks.trades(1_000))
    assert "Fills: BTCUSDT, the latest 120 of 1,000 trades" in text_of(pdf.render(blocks.document(crowd)))


def test_code_stands_as_it_is_given() -> None:
    """Line by line, with its spaces and its minus signs, after its title; long lines go on in the next."""
    lines = ["name: x", "  start: -1", "  ends:", "    - 2024", "key: " + "q" * 200]
    config = Text(sentences=("\n".join(lines),), code=True, title="Config")
    data = pdf.render(blocks.document(config))
    assert "Config" in text_of(data)
    found = "".join(sheet.extract_text() for sheet in read(data).pages)
    assert "start: -1" in found
    assert found.count("q") == 200


@pytest.mark.parametrize(
    ("label", "lines"), [("Buy and hold", 2), ("Return", 1), ("Expected shortfall", 2), ("If normal: shortfall", 2)]
)
def test_a_heading_is_broken_once_at_most(label: str, lines: int) -> None:
    """Where there is room for it, as there is in a table of two columns."""
    from truewind.analytics.pdf import tables

    table = Table(name="t", columns=(Column(label="A"), Column(label=label, kind="ratio")), rows=(("a", 1.0),))
    with page.styled():
        (panel,) = tables._panels(table.columns, [["a", "1.00"]])
        assert len(tables._labels(table, panel)[1]) <= lines
