"""The page draws every kind of block, says what is not defined, and never runs what it is given as text."""

import datetime as dt
import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from analytics.blocks import every_block
from truewind.analytics import markup
from truewind.analytics.document import (
    Band,
    Bars,
    Candles,
    Column,
    Document,
    HeatMap,
    Histogram,
    Lines,
    Scatter,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
)
from truewind.analytics.drawings import Scale, axis_texts, round_step
from truewind.analytics.page import page

HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"
DAY = 86_400_000_000
TS = np.arange(1, 101, dtype=np.int64) * DAY
NAN = float("nan")


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, text, and the data of the script."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.data, self._open = [], [], "", []
        self.feed(html)
        self.close()
        self.data = json.loads(self.data)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tag, attrs = self._open[-1] if self._open else ("", {})
        if tag == "script":
            self.data += data if attrs.get("id") == "data" else ""
        elif tag != "style":
            self.text.append(data)

    def of(self, tag, css=""):
        return [a for t, a in self.elements if t == tag and css in [*(a.get("class") or "").split(), ""]]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def document(*blocks, **changes):
    fields = {
        "name": "A run",
        "overline": "Backtest report",
        "subtitle": "BTCUSDT",
        "verdict": ("Made 1 %.",),
        "passed": None,
        "warnings": 0,
        "sections": (Section(id="part", title="A part", blocks=blocks),),
    }
    return Document(**(fields | changes))


def drawn(*blocks, **changes):
    return Page(page(document(*blocks, **changes)))


def line(values, name="run", role="own"):
    return Series(name=name, values=np.asarray(values, float), role=role)


def test_the_head_says_what_it_is_what_came_out_and_who_judged():
    found = drawn(passed=False, warnings=2)
    for words in ("Backtest report", "A run", "BTCUSDT", "Made 1 %.", "Gate: failed", "2 warnings", "A part"):
        assert words in found.words
    assert found.of("a", "pill")[0]["href"] == "#title"  # where no section has the rules
    rules = (Section(id="overfitting", title="Luck", blocks=()),)
    assert drawn(passed=False, sections=rules).of("a", "pill")[0]["href"] == "#overfitting"
    assert "Gate: passed" in drawn(passed=True, warnings=1).words
    assert "Gate" not in drawn(passed=None).words
    assert [a["href"] for a in found.of("a")][:2] == ["#title", "#part"]


def test_tiles_show_their_value_and_a_dash_where_it_is_not_defined():
    tiles = (
        Tile(label="Net", value=-0.1234, kind="fraction", tone="sign"),
        Tile(label="Sharpe", value=None, kind="ratio", meaning="Not defined: one day"),
        Tile(label="Sortino", value=NAN, kind="ratio"),
    )
    for small in (False, True):
        found = drawn(Tiles(tiles=tiles, small=small))
        assert "−12.34\N{NO-BREAK SPACE}%".replace("\N{NO-BREAK SPACE}", " ") in found.words
        assert found.words.count("–") >= 2
        assert any(a.get("title") == "Not defined: one day" for _, a in found.elements)
        assert "nan" not in found.words.lower()


def test_words_are_paragraphs_points_or_lines_as_they_are():
    found = drawn(
        Text(sentences=("one", "two"), bullets=True, title="Points"),
        Text(sentences=("mind this",), tone="warning"),
        Text(sentences=("a: 1\n  b: 2",), code=True, title="Config"),
    )
    assert len(found.of("li")) == 2 + 2  # and two of the navigation
    assert len(found.of("div", "callout")) == 1
    assert "a: 1\n  b: 2" in "".join(found.text)


def test_prose_is_set_with_care_and_dates_stay_as_they_are():
    said = str(markup.prose("From 2024-01-02 a slope of -0.82 (-3 %): `run --set a=-1` & more"))
    assert said == "From 2024-01-02 a slope of −0.82 (−3\N{NO-BREAK SPACE}%): <code>run --set a=-1</code> &amp; more"


COLUMNS = (
    Column(label="what", meaning="asked"),
    Column(label="when", kind="moment"),
    Column(label="made", kind="money", tone="sign"),
)


def test_a_long_table_is_cut_and_says_so_and_can_be_sorted():
    rows = tuple((f"r{i}", i * DAY, float(i) - 3) for i in range(1200))
    found = drawn(Table(name="trades", columns=COLUMNS, rows=rows, spot=(0, 1, 1)))
    assert len(found.of("tr")) == 1 + markup.MAX_ROWS
    assert "500 of 1,200 rows; all are in trades.csv." in found.words
    assert len(found.of("table", "sortable")) == 1
    assert found.of("tr")[1]["data-spot"] == "r0\t0\t0"
    assert found.of("tr")[2]["data-spot"] == "r1\t86400\t86400"
    assert [a["data-v"] for a in found.of("td", "loss")] == ["-3", "-2", "-1"]
    assert "1970-01-02 00:00" in found.words
    folded = drawn(Table(name="trades", columns=COLUMNS, rows=rows, folded=True))
    assert len(folded.of("tr")) == 1 + markup.MAX_FOLDED
    assert "200 of 1,200 rows" in folded.words


def test_a_table_without_rows_a_folded_one_and_one_with_a_sum():
    assert "None." in drawn(Table(name="t", title="Gaps", columns=COLUMNS, rows=())).words
    assert "why not" in drawn(Table(name="t", columns=COLUMNS, rows=(), note="why not")).words
    row = ("a", dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC), None)
    found = drawn(Table(name="t", title="More", columns=COLUMNS, rows=(row, row), folded=True, bold=(1,)))
    assert len(found.of("details")) == 1
    assert [a.get("class") for a in found.of("tr")] == [None, None, "sum"]
    assert "2024-01-01 12:00" in found.words


def test_tables_of_few_figures_stand_side_by_side():
    heads = (Column(label="Figure"), Column(label="Run", kind="ratio"))
    slim, other = (Table(name=name, columns=heads, rows=(("a", 1.0),)) for name in ("one", "two"))
    assert len(drawn(slim, other).of("div", "pair")) == 1
    assert len(drawn(slim).of("div", "pair")) == 0
    assert len(drawn(slim, Table(name="wide", columns=COLUMNS, rows=(("a", 1, 1.0),))).of("div", "pair")) == 0


def test_curves_of_one_time_axis_are_thinned_together_and_keep_their_extremes():
    rng = np.random.default_rng(1)
    ts = np.arange(50_000, dtype=np.int64) * 60_000_000
    equity, below = rng.normal(0, 1, 50_000).cumsum(), rng.normal(0, 1, 50_000)
    below[5] = NAN
    found = drawn(
        Lines(title="Equity", kind="money", ts_us=ts, series=(line(equity), line(below, "held", "held"))),
        Lines(title="Underwater", kind="fraction", ts_us=ts, series=(line(below),), under=True),
        Lines(title="Other", kind="ratio", ts_us=TS, series=(line(np.ones(100)),)),
    )
    first, second = found.data["curves"]
    assert [one["id"] for one in first["charts"]] == ["chart-0", "chart-1"]
    assert {a.get("id") for a in found.of("div", "chart")} == {"chart-0", "chart-1", "chart-2"}
    values = first["charts"][0]["series"][0]["values"]
    assert len(values) == len(first["time"]) <= 4_000
    assert max(values) == pytest.approx(equity.max(), rel=1e-6)
    assert min(values) == pytest.approx(equity.min(), rel=1e-6)
    assert all(step > 0 for step in first["time"][1:])
    assert np.cumsum(second["time"]).tolist() == (TS // 1_000_000).tolist()


def test_a_page_stays_below_three_megabytes_however_much_there_is_to_draw():
    """Nine charts of three curves, ten symbols of more candles and trades than are drawn, three long tables."""
    rng = np.random.default_rng(0)
    ts = np.arange(20_000, dtype=np.int64) * 60_000_000
    curves = [
        Lines(
            title=f"Chart {number}",
            kind="money",
            ts_us=ts + number,
            series=tuple(line(rng.normal(0, 1, 20_000).cumsum() + 1e4, f"s{i}") for i in range(3)),
        )
        for number in range(9)
    ]
    noisy = prices(6_000).with_columns(
        **{name: pl.Series(rng.uniform(1e4, 2e4, 6_000)) for name in ("open", "high", "low", "close")}
    )
    symbols = [f"COIN{number}" for number in range(10)]
    trades = pl.DataFrame(
        [trade(symbol, hour, hour + 3) for symbol in symbols for hour in range(0, 4_500, 3)],
        schema_overrides={"side": pl.Int8},
    )
    columns = tuple(Column(label=f"Figure {number}", kind="money") for number in range(15))
    rows = tuple(tuple(row) for row in rng.normal(0, 1000, (1_000, 15)).tolist())
    tables = [Table(name=f"t{number}", columns=columns, rows=rows, folded=number > 0) for number in range(3)]
    candles = Candles(title="Prices", candles=dict.fromkeys(symbols, noisy), trades=trades)
    html = page(document(*curves, candles, *tables))
    assert len(html.encode()) < 3_000_000
    found = Page(html)
    assert {len(group["time"]) for group in found.data["curves"]} <= set(range(1_500, 4_001))
    assert {len(one["marks"]) for one in found.data["candles"].values()} == {500}
    assert "Only the latest 500 trades of COIN0" in found.words


def test_times_within_one_second_become_one_point_as_the_chart_demands():
    ts = np.array([1_000_000, 1_500_000, 2_000_000], np.int64)
    group = drawn(Lines(title="x", kind="money", ts_us=ts, series=(line([1000, 1010, 990]),))).data["curves"][0]
    assert group["time"] == [1, 1]
    assert group["charts"][0]["series"][0]["values"] == [1010.0, 990.0]


def test_a_log_scale_is_offered_where_all_is_positive():
    curve = np.linspace(1, 2, 100)
    for values, offered in ((curve, 1), (curve - 1.5, 0), (np.full(100, NAN), 0)):
        block = Lines(title="Equity", kind="money", ts_us=TS, series=(line(values),), choose_log=True)
        assert len(drawn(block).of("div", "switch")) == offered


def test_bands_and_curves_over_numbers_are_drawn_in_the_page_itself():
    x = np.arange(100.0)
    found = drawn(
        Lines(
            title="Fan",
            kind="fraction",
            x=x,
            x_label="days",
            series=(line(x, "median"), line(np.where(x == 50, NAN, x), "run", "limit")),
            bands=(Band(name="90 %", low=x - 2, high=x + 2), Band(name="50 %", low=x - 1, high=x + 1)),
        )
    )
    assert len(found.of("polygon", "band")) == 2
    (gap,) = found.of("path", "limit")
    assert gap["d"].count("M") == 2  # the pen is lifted over what is not known
    assert "run" in found.words
    assert found.data["curves"] == []


def test_bars_lie_where_their_labels_are_words_and_a_gap_where_there_is_no_value():
    short = drawn(
        Bars(title="Years", labels=("2019", "2020", "2021"), values=np.array([0.1, -0.2, NAN]), kind="fraction")
    )
    assert (len(short.of("rect", "up")), len(short.of("rect", "down"))) == (1, 1)
    words = ("trend turned", "the stop was hit")
    block = Bars(
        title="Reasons",
        labels=words,
        values=np.array([3.0, -1.0]),
        kind="money",
        low=np.array([2.0, NAN]),
        high=np.array([4.0, NAN]),
    )
    lying = drawn(block)
    assert len(lying.of("line", "whisker")) == 1
    assert all(word in lying.words for word in words)
    up, down = (float(lying.of("rect", look)[0]["width"]) for look in ("up", "down"))
    assert up == pytest.approx(3 * down, abs=0.2)


def test_a_histogram_is_coloured_by_sign_and_points_out_what_lies_outside():
    block = Histogram(
        title="Daily returns",
        edges=np.array([-2.0, -1.0, 0.0, 1.0, 2.0]),
        counts=np.array([1.0, 2.0, 4.0, 0.0]),
        kind="ratio",
        curve_at=np.array([-1.0, 0.0]),
        curve=np.array([1.0, 3.0]),
        curve_name="normal",
        marks=(("this run", 5.0), ("unknown", NAN)),
    )
    found = drawn(block)
    assert (len(found.of("rect", "down")), len(found.of("rect", "up"))) == (2, 1)
    (mark,) = found.of("line", "mark-line")
    assert 0 < float(mark["x1"]) < 560
    assert "this run: 5.00" in found.words
    heights = [float(a["height"]) for a in found.of("rect", "down") + found.of("rect", "up")]
    assert heights == pytest.approx([heights[0] * n for n in (1, 2, 4)], abs=0.3)


def test_a_heat_map_of_few_columns_is_a_table_of_figures_and_a_large_one_a_picture():
    values = np.array([[0.1, -0.2, NAN], [-0.0001, 0.05, 0.02388]])
    months = HeatMap(
        title="Months",
        rows=("2023", "2024"),
        columns=("Jan", "Feb", "Mar"),
        values=values,
        kind="fraction",
        totals=np.array([-0.12, NAN]),
        total_label="Year",
        marked=(0, 1),
    )
    found = drawn(months)
    assert (len(found.of("td", "up")), len(found.of("td", "down"))) == (3, 2)
    assert found.of("td", "marked")[0]["class"] == "down marked"
    assert all(text in found.words for text in ("10.0", "−20.0", " 0.0 ", " 2.4 ", "Year", "−12.0"))
    wide = HeatMap(
        title="Plane",
        rows=tuple("abc"),
        columns=tuple(str(i) for i in range(40)),
        values=np.arange(120.0).reshape(3, 40),
        kind="ratio",
        centre=None,
        marked=(2, 39),
    )
    assert len(drawn(wide).of("rect", "up")) == 120
    assert len(drawn(wide).of("rect", "frame")) == 1


def test_few_points_tell_their_values_and_many_are_drawn_all_the_same():
    def block(count):
        xs = np.linspace(0, 1, count)
        xs[0] = NAN
        groups = np.arange(count) % 2
        return Scatter(
            title="MAE", x=xs, y=xs, x_label="a", y_label="b", x_kind="ratio", y_kind="ratio", groups=groups,
            names=("won", "lost"), diagonal=True,
        )  # fmt: skip

    assert len(drawn(block(101)).of("circle")) == 100
    many = drawn(block(9_000))
    assert sum(a["d"].count("M") for a in many.of("path", "dots")) == 5_000
    assert len(many.of("line", "diagonal")) == 1
    assert "won" in many.words


def prices(hours):
    ts = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=i) for i in range(hours)]
    flat = [100.0] * hours
    return pl.DataFrame({"ts": ts, "open": flat, "high": flat, "low": flat, "close": flat})


def trade(symbol, entry, exit_, side=1, net=1.0):
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    closed = None if exit_ is None else start + dt.timedelta(hours=exit_)
    opened = start + dt.timedelta(hours=entry)
    return {"symbol": symbol, "opened": opened, "closed": closed, "side": side, "net_pnl": net}


def test_candles_carry_the_trades_on_the_bars_that_end_when_they_were_filled():
    trades = pl.DataFrame([trade("A", 1, 2), trade("A", 3, None, -1, -2.0)], schema_overrides={"side": pl.Int8})
    found = drawn(Candles(title="Prices", candles={"A": prices(10), "B": prices(3)}, trades=trades))
    assert found.data["candles"]["A"]["marks"] == [[0, 1, 1, 1], [2, None, -1, 0]]
    assert found.data["candles"]["B"]["marks"] == []
    assert len(found.of("option")) == 2
    assert "The run kept no candles to draw." in drawn(Candles(title="Prices", candles={}, trades=trades)).words


@pytest.mark.parametrize(
    "block",
    [
        Lines(title="x", kind="money", ts_us=TS[:0], series=(line([]),)),
        Lines(title="x", kind="money", ts_us=TS[:1], series=(line([1]),)),
        Lines(title="x", kind="money", x=np.arange(3.0), series=(line([NAN] * 3),)),
        Bars(title="x", labels=(), values=np.empty(0), kind="money"),
        Bars(title="x", labels=("a",), values=np.array([NAN]), kind="money"),
        Histogram(title="x", edges=np.array([0.0, 1.0]), counts=np.zeros(1), kind="ratio"),
        HeatMap(title="x", rows=(), columns=(), values=np.empty((0, 0)), kind="ratio"),
        Scatter(title="x", x=np.array([NAN]), y=np.ones(1), x_label="", y_label="", x_kind="ratio", y_kind="ratio"),
    ],
)
def test_a_drawing_of_nothing_says_so(block):
    assert "Nothing to draw" in drawn(block).words


@pytest.mark.parametrize(
    "block",
    [
        Lines(title="x", kind="money", ts_us=TS, series=(line(np.full(100, NAN)),)),
        Lines(title="x", kind="money", x=np.arange(3.0), series=(line([2, 2, 2]),)),
        Bars(title="x", labels=("a", "b"), values=np.zeros(2), kind="money"),
        HeatMap(title="x", rows=("a",), columns=("b",), values=np.ones((1, 1)), kind="ratio", centre=None),
        Scatter(title="x", x=np.ones(2), y=np.ones(2), x_label="", y_label="", x_kind="ratio", y_kind="ratio"),
        Histogram(title="x", edges=np.array([0.0, 0.0]), counts=np.ones(1), kind="ratio"),
    ],
)
def test_a_drawing_of_one_value_has_finite_places(block):
    html = page(document(block))
    body = html[: html.index("<script")]
    assert not re.search(r'="[^"]*\b(nan|inf)\b', body)


def test_hostile_text_is_shown_and_never_run():
    column = Column(label=HOSTILE, meaning=HOSTILE)
    trades = pl.DataFrame([trade(HOSTILE, 1, 2)], schema_overrides={"side": pl.Int8})
    html = page(
        document(
            Text(sentences=(HOSTILE,), title=HOSTILE),
            Text(sentences=(HOSTILE,), title=HOSTILE, code=True),
            Tiles(tiles=(Tile(label=HOSTILE, value=HOSTILE, kind="text", meaning=HOSTILE),)),
            Table(name=HOSTILE, title=HOSTILE, columns=(column,), rows=((HOSTILE,),), note=HOSTILE),
            Bars(title=HOSTILE, labels=(HOSTILE,), values=np.ones(1), kind="ratio", note=HOSTILE),
            Lines(title=HOSTILE, kind="ratio", ts_us=TS, series=(line(TS, HOSTILE), line(TS, HOSTILE, "held"))),
            Candles(title=HOSTILE, candles={HOSTILE: prices(3)}, trades=trades),
            name=HOSTILE,
            subtitle=HOSTILE,
            verdict=(HOSTILE,),
            overline=HOSTILE,
        )
    )
    found = Page(html)
    assert "<script>alert" not in html
    assert found.words.count("<script>alert(1)</script>\"'&{{ 7 * 7 }}") >= 12
    assert len(found.of("script")) == 3
    assert list(found.data["candles"]) == [HOSTILE]


def test_the_page_fetches_nothing_and_is_the_same_each_time():
    block = Lines(title="Equity", kind="money", ts_us=TS, series=(line(np.arange(100)),))
    html = page(document(block))
    assert html == page(document(block))
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|WebSocket\(|\bimport\(", html)
    assert not [a for t, a in Page(html).elements if t != "a" and {"src", "href", "srcset"} & a.keys()]


def test_every_class_on_the_page_has_its_style():
    html = page(every_block())
    styles = html[html.index("<style>") : html.index("</style>")]
    known = set(re.findall(r"\.([a-z][a-z0-9-]*)", re.sub(r"\{[^}]*\}", "{}", styles)))
    used = {name for _, attrs in Page(html).elements for name in (attrs.get("class") or "").split()}
    assert used - known <= {"plain", "own"}  # these look as all others do


def test_axes_are_labelled_so_that_neighbours_differ():
    """By hand: round steps are 1, 2, 5 × 10ⁿ; labels carry the decimals that the step needs."""
    assert [round_step(v) for v in (0.9, 1.0, 1.1, 3.0, 0.06)] == pytest.approx([1.0, 1.0, 2.0, 5.0, 0.1])
    assert Scale(0.0, 1.0, 0.0, 100.0).ticks(5) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    space = "\N{NO-BREAK SPACE}"
    assert axis_texts("fraction", [-0.005, 0.0, 0.005]) == [f"−0.5{space}%", f"0.0{space}%", f"0.5{space}%"]
    assert axis_texts("money", [0, 20_000, 40_000]) == ["0k", "20k", "40k"]
    assert axis_texts("money", [0, 500, 1000]) == ["0", "500", "1,000"]
    assert Scale(3.0, 3.0, 0.0, 100.0)(3.0) == 50.0
