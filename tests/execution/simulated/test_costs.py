"""Costs: settings for people become exact integers for kernels, and what cannot be is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.config import parse
from truewind.errors import ConfigError
from truewind.execution.simulated.costs import CostSettings


def test_the_defaults_are_those_of_binance_usd_m():
    """Maker 0.02 %, taker 0.05 %, 8 ms: in 1e-8 and microseconds."""
    row = CostSettings().record(10.0)[0]
    assert (row["maker"], row["taker"], row["latency_us"], row["leverage"]) == (20_000, 50_000, 8_000, 10.0)
    assert row["half_spread"] == 10_000
    assert row["touch"] == 0
    assert CostSettings(limit_fill="touch").record(1)[0]["touch"] == 1


@given(st.integers(-1_000_000, 5_000_000), st.integers(0, 5_000_000), st.integers(0, 86_400_000_000))
def test_rates_and_times_survive_the_way_into_integers(maker, taker, latency_us):
    """What was written with eight decimals or as a millisecond's thousandth arrives exactly."""
    row = CostSettings(maker_fee=maker / 1e8, taker_fee=taker / 1e8, latency_ms=latency_us / 1000).record(1)[0]
    assert (row["maker"], row["taker"], row["latency_us"]) == (maker, taker, latency_us)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"taker_fee": -0.001}, "taker_fee"),
        ({"taker_fee": float("nan")}, "taker_fee"),
        ({"maker_fee": 0.5}, "maker_fee"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": float("inf")}, "latency_ms"),
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
    words = " ".join(CostSettings(maker_fee=0.0002, taker_fee=0.0005, latency_ms=8).assumptions())
    for fact in ("0.0200%", "0.0500%", "8 ms", "trades through it"):
        assert fact in words
    assert "touches it" in " ".join(CostSettings(limit_fill="touch").assumptions())
