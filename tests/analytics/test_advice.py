"""Advice follows from the figures, names them, and stays away where there is nothing to advise."""

import datetime as dt
import re

import numpy as np
import polars as pl
import pytest

from truewind.analytics import advice
from truewind.analytics.report import Report
from truewind.analytics.sections import recommendations

TIME = pl.Datetime("us", "UTC")
START = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)
DAYS = 500


def curve(values):
    ts = [START + dt.timedelta(days=i + 1) for i in range(len(values))]
    return pl.DataFrame({"ts": ts, "equity": values}, schema={"ts": TIME, "equity": pl.Float64})


def trades(results, symbols=("A",), side=1, still_open=0):
    count = len(results)
    return pl.DataFrame(
        {
            "symbol": [symbols[i % len(symbols)] for i in range(count)],
            "side": [side] * count,
            "net_pnl": [float(r) for r in results],
            "r_multiple": [1.0] * count,
            "open": [i >= count - still_open for i in range(count)],
        },
        schema_overrides={"symbol": pl.String, "net_pnl": pl.Float64, "open": pl.Boolean},
    )


def report(results=(1.0, -0.5) * 50, equity=None, held=None, config="", warnings=(), fills=(), trials=None, **figures):
    """A run of 500 days that made 25 in 100 trades, with nothing to be said of it."""
    table = results if isinstance(results, pl.DataFrame) else trades(results)
    made = float(table["net_pnl"].sum())
    summary = {
        "initial_equity": 1000.0, "final_equity": 1000.0 + made, "net_return": made / 1000, "benchmark_return": None,
        "fills": 200, "orders": 200, "trades": int((~table["open"]).sum()), "open_trades": int(table["open"].sum()),
        "fees": 1.0, "slippage": 1.0, "funding": 0.0, "max_drawdown": 0.1, "sharpe": 1.0, "days": float(DAYS),
        "average_r": 1.0, "days_per_year": 365, "not_defined": [],
    }  # fmt: skip
    return Report(
        name="run",
        equity=curve(np.linspace(1000, 1000 + made, DAYS)) if equity is None else curve(equity),
        trades=table,
        fills=pl.DataFrame({"kind": list(fills)}, schema={"kind": pl.String}),
        candles={},
        benchmark=None if held is None else curve(held),
        summary=summary | figures,
        config_yaml=config,
        info={},
        assumptions=[],
        warnings=list(warnings),
        trials=trials,
    )


def steps(*args, **changes):
    return [said for said in advice.next_steps(report(*args, **changes)) if "not been validated" not in said]


def test_a_sound_run_is_told_to_be_validated_and_nothing_else():
    assert steps() == []
    assert "`truewind validate`" in advice.next_steps(report())[0]
    assert advice.next_steps(report(net_return=-0.1)) == []  # a losing one need not be


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"final_equity": 0.0}, "The account was lost"),
        ({"fills": ["liquidation", "market"]}, "liquidated positions (1 fills)"),
        ({"trades": 12}, "12 closed trades tell little"),
        ({"trades": 1}, "1 closed trade tells little"),
        ({"sharpe": 4.2}, "A Sharpe ratio of 4.2 is rarely real"),
        ({"fees": 30.0}, "Costs took 55 % of what was made before them"),  # 25 of 25 + 30 + 1 are left
        ({"final_equity": 990.0, "fees": 15.0}, "Before costs it made 6.00, after them it lost 10.00"),
        ({"final_equity": 950.0}, "It lost even before costs"),
        ({"max_drawdown": 0.4}, "The deepest fall, 40 %, is beyond the limit of 20 %: sized to 50 %"),
        ({"benchmark_return": 0.5}, "Holding made 50.0 %, this 2.5 %"),
    ],
)
def test_each_rule_names_the_figure_it_goes_by(changes, said):
    fills = changes.pop("fills", ())
    assert said in steps(fills=fills, **changes)[0]


def test_a_run_without_a_fill_is_told_why_that_may_be():
    quiet = report(trades([]), orders=0, trades=0)
    quiet.summary["fills"] = 0
    assert "Nothing was ordered" in advice.next_steps(quiet)[0]
    quiet.summary["orders"] = 7
    assert "7 orders were made and none was filled" in advice.next_steps(quiet)[0]


def test_one_trade_that_makes_it_all_is_named_with_what_the_rest_made():
    (found,) = steps((100.0, *([-1.0] * 40)))
    assert found.startswith("One trade made 167 % of the result; without it the others lost 40.00.")
    assert steps((1.0,) * 40) == []


def test_one_symbol_that_makes_it_all_is_named():
    table = trades([3.0, -0.5, -0.5] * 40, symbols=("A", "B", "C"))
    (found,) = steps(table)
    assert found.startswith("A made 120.00 of 80.00; the other 2 symbols together lost 40.00")


def test_a_result_that_is_not_closed_is_not_earned():
    (found,) = steps(trades([1.0] * 40 + [30.0], still_open=1))
    assert found.startswith("43 % of the result is in 1 positions")


def test_a_long_only_run_that_moves_with_a_rising_market_is_called_the_market():
    rng = np.random.default_rng(7)
    market = rng.normal(0.005, 0.02, DAYS)
    held = 1000 * np.cumprod(1 + market)
    own = 1000 * np.cumprod(1 + 0.5 * market + rng.normal(0, 0.002, DAYS))
    changes = {"equity": own, "held": held, "benchmark_return": held[-1] / 1000 - 1, "net_return": 9.0}
    (found,) = steps(**changes)
    assert "only ever long" in found
    assert re.search(r"beta 0\.(49|50|51)", found)
    assert steps(trades((1.0, -0.5) * 50, side=-1), **changes) == []
    alone = 1000 * np.cumprod(1 + rng.normal(0.005, 0.02, DAYS))
    assert steps(**(changes | {"equity": alone})) == []


def test_a_sharpe_ratio_within_luck_is_told_with_what_would_help():
    """A daily Sharpe ratio of about 0.05 over 500 days, the best of 400 of which 20 differ: luck alone gives more."""
    returns = np.random.default_rng(3).normal(0, 0.01, DAYS)
    returns += 0.0005 - returns.mean()
    crowd = {"tried": 400, "deleted": 0, "silent": 0, "different": 20, "equivalent": 40.0, "spread": 0.03, "best": 0.05}
    equity = 1000 * np.cumprod(1 + returns)
    (found,) = steps(equity=equity, trials=crowd)
    assert found.startswith("It does not stand out from the 400 variants tried")
    assert "500 are there" in found
    assert steps(equity=equity) == []  # without a ledger nobody knows
    alone = crowd | {"tried": 1, "different": 1, "equivalent": 1.0, "spread": None}
    (found,) = steps(equity=equity, trials=alone)
    assert found.startswith("Even as the only one that was tried")


def test_trades_without_stops_are_told_of():
    table = trades((1.0, -0.5) * 50).with_columns(r_multiple=pl.lit(None, pl.Float64))
    (found,) = steps(table, average_r=None)
    assert "No trade had a protective stop" in found


def test_limits_follow_from_config_and_warnings():
    config = "data:\n  symbols: [A, B]\n"
    warnings = ["A: no funding rates in the lake for 3 days", "B: tick 0.1 and lot 1 were inferred from the data"]
    said = " ".join(advice.limitations(report(config=config, warnings=warnings)))
    for part in ("The 2 symbols were chosen by hand", "not charged for all of the time (A)", "from the data (B)"):
        assert part in said
    chosen = " ".join(advice.limitations(report(config="data:\n  symbols: []\n  universe: {top: 5}\n")))
    assert "by hand" not in chosen
    assert "less than a year" in " ".join(advice.limitations(report(days=20.0)))
    assert "20 minutes" in " ".join(advice.limitations(report(days=20 / 1440)))


@pytest.mark.parametrize("config", ["", "a: [", "just words", "data: 3"])
def test_a_config_that_says_nothing_is_no_obstacle(config):
    section = recommendations.section(report(config=config))
    assert [block.title for block in section.blocks] == ["What to do next", "What this report cannot know"]
    assert all(block.sentences for block in section.blocks)
