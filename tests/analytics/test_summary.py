"""The summary of a run, figure by figure, and what it says where there is none."""

import datetime as dt
import json
import math

import polars as pl
import pytest
from rich.console import Console

from truewind.analytics.figures import FIGURES
from truewind.analytics.summary import summarise, table
from truewind.analytics.trades import round_trips
from truewind.errors import EmptyRangeError

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TIME = pl.Datetime("us", "UTC")


def equity_table(values, *, hours=24, gross=None):
    """Equity at the end of each of a row of bars of so many hours."""
    ts = [START + dt.timedelta(hours=hours * (i + 1)) for i in range(len(values))]
    return pl.DataFrame(
        {"ts": ts, "equity": values, "cash": values, "gross": gross or [0.0] * len(values)},
        schema={"ts": TIME, "equity": pl.Float64, "cash": pl.Float64, "gross": pl.Float64},
    )


@pytest.fixture
def summary_of(open_account):
    def summarised(values, account=None, *, last_prices=None, days_per_year=365, benchmark=None, initial=100.0, **rows):
        account = account or open_account()
        trades = round_trips(account.fills, account.orders, last_prices or {})
        return summarise(
            equity_table(values, **rows),
            trades,
            account.fills,
            account.orders,
            initial=initial,
            days_per_year=days_per_year,
            benchmark=benchmark,
        )

    return summarised


def reasons(summary):
    return {item["metric"]: item["reason"] for item in summary["not_defined"]}


def test_figures_of_equity_by_hand(summary_of):
    """100 → 110 → 99 → 108.9: daily returns +10 %, −10 %, +10 %, a fall of 10 % that is not made good."""
    held = pl.DataFrame({"ts": [START], "equity": [150.0]}, schema={"ts": TIME, "equity": pl.Float64})
    summary = summary_of([110.0, 99.0, 108.9], benchmark=held)
    assert summary["net_return"] == pytest.approx(0.089)
    assert summary["sharpe"] == pytest.approx((0.1 / 3) / math.sqrt(0.04 / 3) * math.sqrt(365))
    assert summary["sortino"] == pytest.approx((0.1 / 3) / math.sqrt(0.01 / 3) * math.sqrt(365))
    assert summary["volatility"] == pytest.approx(math.sqrt(0.04 / 3) * math.sqrt(365))
    assert summary["cagr"] == pytest.approx(1.089 ** (365.25 / 2) - 1)
    assert summary["max_drawdown"] == pytest.approx(0.1)
    assert summary["calmar"] == pytest.approx(summary["cagr"] / 0.1)
    assert (summary["max_drawdown_days"], summary["max_drawdown_recovered"]) == (2.0, False)
    assert summary["benchmark_return"] == pytest.approx(0.5)
    assert (summary["start"], summary["end"]) == ("2024-01-02T00:00:00Z", "2024-01-04T00:00:00Z")
    assert (summary["days"], summary["bars"], summary["initial_equity"], summary["final_equity"]) == (
        2.0,
        3,
        100.0,
        108.9,
    )


def test_figures_of_trades_by_hand(summary_of, open_account):
    """Three trades of +20 (2 h), −10 (1 h) and one still open; the open one counts nowhere but in `open_trades`."""
    account = open_account()
    account.trade("A", "2", "100", hour=0, fee="1", slippage="0.5")
    account.order("A", -1, 95.0, hour=0, order_id=90)
    account.trade("A", "-2", "111", hour=2, fee="1")
    account.trade("A", "1", "100", hour=3)
    account.trade("A", "-1", "90", hour=4)
    account.trade("A", "1", "90", hour=5)
    account.fund("A", "-0.25", hour=6)
    summary = summary_of(
        [1000.0] * 8,
        account,
        last_prices={"A": 95.0},
        hours=1,
        gross=[200.0, 200, 0, 100, 0, 90, 90, 90],
        initial=1000.0,
    )
    expected = {
        "trades": 2,
        "open_trades": 1,
        "win_rate": 0.5,
        "profit_factor": 2.0,
        "expectancy": 5.0,
        "average_r": 2.0,
        "average_win": 20.0,
        "average_loss": -10.0,
        "best_trade": 20.0,
        "worst_trade": -10.0,
        "average_holding_hours": 1.5,
        "exposure": 5 / 7,
        "turnover": (200 + 222 + 100 + 90 + 90) / 1000 / (7 / (24 * 365.25)),
        "orders": 1,
        "fills": 5,
        "fees": 2.0,
        "slippage": 0.5,
        "funding": -0.25,
    }
    assert {name: summary[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("hours", [1, 4, 24])
def test_sharpe_does_not_depend_on_the_bar(summary_of, hours):
    """The same four daily closes, reached in bars of 1, 4 or 24 hours, whatever lies between."""
    closes, rows = [101.0, 99.0, 103.0, 104.0], 24 // hours
    values = [123.0] * (rows * 4)
    values[rows - 1 :: rows] = closes
    assert summary_of(values, hours=hours)["sharpe"] == pytest.approx(summary_of(closes)["sharpe"])


def test_no_trades_leave_their_figures_undefined_with_the_reason(summary_of):
    summary = summary_of([100.0, 100.0, 100.0])
    undefined = ("win_rate", "profit_factor", "expectancy", "average_r", "best_trade", "average_holding_hours")
    assert all(summary[name] is None and reasons(summary)[name] == "no trade was closed" for name in undefined)
    assert (summary["trades"], summary["fees"], summary["turnover"], summary["exposure"]) == (0, 0.0, 0.0, 0.0)


def test_constant_equity_has_no_sharpe_but_a_volatility_of_zero(summary_of):
    summary = summary_of([100.0, 100.0, 100.0])
    assert (summary["sharpe"], summary["volatility"], summary["max_drawdown"], summary["cagr"]) == (None, 0.0, 0.0, 0.0)
    assert reasons(summary)["sharpe"] == "daily returns do not vary"
    assert reasons(summary)["calmar"] == "equity never fell"
    assert reasons(summary)["benchmark_return"] == "nothing was given to compare with"


def test_one_winning_trade_has_no_profit_factor(summary_of, open_account):
    account = open_account()
    account.trade("A", "1", "100")
    account.trade("A", "-1", "110")
    summary = summary_of([100.0, 110.0], account)
    assert (summary["trades"], summary["win_rate"], summary["profit_factor"], summary["average_loss"]) == (
        1,
        1.0,
        None,
        None,
    )
    assert reasons(summary)["profit_factor"] == "no closed trade lost"
    assert reasons(summary)["average_r"] == "no closed trade had a protective stop"


def test_a_single_day_has_a_return_but_nothing_annualised(summary_of):
    summary = summary_of([101.0])
    assert summary["net_return"] == pytest.approx(0.01)
    assert [summary[name] for name in ("sharpe", "volatility", "cagr", "exposure", "turnover")] == [None] * 5
    assert reasons(summary)["sharpe"] == "needs two daily returns"
    assert reasons(summary)["cagr"] == "the run has a single row"


def test_a_bankrupt_account_lost_all_and_says_when(summary_of):
    summary = summary_of([50.0, 0.0, 0.0])
    assert (summary["net_return"], summary["max_drawdown"], summary["cagr"]) == (-1.0, 1.0, -1.0)
    assert summary["sharpe"] is None
    assert reasons(summary)["sharpe"] == "equity fell to zero or below at 2024-01-03T00:00:00Z"


def test_an_account_in_debt_has_no_growth_rate(summary_of):
    summary = summary_of([50.0, -10.0])
    assert summary["net_return"] == pytest.approx(-1.1)
    assert reasons(summary)["cagr"] == reasons(summary)["calmar"] == "equity ended below zero"


@pytest.mark.parametrize("bad", [math.nan, None])
def test_equity_that_is_not_a_number_is_named_and_nothing_is_guessed(summary_of, bad):
    summary = summary_of([100.0, bad, 90.0, 95.0])
    assert (summary["sharpe"], summary["max_drawdown"]) == (None, None)
    assert reasons(summary)["sharpe"] == "equity is not a number at 2024-01-03T00:00:00Z"


def test_a_few_minutes_do_not_compound_to_infinity(summary_of):
    summary = summary_of([100.0, 1000.0], hours=0.001)
    assert summary["cagr"] is None
    assert reasons(summary)["cagr"] == "a run of less than a day says nothing of a year"


def test_weekly_bars_of_a_market_with_sessions_do_not_pass_for_daily_ones(summary_of):
    values = [101.0, 99.0, 103.0, 104.0]
    assert summary_of(values, hours=7 * 24, days_per_year=252)["sharpe"] is None
    assert summary_of(values, hours=7 * 24, days_per_year=365)["sharpe"] is not None
    assert summary_of(values, hours=24, days_per_year=252)["sharpe"] is not None


def test_a_run_without_rows_is_refused(summary_of):
    with pytest.raises(EmptyRangeError):
        summary_of([])


def test_the_summary_is_json_and_every_undefined_figure_has_its_reason(summary_of):
    for values in ([100.0], [100.0, 100.0], [50.0, -1.0], [100.0, math.nan]):
        summary = summary_of(values)
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary
        assert set(reasons(summary)) == {name for name, value in summary.items() if value is None}


def test_every_figure_has_a_label_and_a_meaning(summary_of):
    figures = set(summary_of([100.0, 101.0])) - {"not_defined", "max_drawdown_recovered"}
    assert figures == set(FIGURES)


def test_the_terminal_table_shows_figures_and_the_reasons_of_missing_ones(summary_of):
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(table(summary_of([110.0, 99.0, 108.9])))
    text = shown.get()
    assert "8.90 %" in text
    assert "108.90" in text
    assert any("Win rate" in line and "–" in line and "no trade was closed" in line for line in text.splitlines())


def test_figures_of_days_by_hand(summary_of):
    """The same three days: +10 %, −10 %, +10 %; the one fall of 10 % took from the first day to the end."""
    summary = summary_of([110.0, 99.0, 108.9])
    expected = {
        "best_day": 0.1, "worst_day": -0.1, "winning_days": 2 / 3, "omega": 2.0, "average_drawdown": 0.1,
        "longest_drawdown_days": 2.0, "downside_deviation": math.sqrt(0.01 / 3 * 365),
        "kelly": (0.1 / 3) / (0.04 / 3), "ulcer": math.sqrt((0.1**2 + 0.01**2) / 3),
    }  # fmt: skip
    assert {name: summary[name] for name in expected} == pytest.approx(expected)
    assert reasons(summary)["gain_to_pain"] == "no month lost"


def test_against_a_benchmark_by_hand(summary_of):
    """It moves twice as much as what is held: beta 2, no alpha, and twice the market's best and worst."""
    held = equity_table([102.0, 99.96, 100.9596])
    summary = summary_of([104.0, 99.84, 101.8368], benchmark=held)
    assert (summary["beta"], summary["correlation"]) == pytest.approx((2.0, 1.0))
    assert summary["alpha"] == pytest.approx(0.0, abs=1e-12)
    assert summary["up_capture"] == pytest.approx((math.sqrt(1.04 * 1.02) - 1) / (math.sqrt(1.02 * 1.01) - 1))
    assert summary["down_capture"] == pytest.approx(2.0)
    assert summary["information_ratio"] == pytest.approx((0.01 / 3) / math.sqrt(0.000866666666667 / 2) * math.sqrt(365))


def test_more_figures_of_trades_by_hand(summary_of, open_account):
    """+20 long (2 R), −10 long: they lost half as often as they won, and half as much."""
    account = open_account()
    account.trade("A", "2", "100", hour=0, fee="1", slippage="0.5")
    account.order("A", -1, 95.0, hour=0, order_id=90)
    account.trade("A", "-2", "111", hour=2, fee="1")
    account.trade("A", "1", "100", hour=3)
    account.trade("A", "-1", "90", hour=4)
    summary = summary_of([1000.0] * 8, account, hours=1, gross=[200.0, 200, 0, 100, 0, 0, 0, 0], initial=1000.0)
    expected = {
        "loss_rate": 0.5, "payoff": 2.0, "kelly_of_trades": 0.25, "median_r": 2.0, "median_holding_hours": 1.5,
        "winning_streak": 1, "losing_streak": 1, "long_trades": 2, "short_trades": 0, "max_gross": 0.2,
        "least_cushion": 5.0, "average_gross": (0.2 + 0.2 + 0.1) / 7,
    }  # fmt: skip
    assert {name: summary[name] for name in expected} == pytest.approx(expected)
    assert reasons(summary)["system_quality"] == "R does not vary"


def test_every_figure_has_a_name_and_every_gap_a_reason(summary_of):
    """No trades, one row, ruin, not a number, nothing that moves: figures are numbers or say why they are none."""
    held = equity_table([100.0, 100.0, 100.0])
    nothing = equity_table([1.0]).clear()
    for values in ([100.0], [100.0] * 3, [90.0, -5.0, 20.0], [100.0, math.nan, 101.0], [100.0, 101.0]):
        for benchmark in (None, held, nothing):
            summary = summary_of(values, benchmark=benchmark)
            plain = {"max_drawdown_recovered", "not_defined"}
            assert set(summary) - plain <= set(FIGURES)
            assert {name for name, value in summary.items() if value is None} == set(reasons(summary))
            assert all(reasons(summary).values())
            assert not any(isinstance(value, float) and not math.isfinite(value) for value in summary.values())
