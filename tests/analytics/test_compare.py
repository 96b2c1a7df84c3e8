"""Several runs side by side: common days only, differences tested, settings that differ."""

import datetime as dt
import math
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy import stats

from truewind.analytics import pdf
from truewind.analytics.compare import MOST, Run, common_days, compare, flat
from truewind.analytics.document import Document, HeatMap, Lines, Table, Text
from truewind.analytics.page import page
from truewind.analytics.report import Report
from truewind.errors import ConfigError

JANUARY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def report(
    closes: Any,
    *,
    name: str = "run",
    start: dt.datetime = JANUARY,
    step: dt.timedelta = dt.timedelta(days=1),
    skip: tuple[int, ...] = (),
    initial: float = 100.0,
    currency: str = "USDT",
    year: int = 365,
    config: str = "name: run\n",
    **info: str,
) -> Report:
    """A run whose equity is `closes`, the first one step after `start`; rows of weekdays in `skip` are left out."""
    stamps = [start + step * (n + 1) for n in range(len(closes))]
    kept = [n for n, stamp in enumerate(stamps) if (stamp - dt.timedelta(microseconds=1)).weekday() not in skip]
    table = {"ts": [stamps[n] for n in kept], "equity": [float(closes[n]) for n in kept]}
    equity = pl.DataFrame(table, schema={"ts": pl.Datetime("us", "UTC"), "equity": pl.Float64})
    summary = {
        "initial_equity": initial,
        "days_per_year": year,
        "start": str(stamps[kept[0]]),
        "end": str(stamps[kept[-1]]),
        "bars": len(kept),
        "net_return": closes[-1] / initial - 1,
        "sharpe": None,
        "trades": 3,
        "not_defined": [],
    }
    return Report(
        name=name,
        equity=equity,
        trades=pl.DataFrame(),
        fills=pl.DataFrame(),
        candles={},
        benchmark=None,
        summary=summary,
        config_yaml=config,
        info={"currency": currency, **info},
        assumptions=[],
        warnings=[],
    )


def runs(*reports: Report) -> list[Run]:
    return [Run(f"id-{number}", one) for number, one in enumerate(reports)]


def walk(seed: int, days: int = 200, drift: float = 0.0) -> np.ndarray:
    return 100 * np.cumprod(1 + np.random.default_rng(seed).normal(drift, 0.01, days))


def tables(document: Document) -> dict[str, Table]:
    return {block.name: block for section in document.sections for block in section.blocks if isinstance(block, Table)}


def blocks(document: Document, kind: type) -> list[Any]:
    return [block for section in document.sections for block in section.blocks if isinstance(block, kind)]


def warned(document: Document) -> str:
    found = [block for block in blocks(document, Text) if block.tone == "warning"]
    assert document.warnings == sum(len(block.sentences) for block in found)
    return " ".join(sentence for block in found for sentence in block.sentences)


def test_runs_of_different_spans_meet_on_common_days() -> None:
    """A from January 1, B from January 3: rebased to 1 at the close before the first day of both, by hand."""
    first = report([110.0, 121.0, 133.1, 146.41])
    second = report([50.0, 25.0, 50.0, 75.0], start=JANUARY + dt.timedelta(days=2), initial=100.0)
    common = common_days([first, second])
    assert [str(np.datetime64(int(day), "D")) for day in common.days] == ["2024-01-03", "2024-01-04"]
    assert common.growth == pytest.approx(np.array([[1.1, 1.21], [0.5, 0.25]]))
    assert common.returns == pytest.approx(np.array([[0.1, 0.1], [-0.5, -0.5]]))
    assert "different spans" in warned(compare(runs(first, second)))


def test_a_market_with_weekends_meets_one_without() -> None:
    """Common days are weekdays: on Monday the other run's return is of three days; a year has as many days as met."""
    whole, weekdays = report(walk(1, 400)), report(walk(2, 400), skip=(5, 6), year=252)
    common = common_days([whole, weekdays])
    assert len(common.days) == 286  # of 400 days from Monday, January 1
    monday = int(np.flatnonzero((common.days + 3) % 7 == 0)[1])  # 1970-01-01 was a Thursday
    closes = whole.equity["equity"].to_numpy()
    assert common.returns[0, monday] == pytest.approx(closes[7] / closes[4] - 1)
    assert common.year == 252
    assert "calendars differ (252 and 365" in warned(compare(runs(whole, weekdays)))


def test_a_year_has_as_many_days_as_are_common() -> None:
    """A weekly run against a daily one: 52 returns a year, not 365."""
    weekly = report(walk(1, 60), step=dt.timedelta(days=7))
    common = common_days([weekly, report(walk(2, 420))])
    assert len(common.days) == 60
    assert common.year == pytest.approx(365.25 / 7)


def test_many_rows_a_day_are_taken_at_the_days_close() -> None:
    hourly = report(np.linspace(101, 148, 48), step=dt.timedelta(hours=1))
    common = common_days([hourly, report([90.0, 99.0])])
    assert common.growth == pytest.approx(np.array([[1.24, 1.48], [0.9, 0.99]]))


def test_figures_are_those_of_the_field() -> None:
    """On common days: Sharpe ratio, volatility and correlation as numpy reckons them; the difference of the two."""
    one, other = walk(1), walk(2)
    document = compare(runs(report(one), report(other)))
    returns = [np.diff(closes, prepend=100.0) / np.concatenate(([100.0], closes[:-1])) for closes in (one, other)]
    rows = tables(document)["common_days"].rows
    for row, closes, own in zip(rows, (one, other), returns, strict=False):
        assert row[1] == pytest.approx(closes[-1] / 100 - 1)
        assert row[3] == pytest.approx(np.std(own, ddof=1) * 365**0.5)
        assert row[4] == pytest.approx(np.mean(own) / np.std(own, ddof=1) * 365**0.5)
        peaks = np.maximum.accumulate(np.concatenate(([100.0], closes)))[1:]
        assert row[7] == pytest.approx(np.max(1 - closes / peaks))
    assert rows[2][0] == "A less B"
    assert rows[2][4] == pytest.approx(rows[0][4] - rows[1][4])
    (field,) = blocks(document, HeatMap)
    assert field.values[0, 1] == pytest.approx(stats.pearsonr(*returns).statistic)


def test_the_best_of_each_column_is_pointed_out() -> None:
    """The greatest return and Sharpe ratio, the least drawdown; nobody where all are equal."""
    good, bad = report(walk(1, drift=0.003)), report(walk(2, drift=-0.003))
    table = tables(compare(runs(bad, good)))["common_days"]
    labels = [column.label for column in table.columns]
    marked = {labels[column]: row for row, column in table.best}
    assert marked == dict.fromkeys(("Net return", "CAGR", "Sharpe", "Sortino", "Calmar", "Max drawdown"), 1)
    assert tables(compare(runs(good, report(walk(1, drift=0.003)))))["common_days"].best == ()


def test_a_difference_is_only_called_real_if_luck_hardly_makes_it() -> None:
    """A strong edge against none; two without any. Of three runs each p is raised for three pairs."""
    edge, none, other = (report(walk(seed, 700, drift)) for seed, drift in ((1, 0.003), (2, 0.0), (4, 0.0)))
    real = compare(runs(none, edge))
    assert "B: id-1 did best for its risk" in real.verdict[0]
    assert "hard to explain by luck" in real.verdict[1]
    assert "can well be luck" in compare(runs(none, other)).verdict[1]
    rows = tables(compare(runs(edge, none, other)))["differences"].rows
    assert [row[0] for row in rows] == ["A less B", "A less C", "B less C"]
    lowest = min(rows, key=lambda row: row[3])
    assert lowest[4] == pytest.approx(3 * lowest[3])


def test_the_best_of_many_tried_is_called_so() -> None:
    """What the ledger knew of the best run stands beside a test that does not know it."""
    crowd = {
        "tried": 400,
        "deleted": 3,
        "silent": 0,
        "different": 120,
        "equivalent": 200.0,
        "spread": 0.05,
        "best": 0.3,
    }
    chosen = msgspec.structs.replace(report(walk(1, 700, 0.003)), trials=crowd)
    verdict = compare(runs(chosen, report(walk(2, 700)))).verdict
    assert "A: id-0 is one of 400 variants tried" in verdict[2]
    assert len(compare(runs(report(walk(1, 700, 0.003)), report(walk(2, 700)))).verdict) == 2


def test_months_are_compounded() -> None:
    """January and February by hand; the latest first."""
    document = compare(runs(report(np.linspace(101, 140, 40)), report(np.full(40, 100.0))))
    assert [row[:2] for row in tables(document)["months"].rows] == [
        ("2024 Feb", pytest.approx(140 / 131 - 1)),
        ("2024 Jan", pytest.approx(0.31)),
    ]


def test_only_settings_that_differ_are_listed() -> None:
    """By dotted key, those that one run lacks among them, and data and code that differ."""
    one = "name: a\ndata: {start: '2024-01-01', symbols: [BTCUSDT]}\nstrategy: {path: p, params: {length: 5}}\n"
    other = "name: a\ndata: {start: '2024-01-01', symbols: [ETHUSDT]}\nstrategy: {path: p, params: {stop: 2.0}}\n"
    document = compare(
        runs(
            report(walk(1), config=one, code_version="1", data_snapshot="x"),
            report(walk(2), config=other, code_version="2", data_snapshot="x"),
        )
    )
    assert tables(document)["settings"].rows == (
        ("data.symbols", '["BTCUSDT"]', '["ETHUSDT"]'),
        ("strategy.params.length", "5", "–"),
        ("(code version)", "1", "2"),
        ("strategy.params.stop", "–", "2.0"),
    )
    assert "different code" in warned(document)
    same = tables(compare(runs(report(walk(1), config=one), report(walk(2), config=one))))["settings"]
    assert same.rows == ()
    assert "the same" in same.note


def test_runs_of_one_name_are_called_by_what_differs() -> None:
    """By up to two settings; by their ids if more differ, or none; by their names where these differ."""

    def labels(*configs: str, names: tuple[str, ...] = ("run", "run")) -> list[str]:
        made = [report(walk(n), config=config, name=names[n]) for n, config in enumerate(configs)]
        return [row[0] for row in tables(compare(runs(*made)))["runs"].rows]

    assert labels("{s: {p: {entry: 20}}, v: x}", "{s: {p: {entry: 40}}}") == ["A: entry 20, v x", "B: entry 40, v –"]
    assert labels("{a: 1, b: 1, c: 1}", "{a: 2, b: 2, c: 2}") == ["A: id-0", "B: id-1"]
    assert labels("{a: 1}", "{a: 1}") == ["A: id-0", "B: id-1"]
    assert labels("{a: 1}", "{a: 2}", names=("one", "two")) == ["A: one", "B: two"]


def test_runs_that_did_the_same_are_said_to() -> None:
    document = compare(runs(report(walk(1)), report(walk(1)), report(walk(1))))
    assert document.verdict == ("On the 200 days that all have, these runs did exactly the same.",)


def test_settings_are_flattened_by_key_and_number() -> None:
    told = {"a": {"b": 1, "c": {}}, "parts": [{"name": "x"}, {"name": "y"}], "list": [1, 2]}
    assert flat(told) == {"a.b": 1, "a.c": {}, "parts.0.name": "x", "parts.1.name": "y", "list": [1, 2]}


def test_accounts_in_other_currencies_are_told() -> None:
    document = compare(runs(report(walk(1)), report(walk(2), currency="EUR")))
    assert "EUR and USDT" in warned(document)


@pytest.mark.parametrize(
    ("others", "says"),
    [
        (report(walk(2, 3), start=JANUARY + dt.timedelta(days=500)), "no day in common"),
        (report([100.0]), "1 day in common"),
        (report(walk(2, 20)), "20 days in common"),
        (report(np.full(200, 100.0)), "not defined"),
        (report([*walk(2, 100), *np.full(100, -5.0)]), "not defined"),
        (report([*walk(2, 100), *np.full(100, math.nan)]), "not defined"),
    ],
    ids=["apart", "one day", "few", "flat", "ruined", "NaN"],
)
def test_what_cannot_be_compared_is_said_and_drawn_nevertheless(others: Report, says: str) -> None:
    """Never a crash, a zero or an infinite ratio; page and PDF are made."""
    document = compare(runs(report(walk(1)), others))
    assert says in " ".join(document.verdict)
    numbers = [v for table in tables(document).values() for row in table.rows for v in row if isinstance(v, float)]
    assert not any(math.isinf(value) for value in numbers)
    assert "<html" in page(document)
    assert pdf.render(document).startswith(b"%PDF")


def test_ruin_is_told_by_name() -> None:
    document = compare(runs(report(walk(1)), report([*walk(2, 100), *np.full(100, -5.0)], name="bold")))
    assert "B: bold" in warned(document)


def test_curves_begin_at_one() -> None:
    growth, below = blocks(compare(runs(report(walk(1)), report(walk(2)))), Lines)
    assert [series.values[0] for series in growth.series] == [1.0, 1.0]
    assert growth.ts_us[0] == 1_704_067_200_000_000
    assert all(series.values.max() == 0.0 for series in below.series)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ([], "0 runs"),
        (["a"], "1 run"),
        (["a", "b", "a"], "a is named twice"),
        ([str(n) for n in range(MOST + 1)], f"{MOST + 1} runs"),
    ],
)
def test_what_is_no_comparison_is_refused(named: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        compare([Run(key, report(walk(1, 5))) for key in named])
