"""The section on risk: figures that a reader can recompute, and words wherever there is no figure."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from truewind.analytics.document import Bars, Lines, Table, Text, Tiles
from truewind.analytics.report import Report
from truewind.analytics.sections import risk
from truewind.analytics.trades import COLUMNS

START = datetime(2022, 1, 1, tzinfo=UTC)


def report(returns, *, benchmark=None, year=365, **more) -> Report:
    """A run that earned `returns` on successive days, from 1,000."""

    def table(values):
        worth = 1000.0 * np.cumprod(1.0 + np.asarray(values, float))
        return pl.DataFrame(
            {"ts": [START + timedelta(days=i + 1) for i in range(len(worth))], "equity": worth},
            schema={"ts": pl.Datetime("us", "UTC"), "equity": pl.Float64},
        )

    trades = pl.DataFrame(schema=COLUMNS)
    given = {
        "name": "a run", "equity": table(returns), "trades": trades, "fills": pl.DataFrame(), "candles": {},
        "benchmark": None if benchmark is None else table(benchmark),
        "summary": {"initial_equity": 1000.0, "days_per_year": year}, "config_yaml": "risk:\n  max_drawdown: 0.25\n",
        "info": {}, "assumptions": [], "warnings": [],
    }  # fmt: skip
    return Report(**(given | more))


def blocks(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def table(section, name):
    return next(block for block in blocks(section, Table) if block.name == name)


RETURNS = 0.01 * np.random.RandomState(1).standard_t(4, 500)
MARKET = 0.02 * np.random.RandomState(2).randn(500) * np.where(np.arange(500) % 100 < 70, 0.5, 2.0)


def test_value_at_risk_and_shortfall_by_hand():
    """100 days, −1 % … −100 bps in steps: 5 % quantile by interpolation −94.05 … of sorted losses."""
    losses = np.arange(1, 101) / 10_000.0
    found = table(risk.section(report(-losses)), "value_at_risk").rows[0]
    assert found[1] == pytest.approx(np.quantile(losses, 0.95))
    assert found[2] == pytest.approx(np.mean([0.0096, 0.0097, 0.0098, 0.0099, 0.0100]))
    assert found[6] == 5


def test_a_whole_section_has_every_part():
    """Two years of days and a market with regimes: fan, tables, bars; every row as long as its columns."""
    section = risk.section(report(RETURNS, benchmark=MARKET))
    names = [block.name for block in blocks(section, Table)]
    assert names == ["value_at_risk", "worst_windows", "crashes", "monte_carlo", "monte_carlo_sharpe", "chances",
                     "stationarity", "regimes", "persistence"]  # fmt: skip
    assert all(len(row) == len(block.columns) for block in blocks(section, Table) for row in block.rows)
    crashes = [row[0] for row in table(section, "crashes").rows]
    assert crashes == ["Terra and Luna", "Celsius and 3AC", "FTX", "Regional banks"]
    fan = blocks(section, Lines)[0]
    assert fan.series[0].values[-1] == pytest.approx(np.prod(1.0 + RETURNS) - 1.0)
    assert len(fan.ts_us) == len(fan.bands[0].low) == len(fan.series[1].values)
    assert fan.ts_us[0] == int(START.timestamp()) * 1_000_000
    assert all(np.isfinite(band.low).all() for band in fan.bands)
    assert len(blocks(section, Bars)) == 2
    assert any("25%" in row[0] for row in table(section, "chances").rows)


def test_equal_runs_say_the_same():
    one, other = (repr(risk.section(report(RETURNS, benchmark=MARKET))) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        ([], "the run has no rows"),
        ([0.01], "lasted less than a day"),
        ([0.01, -0.01], "needs 20 days"),
        ([0.0] * 300, "do not vary"),
        ([-1.0, 0.0, 0.0], "ruined"),
        ([0.01, math.nan, 0.02] + [0.01, -0.01] * 30, "ruined"),
    ],
)
def test_what_is_not_defined_is_said(returns, reason):
    """Empty, short, constant, bankrupt and broken runs give sentences, not exceptions, zeros or infinities."""
    section = risk.section(report(returns))
    said = " ".join(sentence for block in blocks(section, Text) for sentence in block.sentences)
    assert reason in said
    for block in blocks(section, Table):
        for row in block.rows:
            assert not any(isinstance(value, float) and math.isinf(value) for value in row)
    for block in blocks(section, Tiles):
        assert not any(isinstance(tile.value, float) and math.isinf(tile.value) for tile in block.tiles)


def test_a_benchmark_of_other_days_is_no_obstacle():
    benchmark = report(MARKET).equity.with_columns(pl.col("ts") + pl.duration(days=5000))
    section = risk.section(report(RETURNS, benchmark=None).__class__(**{
        name: getattr(report(RETURNS), name) for name in Report.__struct_fields__ if name != "benchmark"
    }, benchmark=benchmark))  # fmt: skip
    assert "Regimes" in " ".join(sentence for block in blocks(section, Text) for sentence in block.sentences)
    assert all(math.isnan(row[5]) for row in table(section, "worst_windows").rows)


def test_what_running_again_found_is_shown():
    stress = [
        {"name": "as it was", "net_return": 0.10, "sharpe": 1.0, "max_drawdown": 0.05, "trades": 10, "note": ""},
        {"name": "costs × 2", "net_return": 0.04, "sharpe": 0.4, "max_drawdown": 0.06, "trades": 10, "note": "fees"},
        {"name": "delay", "net_return": None, "sharpe": None, "max_drawdown": None, "trades": None, "note": "why"},
    ]
    permuted = {"said": ["On 200 permuted markets …"], "p": 0.4}
    section = risk.section(report(RETURNS, validation={"stress": stress, "permuted": permuted}))
    rows = table(section, "stress").rows
    assert [row[5] for row in rows] == pytest.approx([0.0, -0.06, None])
    found = next(block for block in blocks(section, Text) if block.sentences == ("On 200 permuted markets …",))
    assert found.tone == "warning"
