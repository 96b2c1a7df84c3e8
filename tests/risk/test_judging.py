"""The rules one by one, by hand, and all together: the least that they allow, whatever their order."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.order import Reason
from truewind.domain.risk import LIMITS
from truewind.domain.terms import MARGIN
from truewind.portfolio.tiers import flat_tier
from truewind.risk.gate import RULES, RiskSettings
from truewind.risk.judging import Asked, Own, Portfolio, judge
from truewind.risk.position import notional_carried, notional_safe, turned_leverage

# A purchase at 100 of lots worth 100 each, with an equity of 10 000.
ORDER, NOTHING, ALONE = Asked(1, 100.0, 100.0), Own(0.0, leverage=10.0), Portfolio(10_000.0)


def only(**limits):
    """A LIMITS record with nothing else switched on."""
    return RiskSettings.unlimited().model_copy(update=limits).record(10.0)[0]


def verdict(limits, order=ORDER, own=NOTHING, portfolio=ALONE, asked=1000):
    return judge(only(**limits), order, own, portfolio, asked)


# -- one by one ------------------------------------------------------------------------------------------------------


def test_without_rules_all_passes():
    assert verdict({}, asked=10**15) == (10**15, Reason.NONE)


@pytest.mark.parametrize(
    ("limits", "order", "reason"),
    [
        ({"min_confidence": 0.8}, ORDER._replace(confidence=0.79), Reason.LOW_CONFIDENCE),
        ({"min_confidence": 0.8}, ORDER._replace(confidence=math.nan), Reason.LOW_CONFIDENCE),
        ({"stop_required": True}, ORDER, Reason.STOP_MISSING),
        ({}, ORDER._replace(stop=100.0), Reason.STOP_SIDE),
        ({}, ORDER._replace(stop=101.0), Reason.STOP_SIDE),
        ({}, ORDER._replace(side=-1, stop=99.0), Reason.STOP_SIDE),
        ({"min_stop_distance": 0.01}, ORDER._replace(stop=99.5), Reason.STOP_TOO_NEAR),
        ({"max_stop_distance": 0.05}, ORDER._replace(stop=94.0), Reason.STOP_TOO_FAR),
        ({"max_stop_distance": 0.05}, ORDER._replace(side=-1, stop=106.0), Reason.STOP_TOO_FAR),
    ],
)
def test_what_is_denied_whatever_its_size(limits, order, reason):
    assert verdict(limits, order) == (0, reason)


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        ({"min_confidence": 0.8}, ORDER._replace(confidence=0.8)),
        ({"stop_required": True}, ORDER._replace(stop=99.0, loss=1.0)),
        ({"min_stop_distance": 0.01, "max_stop_distance": 0.05}, ORDER._replace(stop=98.0, loss=2.0)),
    ],
)
def test_what_just_meets_a_rule_passes(limits, order):
    assert verdict(limits, order) == (1000, Reason.NONE)


@pytest.mark.parametrize(
    ("limits", "order", "own", "portfolio", "lots", "reason"),
    [
        # 0.5 % of 10 000 is 50; a lot loses 2.2 at its stop: 22.7; with 28 at risk already: 10.
        ({"risk_per_trade": 0.005}, {"stop": 98.0, "loss": 2.2}, {}, {}, 22, Reason.RISK_PER_TRADE),
        ({"risk_per_trade": 0.005}, {"stop": 98.0, "loss": 2.2}, {"at_stop": 28.0}, {}, 10, Reason.RISK_PER_TRADE),
        ({"risk_per_trade": 0.005}, {"stop": 98.0}, {}, {}, 0, Reason.RISK_PER_TRADE),  # a loss that nobody knows
        ({"max_position": 0.5}, {}, {"committed": 1_000.0}, {}, 40, Reason.POSITION_CAP),
        ({"max_volume_share": 0.1}, {}, {"volume": 55.0}, {}, 5, Reason.VOLUME_CAP),
        ({"max_volume_share": 0.1}, {}, {"volume": math.nan}, {}, 0, Reason.VOLUME_CAP),
        ({"max_depth_share": 0.25}, {}, {"depth": 41.0}, {}, 10, Reason.DEPTH_CAP),
        ({}, {}, {"committed": 500.0, "safe": 1_250.0}, {}, 7, Reason.LIQUIDATION_NEAR),
        ({}, {}, {"leverage": math.nan}, {}, 0, Reason.NO_VOLATILITY),
        # Initial margin may be 1 000, others use 400: 600 at leverage 10 and 5.
        ({"max_exposure": 0.1}, {}, {}, {"gross": 4_000.0, "margin": 400.0}, 60, Reason.EXPOSURE_CAP),
        ({"max_exposure": 0.1}, {}, {"leverage": 5.0}, {"margin": 400.0}, 30, Reason.EXPOSURE_CAP),
        ({"max_gross": 2.0}, {}, {"committed": 1_000.0}, {"gross": 4_000.0}, 150, Reason.GROSS_CAP),
        ({"max_net": 1.0}, {}, {"committed": 1_000.0}, {"net": -2_000.0}, 110, Reason.NET_CAP),
        ({"max_net": 1.0}, {}, {"committed": 1_000.0}, {"net": 2_000.0}, 70, Reason.NET_CAP),
        # A quarter of 10 000, while gross is less; beside 60 000 of others 20 000, which is a quarter of 80 000.
        ({"max_concentration": 0.25}, {}, {}, {"gross": 2_000.0}, 25, Reason.CONCENTRATION),
        ({"max_concentration": 0.25}, {}, {"committed": 5_000.0}, {"gross": 60_000.0}, 150, Reason.CONCENTRATION),
        ({}, {}, {"committed": 500.0, "carried": 2_050.0}, {}, 15, Reason.MARGIN_USE),
        ({"max_correlated": 5}, {}, {}, {"alike": 5}, 0, Reason.CORRELATED),
        ({"max_cluster": 0.3}, {}, {"committed": 500.0}, {"cluster": 1_500.0}, 10, Reason.CLUSTER_CAP),
    ],
)  # fmt: skip
def test_an_order_is_reduced_to_the_room_that_a_rule_leaves(limits, order, own, portfolio, lots, reason):
    """By hand."""
    found = verdict(limits, ORDER._replace(**order), NOTHING._replace(**own), ALONE._replace(**portfolio))
    assert found == (lots, reason)


def test_five_correlated_positions_are_allowed():
    assert verdict({"max_correlated": 5}, portfolio=ALONE._replace(alike=4)) == (1000, Reason.NONE)


def test_value_at_risk_and_shortfall_of_one_position():
    """A day's deviation of 2 %: at 99 % 4.6527 % of the notional is at risk, and 5.3304 % expected beyond it."""
    own, alone = NOTHING, ALONE._replace(unit=0.02**2)
    assert NormalDist().inv_cdf(0.99) * 0.02 == pytest.approx(0.046527, abs=1e-6)
    assert verdict({"max_var": 0.02}, own=own, portfolio=alone) == (42, Reason.VALUE_AT_RISK)  # 200 / 4.6527
    assert verdict({"max_shortfall": 0.02}, own=own, portfolio=alone) == (37, Reason.SHORTFALL)  # 200 / 5.3304


@given(
    st.floats(0.001, 0.2), st.floats(0.001, 0.2), st.floats(-1.0, 1.0), st.floats(-5e4, 5e4), st.floats(0.001, 0.3)
)  # fmt: skip
def test_value_at_risk_with_another_position_is_that_of_the_two(first, second, correlation, held, most):
    """Grown to what is allowed, the portfolio's deviation is the limit, or what it was before if that was more."""
    product = correlation * first * second
    portfolio = ALONE._replace(unit=first**2, covariance=held * product, variance=(held * second) ** 2)
    order = Asked(1, 100.0, 0.01)
    allowed, _ = judge(only(max_var=most), order, NOTHING, portfolio, 10**15)
    z = NormalDist().inv_cdf(0.99)

    def at_risk(notional):
        return z * math.sqrt(max(0.0, (notional * first) ** 2 + 2 * notional * held * product + (held * second) ** 2))

    limit = max(most * 10_000.0, at_risk(0.0))
    assert at_risk(allowed * 0.01) <= limit * (1 + 1e-6) + 1e-6
    assert at_risk((allowed + 2) * 0.01) >= limit * (1 - 1e-6)


def test_a_symbol_that_does_not_move_cannot_be_measured():
    for unit in (0.0, math.nan):
        assert verdict({"max_var": 0.9}, portfolio=ALONE._replace(unit=unit)) == (0, Reason.VALUE_AT_RISK)


def test_leverage_turned_by_volatility():
    """Base 10 at a target of 1 %: clamp(10 · 1 % ÷ measured, 1, 20)."""
    for measured, leverage in ((0.01, 10.0), (0.02, 5.0), (0.004, 20.0), (0.5, 1.0), (0.0, 20.0)):
        assert turned_leverage(10.0, 0.01, measured, 20.0) == pytest.approx(leverage)
    assert math.isnan(turned_leverage(10.0, 0.01, math.nan, 20.0))


def terms(isolated=0):
    row = np.zeros(1, MARGIN)
    row["last_tier"], row["isolated"] = 1, isolated
    return row[0]


def test_liquidation_is_as_far_away_as_is_asked():
    """Equity E, notional N, rate r: a short is liquidated where E − N·d = r·N·(1 + d), a long sooner still is not."""
    tiers = flat_tier(0.005, 100)
    safe = notional_safe(1_000.0, 0.1, False, 10.0, terms(), tiers)
    assert 1_000.0 - safe * 0.1 == pytest.approx(0.005 * safe * 1.1)
    assert 1_000.0 - safe * 0.1 > 0.005 * safe * 0.9
    # Isolated at leverage 10 the margin of 10 % carries 9.4 %, and no more.
    assert notional_safe(1_000.0, 0.094, False, 10.0, terms(1), tiers) == math.inf
    assert notional_safe(1_000.0, 0.0951, False, 10.0, terms(1), tiers) == 0.0
    assert notional_carried(50.0, terms(), tiers) == pytest.approx(10_000.0)


# -- all together ----------------------------------------------------------------------------------------------------

amounts = st.floats(0.0, 1e5)
odd = st.one_of(amounts, st.just(math.nan))
orders = st.builds(
    lambda side, worth, away, confidence: Asked(
        side, 100.0, worth, 100.0 * (1 - side * away), abs(away) * worth * 1.1, confidence
    ),
    st.sampled_from([1, -1]), st.floats(0.01, 1e4), st.one_of(st.floats(-0.01, 0.2), st.just(math.nan)),
    st.floats(0.0, 1.0),
)  # fmt: skip
owns = st.builds(
    Own, amounts, amounts, st.one_of(st.floats(1.0, 20.0), st.just(math.nan)), odd, amounts, amounts, amounts
)
portfolios = st.builds(
    lambda equity, gross, part, net, alike, unit, tilt, variance: Portfolio(
        equity, 0, gross, gross / 10, net, alike, gross * part, unit, tilt, variance
    ),
    odd, amounts, st.floats(0.0, 1.0), st.floats(-1e5, 1e5), st.integers(0, 8), st.floats(0.0, 0.01),
    st.floats(-100.0, 100.0), st.floats(0.0, 1e6),
)  # fmt: skip
SWITCHES = {
    Reason.LOW_CONFIDENCE: {"min_confidence": 0.6},
    Reason.STOP_MISSING: {"stop_required": True},
    Reason.STOP_TOO_NEAR: {"min_stop_distance": 0.01},
    Reason.STOP_TOO_FAR: {"max_stop_distance": 0.15},
    Reason.RISK_PER_TRADE: {"risk_per_trade": 0.02},
    Reason.POSITION_CAP: {"max_position": 1.0},
    Reason.VOLUME_CAP: {"max_volume_share": 0.01},
    Reason.DEPTH_CAP: {"max_depth_share": 0.01},
    Reason.EXPOSURE_CAP: {"max_exposure": 0.2},
    Reason.GROSS_CAP: {"max_gross": 3.0},
    Reason.NET_CAP: {"max_net": 1.5},
    Reason.CONCENTRATION: {"max_concentration": 0.4},
    Reason.CORRELATED: {"max_correlated": 5},
    Reason.CLUSTER_CAP: {"max_cluster": 2.0},
    Reason.VALUE_AT_RISK: {"max_var": 0.05},
    Reason.SHORTFALL: {"max_shortfall": 0.06},
}


@given(orders, owns, portfolios, st.integers(1, 10**6), st.sets(st.sampled_from(list(SWITCHES))))
def test_what_is_allowed_is_the_least_of_what_each_rule_allows_alone(order, own, portfolio, asked, chosen):
    """So their order does not matter to amounts; the reason is the first rule, by `RULES`, that allows the least."""
    alone = {None: judge(only(), order, own, portfolio, asked)}
    for reason in chosen:
        alone[reason] = judge(only(**SWITCHES[reason]), order, own, portfolio, asked)
    together = {key: value for reason in chosen for key, value in SWITCHES[reason].items()}
    allowed, reason = judge(only(**together), order, own, portfolio, asked)
    assert allowed == min(lots for lots, _ in alone.values())
    if allowed == asked:
        assert reason == Reason.NONE
        return
    places = {rule.reason: place for place, rule in enumerate(RULES)}
    least = [Reason(why) for lots, why in alone.values() if lots == allowed]
    assert Reason(reason) == min(least, key=places.__getitem__)


def test_every_rule_is_named_once_and_set_by_something_that_exists():
    reasons = [rule.reason for rule in RULES]
    assert len(set(reasons)) == len(reasons)
    assert {rule.setting for rule in RULES if rule.setting} <= set(RiskSettings.model_fields)
    assert set(SWITCHES) <= set(reasons)


def test_switched_off_is_off():
    """Each optional limit, set to null, lets everything pass."""
    row = RiskSettings.unlimited().record(7.0)[0]
    for name in LIMITS.names:
        most = name.startswith("max_") and name not in ("max_leverage", "max_drawdown")
        if most:
            assert row[name] == math.inf, name
