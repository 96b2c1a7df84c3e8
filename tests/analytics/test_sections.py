"""Sections on trades, costs and exposure: what they say of a few trades by hand, and of none."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

from truewind.analytics.document import Histogram, Lines, Scatter, Table, Text, Tiles
from truewind.analytics.report import Report
from truewind.analytics.sections import costs, exposure, trades
from truewind.analytics.summary import summarise
from truewind.analytics.trades import round_trips

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TIME = pl.Datetime("us", "UTC")


@pytest.fixture
def report_of(open_account):
    """A report of an account; mae: of each trade as a fraction, mfe the same again twice."""

    def made(account=None, values=(1000.0, 1001.0, 1010.0, 1005.0), gross=(500.0, 500.0, 1515.0, 0.0), mae=None):
        account = account or open_account()
        ts = [START + dt.timedelta(days=i + 1) for i in range(len(values))]
        columns = {"ts": ts, "equity": values, "cash": values, "gross": gross, "net": [-each for each in gross]}
        equity = pl.DataFrame(columns, schema_overrides={"ts": TIME})
        found = round_trips(account.fills, account.orders, {})
        if mae is not None:
            found = found.with_columns(pl.Series("mae", mae), pl.Series("mfe", [2 * each for each in mae]))
        summary = summarise(
            equity, found, account.fills, account.orders,
            initial=1000.0, days_per_year=365, benchmark=None, leverage=10.0,
        )  # fmt: skip
        return Report(
            name="run", equity=equity, trades=found, fills=account.fills, candles={}, benchmark=None, summary=summary,
            config_yaml="", info={"currency": "USDT"}, assumptions=[], warnings=[],
        )  # fmt: skip

    return made


@pytest.fixture
def account(open_account):
    """A long that made 22 − 2 fees, and a short that lost 10 − 1, and 0.5 of funding."""
    made = open_account()
    made.trade("A", "2", "100", hour=0, fee="1", slippage="0.5")
    made.trade("A", "-2", "111", hour=2, fee="1")
    made.trade("A", "-1", "100", hour=3, fee="0.5")
    made.fund("A", "-0.5", hour=4)
    made.trade("A", "1", "110", hour=6, fee="0.5")
    return made


def only(section, kind, title=""):
    (found,) = [block for block in section.blocks if isinstance(block, kind) and title in block.title]
    return found


def test_long_and_short_apart(report_of, account):
    """+20 by a long in 2 h, −11.5 by a short in 3 h."""
    table = only(trades.section(report_of(account)), Table, "Long and short")
    assert [row[:2] for row in table.rows] == [("Long", 1), ("Short", 1), ("All", 2)]
    assert [row[2] for row in table.rows] == pytest.approx([20.0, -11.5, 8.5])
    assert [row[7] for row in table.rows] == pytest.approx([2.0, 3.0, 2.5])
    assert math.isnan(table.rows[0][4])  # nothing lost: no profit factor


def test_every_result_is_in_a_bin(report_of, account):
    """Without stops, returns instead of R; holding times beside them."""
    section = trades.section(report_of(account))
    for title in ("Results of trades", "How long"):
        assert only(section, Histogram, title).counts.sum() == 2


def test_excursions_are_drawn_where_they_are_known(report_of, account):
    """Winners and losers apart; nothing without prices."""
    found = only(trades.section(report_of(account, mae=[0.01, 0.01])), Scatter, "MFE")
    assert (found.x.tolist(), found.y.tolist()) == ([0.01, 0.01], [0.02, 0.02])
    assert found.groups.tolist() == [0, 1]
    assert not [block for block in trades.section(report_of(account)).blocks if isinstance(block, Scatter)]


def test_costs_lead_from_the_gross_result_to_the_net(report_of, account):
    """5 of profit in the end, 3 of fees, 0.5 of slippage and 0.5 of funding: 9 before costs."""
    table = only(costs.section(report_of(account)), Table)
    money = {row[0]: row[1] for row in table.rows}
    assert money["Result before costs"] == pytest.approx(9.0)
    assert money["Net result"] == pytest.approx(5.0)
    inner = [row[1] for row in table.rows[1:-1]]
    assert money["Result before costs"] + sum(inner) == pytest.approx(money["Net result"])
    slippage = next(row for row in table.rows if row[0] == "Slippage")
    assert slippage[2:] == pytest.approx((-0.5 / 9.0, -0.5 / 1000.0, -0.25, -1e4 * 0.5 / (200 + 222 + 100 + 110)))


def test_no_share_of_a_gross_loss(report_of, account):
    """A dash, and why."""
    table = only(costs.section(report_of(account, values=(1000.0, 990.0, 980.0, 970.0))), Table)
    assert [row[2] for row in table.rows] == [None] * len(table.rows)
    assert "no gain before costs" in table.note


def test_what_was_held_over_equity(report_of, account):
    """At most one and a half times equity, short; with a leverage of ten 15 % of it as margin."""
    report = report_of(account)
    section = exposure.section(report)
    gross, net = only(section, Lines).series
    assert gross.values == pytest.approx(np.array([500 / 1000, 500 / 1001, 1.5, 0.0]))
    assert net.values == pytest.approx(-gross.values)
    values = {tile.label: tile.value for tile in only_tiles(section)}
    assert values["Most gross"] == pytest.approx(1.5)
    assert values["Most margin used"] == pytest.approx(0.15)
    assert values["Least cushion"] == pytest.approx(1 / 1.5)
    assert values["Average net"] == pytest.approx(-(0.5 + 500 / 1001 + 1.5) / 3)


def only_tiles(section):
    (found,) = [block for block in section.blocks if isinstance(block, Tiles)]
    return found.tiles


def test_a_run_without_trades(report_of):
    """Nothing held: no section on it; tiles say what is not defined, and no table is wrong."""
    report = report_of(values=(1000.0, 1000.0), gross=(0.0, 0.0))
    assert exposure.section(report) is None
    section = trades.section(report)
    assert only(section, Table, "Round trips").rows == ()
    assert len([block for block in section.blocks if isinstance(block, Text)]) == 2
    found = {tile.label: tile for tile in only_tiles(section)}
    assert found["Payoff ratio"].value is None
    assert found["Payoff ratio"].meaning == "Not defined: no trade was closed"
    assert {row[5] for row in only(costs.section(report), Table).rows} == {None}


def test_after_ruin(report_of, account):
    """What was held over nothing is not drawn, and said."""
    section = exposure.section(report_of(account, values=(1000.0, -10.0, 5.0, 5.0)))
    assert np.isnan(only(section, Lines).series[0].values[1])
    assert "Not drawn where equity was not above zero" in only(section, Lines).note
