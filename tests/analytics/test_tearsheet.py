"""The page of a run: whole, self-contained, repeatable, and safe whatever the names are."""

import datetime as dt
import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from truewind.analytics import tearsheet
from truewind.analytics.report import Report, load
from truewind.analytics.sections import costs
from truewind.analytics.sections.summary import result
from truewind.analytics.summary import summarise
from truewind.analytics.trades import round_trips
from truewind.errors import CorruptError, MissingFileError

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TIME = pl.Datetime("us", "UTC")
SECTIONS = ["title", "figures", "performance", "trades", "prices", "costs", "quality", "run", "recommendations"]
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"


class Page(HTMLParser):
    """What a browser would see: elements with ids in order, what would be fetched, text and scripts."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.fetched, self.text, self.scripts, self.rows = [], [], [], [], 0
        self._open = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "script":
            self.scripts.append((attrs, []))
        self.rows += tag == "tr" and "data-spot" in attrs
        # A link in the text is followed by a click; everything else with an address would be fetched.
        self.fetched += [attrs[name] for name in ("src", "href", "srcset", "data") if name in attrs and tag != "a"]
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if self._open and self._open[-1] == "script":
            self.scripts[-1][1].append(data)
        elif "style" not in self._open:
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    @property
    def data(self):
        (content,) = ("".join(parts) for attrs, parts in self.scripts if attrs.get("id") == "data")
        return json.loads(content)


def curves(page):
    """Times and values of the curve of equity."""
    group = page.data["curves"][0]
    return {"time": np.cumsum(group["time"]).tolist(), "values": group["charts"][0]["series"][0]["values"]}


def candles_of(hours, start=100.0):
    opens = start + np.sin(np.arange(hours) / 7)
    ts = [START + dt.timedelta(hours=i) for i in range(hours)]
    table = {"ts": ts, "open": opens, "high": opens + 1, "low": opens - 1, "close": opens + 0.5, "volume": opens}
    return pl.DataFrame(table, schema_overrides={"ts": TIME})


def curve(values):
    ts = [START + dt.timedelta(hours=i + 1) for i in range(len(values))]
    columns = {"ts": ts, "equity": values, "cash": values, "gross": [0.0] * len(values)}
    return pl.DataFrame(columns, schema={"ts": TIME, "equity": pl.Float64, "cash": pl.Float64, "gross": pl.Float64})


@pytest.fixture
def report_of(open_account):
    """A report of 40 hourly days with `count` trades of one hour in `symbol`."""

    def made(count=5, *, symbol="BTCUSDT", values=None, candles=None, benchmark=True, **changes):
        account = open_account()
        for i in range(count):
            account.trade(symbol, "1", "100", hour=2 * i, fee="0.1", slippage="0.05")
            account.trade(symbol, "-1", "101" if i % 2 else "98", hour=2 * i + 1, fee="0.1")
        values = [1000.0 + 10 * np.sin(i / 30) for i in range(960)] if values is None else values
        equity = curve(values)
        trades = round_trips(account.fills, account.orders, {})
        held = curve(list(np.linspace(1000, 1200, len(values)))).select("ts", "equity") if benchmark else None
        summary = summarise(
            equity, trades, account.fills, account.orders, initial=1000.0, days_per_year=365, benchmark=held
        )
        fields = {
            "name": "EMA cross",
            "equity": equity,
            "trades": trades,
            "fills": account.fills,
            "candles": {symbol: candles_of(960)} if candles is None else candles,
            "benchmark": held,
            "summary": summary,
            "config_yaml": "fast: 10\nslow: 30\n",
            "info": {"result_id": "abc123", "data_snapshot": "def456", "code_version": "1.0", "seed": "42"},
            "assumptions": ["Fills at the next open."],
            "warnings": ["BTCUSDT: tick inferred."],
        }
        return Report(**(fields | changes))

    return made


def test_every_section_is_there_in_order_results_first(report_of):
    page = Page(tearsheet.render(report_of()))
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    for text in ("EMA cross", "abc123", "def456", "fast: 10", "Fills at the next open.", "BTCUSDT: tick inferred."):
        assert text in page.words
    assert page.rows == 5


def test_the_page_fetches_nothing(report_of):
    html = tearsheet.render(report_of())
    assert Page(html).fetched == []
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|WebSocket\(|\bimport\(", html)


def test_equal_reports_give_equal_bytes(report_of):
    assert tearsheet.render(report_of()) == tearsheet.render(report_of())


def test_hostile_names_are_shown_and_never_run(report_of):
    """The name of a strategy, symbol, setting or warning is text, wherever on the page it stands."""
    report = report_of(
        symbol=HOSTILE,
        name=HOSTILE,
        config_yaml=HOSTILE,
        info={HOSTILE: HOSTILE},
        assumptions=[HOSTILE],
        warnings=[HOSTILE],
    )
    html = tearsheet.render(report)
    page = Page(html)
    assert "<script>alert" not in html
    assert len(page.scripts) == 3
    assert page.words.count("<script>alert(1)</script>\"'&{{ 7 * 7 }}") >= 6
    assert list(page.data["candles"]) == [HOSTILE]


def test_a_long_run_of_many_symbols_stays_below_three_megabytes(report_of):
    """A year of minutes, ten symbols of 5,000 candles, 20,000 trades: curves and tables are cut, and say so."""
    minutes = 365 * 1440
    values = 1000 * np.exp(np.cumsum(np.random.default_rng(42).normal(0, 1e-4, minutes)))
    ts = pl.Series(np.arange(1, minutes + 1) * 60_000_000).cast(TIME)
    equity = pl.DataFrame({"ts": ts, "equity": values, "cash": values, "gross": np.zeros(minutes)})
    base = report_of(600)
    report = report_of(600, equity=equity, candles={f"COIN{i}": candles_of(5000) for i in range(10)})
    html = tearsheet.render(report)
    page = Page(html)
    assert len(html.encode()) < 3_000_000
    assert len(curves(page)["time"]) <= 4_000
    assert page.rows == 500
    assert "500 of 600 rows; all are in trades.csv." in page.words
    kept = curves(page)["values"]
    assert (max(kept), min(kept)) == (pytest.approx(values.max(), rel=1e-6), pytest.approx(values.min(), rel=1e-6))
    assert Page(tearsheet.render(base)).data["candles"]["BTCUSDT"]["marks"][0] == [0, 0, 1, 0]


def test_drawn_times_strictly_ascend_as_the_chart_demands(report_of):
    """Rows within one second become one point."""
    equity = curve([1000.0, 1010.0, 990.0]).with_columns(ts=pl.Series([1_000_000, 1_500_000, 2_000_000]).cast(TIME))
    drawn = curves(Page(tearsheet.render(report_of(0, equity=equity))))
    assert drawn["time"] == [1, 2]
    assert drawn["values"] == [1010.0, 990.0]


def test_a_fill_stamped_at_a_bars_end_is_marked_on_that_bar(report_of):
    """Entries here are at full hours, the ends of the candles before; the very first has none before it."""
    markers = Page(tearsheet.render(report_of(2))).data["candles"]["BTCUSDT"]["marks"]
    assert markers == [[0, 0, 1, 0], [1, 2, 1, 1]]


@pytest.mark.parametrize(
    "values", [[1000.0], [1000.0] * 100, [500.0] * 30 + [0.0] * 30, [1000.0, -5.0], [1000.0, float("nan"), 990.0]]
)
def test_a_run_without_trades_has_a_page_whatever_became_of_the_money(report_of, values):
    page = Page(tearsheet.render(report_of(0, values=values, candles={}, benchmark=False)))
    expected = [name for name in SECTIONS if name != "prices"]
    assert [name for name in page.ids if name in SECTIONS] == expected
    assert "No trade was made." in page.words
    assert "not defined, because" in page.words
    assert "nan" not in page.words.lower().split()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"net_return": -0.123}, "Lost 12.3 % in 366 days, while holding made 40.1 %. Costs ate 8.2 % of the starting"),
        ({"net_return": 0.5, "benchmark_return": None}, "Made 50.0 % in 366 days. Costs"),
        ({"fills": 0}, "Never traded in 366 days, while holding made 40.1 %."),
        ({"net_return": 0.00001}, "Made nothing in 366 days"),
        ({"days": 0.5}, "in 12 hours"),
        ({"days": 20 / 1440}, "in 20 minutes"),
        ({"funding": 1000.0}, "Costs were not above zero."),
        ({"max_drawdown_recovered": True}, "The deepest fall was 20.0 % and took 30 days from peak to recovery."),
        ({}, "The deepest fall was 20.0 % and had not recovered after 30 days."),
        ({"net_return": None}, "The result is not defined: see the warnings."),
    ],
)
def test_the_verdict_is_said_in_words(changes, sentence):
    summary = {
        "net_return": -0.123,
        "benchmark_return": 0.401,
        "days": 366.0,
        "fills": 10,
        "fees": 500.0,
        "slippage": 300.0,
        "funding": -20.0,
        "initial_equity": 10_000.0,
        "max_drawdown": 0.2,
        "max_drawdown_days": 30.0,
        "max_drawdown_recovered": False,
    }
    assert sentence in result(summary | changes)


def test_costs_lead_from_the_result_before_them_to_the_net_result(report_of):
    """Ten fills of 0.1 fee and five slips of 0.05, all taker: the steps add up."""
    report = report_of(5)
    (found,) = costs.section(report).blocks
    steps = {row[0]: row[1] for row in found.rows}
    spent = (steps["Taker fees"], steps["Slippage"], steps["Maker fees"])
    assert spent == pytest.approx((-1.0, -0.25, 0.0))
    net = steps.pop("Net result")
    assert net == pytest.approx(report.summary["final_equity"] - 1000.0)
    assert sum(steps.values()) == pytest.approx(net)


@pytest.fixture
def run_dir(report_of, tmp_path):
    """A run's folder as a backtest leaves it."""
    report = report_of()
    for name in ("equity", "trades", "fills", "benchmark"):
        getattr(report, name).write_parquet(tmp_path / f"{name}.parquet")
    candles = [table.with_columns(symbol=pl.lit(symbol)) for symbol, table in report.candles.items()]
    pl.concat(candles).write_parquet(tmp_path / "candles.parquet")
    (tmp_path / "summary.json").write_text(json.dumps(report.summary))
    (tmp_path / "config.yaml").write_text(report.config_yaml)
    run = {name: getattr(report, name) for name in ("name", "info", "assumptions", "warnings")}
    (tmp_path / "run.json").write_text(json.dumps(run | {"run_id": "20240101T000000-aa", "seconds": 1.5}))
    return tmp_path


def test_a_folder_gives_the_page_of_its_run_without_id_and_wall_time(report_of, run_dir):
    html = tearsheet.from_run(run_dir)
    assert html == tearsheet.render(report_of())
    assert "20240101T000000-aa" not in html


def test_a_folder_without_candles_and_benchmark_still_has_a_page(run_dir):
    (run_dir / "candles.parquet").unlink()
    (run_dir / "benchmark.parquet").unlink()
    assert "The run kept no candles to draw." in Page(tearsheet.from_run(run_dir)).words


@pytest.mark.parametrize("name", ["run.json", "summary.json", "config.yaml", "equity.parquet", "trades.parquet"])
def test_a_missing_file_is_named(run_dir, name):
    (run_dir / name).unlink()
    with pytest.raises(MissingFileError, match=re.escape(name)):
        tearsheet.from_run(run_dir)


@pytest.mark.parametrize("name", ["run.json", "summary.json", "equity.parquet"])
def test_a_file_that_cannot_be_read_is_named(run_dir, name):
    (run_dir / name).write_bytes(b"{ half")
    with pytest.raises(CorruptError, match=re.escape(name)):
        tearsheet.from_run(run_dir)


def test_a_validation_of_another_version_is_left_out_and_said_to_be(run_dir):
    """What is not understood breaks no page."""
    (run_dir / "validation.json").write_text('{"version": 0, "walkforward": {"called": "otherwise"}}')
    report = load(run_dir)
    assert report.validation is None
    assert "another truewind's" in report.warnings[-1]
    assert "validate again" in tearsheet.from_run(run_dir)
