"""Costs: settings for people become exact integers for kernels, and what cannot be is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.config import parse
from truewind.errors import ConfigError
from truewind.execution.simulated.costs import CostSettings


def test_the_defaults_are_those_of_binance_usd_m():
    """Maker 0.02 %, taker 0.05 %: in 1e-8."""
    row = CostSettings().record(10.0)[0]
    assert (row["maker"], row["taker"], row["leverage"]) == (20_000, 50_000, 10.0)
    assert row["half_spread"] == 10_000
    assert row["touch"] == 0
    assert CostSettings(limit_fill="touch").record(1)[0]["touch"] == 1


@given(st.integers(-1_000_000, 5_000_000), st.integers(0, 5_000_000))
def test_rates_survive_the_way_into_integers(maker, taker):
    """What was written with eight decimals arrives exactly."""
    row = CostSettings(maker_fee=maker / 1e8, taker_fee=taker / 1e8).record(1)[0]
    assert (row["maker"], row["taker"]) == (maker, taker)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"taker_fee": -0.001}, "taker_fee"),
        ({"taker_fee": float("nan")}, "taker_fee"),
        ({"maker_fee": 0.5}, "maker_fee"),
        ({"limit_fill": "always"}, "limit_fill"),
        ({"takerfee": 0.001}, "taker_fee"),
    ],
)
def test_impossible_costs_are_refused_by_name(setting, says):
    """Out of bounds, no number or misspelt: the error names the setting, or the one that was meant."""
    with pytest.raises(ConfigError, match=says):
        parse(CostSettings, setting)


def test_the_assumptions_are_put_into_words():
    """The report says what was charged and when limits and stops fill."""
    words = " ".join(CostSettings(maker_fee=0.0002, taker_fee=0.0005).assumptions())
    for fact in ("0.0200%", "0.0500%", "trades through it"):
        assert fact in words
    assert "touches it" in " ".join(CostSettings(limit_fill="touch").assumptions())
