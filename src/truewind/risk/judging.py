"""Judging: how much of an order the rules let pass, and which of them says so. Pure; `engine.limiting` asks it.

Each rule leaves room for some lots that open. What is allowed is the least of them all, so the order in which rules are
asked does not matter to it; where several leave the same least, the first in the order of `risk.gate.RULES` is named.
What cannot be reckoned (a NaN) leaves room for nothing.
"""

import math
from typing import Any, NamedTuple

from truewind.domain.order import Reason
from truewind.numerics.jit import kernel

_NONE, _NO_EQUITY = int(Reason.NONE), int(Reason.NO_EQUITY)
_LOW_CONFIDENCE, _STOP_MISSING, _STOP_SIDE = int(Reason.LOW_CONFIDENCE), int(Reason.STOP_MISSING), int(Reason.STOP_SIDE)
_STOP_TOO_NEAR, _STOP_TOO_FAR = int(Reason.STOP_TOO_NEAR), int(Reason.STOP_TOO_FAR)
_RISK_PER_TRADE, _POSITION_CAP = int(Reason.RISK_PER_TRADE), int(Reason.POSITION_CAP)
_VOLUME_CAP, _DEPTH_CAP = int(Reason.VOLUME_CAP), int(Reason.DEPTH_CAP)
_LIQUIDATION_NEAR, _NO_VOLATILITY = int(Reason.LIQUIDATION_NEAR), int(Reason.NO_VOLATILITY)
_EXPOSURE_CAP, _GROSS_CAP, _NET_CAP = int(Reason.EXPOSURE_CAP), int(Reason.GROSS_CAP), int(Reason.NET_CAP)
_CONCENTRATION, _MARGIN_USE = int(Reason.CONCENTRATION), int(Reason.MARGIN_USE)
_CORRELATED, _CLUSTER_CAP = int(Reason.CORRELATED), int(Reason.CLUSTER_CAP)
_VALUE_AT_RISK, _SHORTFALL = int(Reason.VALUE_AT_RISK), int(Reason.SHORTFALL)
_MOST_LOTS = 4_000_000_000_000_000_000
_FORGIVEN = 1e-6  # of a lot, for the rounding of floats


class Asked(NamedTuple):
    """What an order says. worth: notional of one lot at `price`. stop: its price, NaN if none is known; loss: what one
    lot loses there with the costs of both ways. Money in ledger units, notional in all of this.
    """

    side: int
    price: float
    worth: float
    stop: float = math.nan
    loss: float = math.nan
    confidence: float = 1.0


class Own(NamedTuple):
    """What there is of the order's symbol, and how much more there may be; unlimited where no rule asks.

    committed: notional held or on its way on the order's side, after its reducing part. at_stop: what that loses at its
    stops. leverage: by which its initial margin is reckoned, NaN while the volatility is not known. volume, depth: lots
    traded in the last bar, and displayed. safe: notional from which liquidation is nearer than is allowed; carried:
    notional whose maintenance margin uses up what is allowed.
    """

    committed: float
    at_stop: float = 0.0
    leverage: float = 1.0
    volume: float = math.inf
    depth: float = math.inf
    safe: float = math.inf
    carried: float = math.inf


class Portfolio(NamedTuple):
    """The account and all its other positions, orders on their way counted as filled.

    barred: the Reason of a limit or breaker that lets nothing be opened, NONE if there is none. gross: the most that
    the others' notional may come to; margin: their initial margin; net: what they come to on the order's side, less on
    the other. alike: how many are correlated with this symbol, and cluster their notional. unit, covariance, variance:
    variance a day of one unit of this symbol's notional, its covariance with all there is (on the order's side), and
    the variance of all there is.
    """

    equity: float
    barred: int = 0
    gross: float = 0.0
    margin: float = 0.0
    net: float = 0.0
    alike: int = 0
    cluster: float = 0.0
    unit: float = 0.0
    covariance: float = 0.0
    variance: float = 0.0


@kernel(inline=True)
def judge(limit: Any, asked: Asked, own: Own, portfolio: Portfolio, opening: int) -> tuple[int, int]:
    """How many of `opening` lots may be opened, and the Reason if fewer. limit: a LIMITS record."""
    if opening <= 0:
        return opening, _NONE
    if portfolio.barred != _NONE:
        return 0, portfolio.barred
    if not portfolio.equity > 0.0:
        return 0, _NO_EQUITY
    refused = refusal(limit, asked)
    if refused != _NONE:
        return 0, refused
    allowed, reason = of_position(limit, asked, own, portfolio.equity, opening)
    return of_portfolio(limit, asked, own, portfolio, allowed, reason)


@kernel(inline=True)
def refusal(limit: Any, asked: Asked) -> int:
    """What an order is denied for whatever its size: the Reason, or NONE."""
    stop, price = asked.stop, asked.price
    if not asked.confidence >= limit["min_confidence"]:
        return _LOW_CONFIDENCE
    if stop != stop:
        return _STOP_MISSING if limit["stop_required"] > 0.0 else _NONE
    distance = (price - stop) * asked.side / price
    if not distance > 0.0:
        return _STOP_SIDE
    if distance < limit["min_stop"]:
        return _STOP_TOO_NEAR
    return _STOP_TOO_FAR if distance > limit["max_stop"] else _NONE


@kernel(inline=True)
def of_position(limit: Any, asked: Asked, own: Own, equity: float, opening: int) -> tuple[int, int]:
    """What the rules of the order and its own position allow, in their order."""
    allowed, reason, worth = opening, _NONE, asked.worth
    if asked.stop == asked.stop:
        room = limit["risk_per_trade"] * equity - own.at_stop
        allowed, reason = least(allowed, reason, room, asked.loss, _RISK_PER_TRADE)
    room = limit["max_position"] * equity - own.committed
    allowed, reason = least(allowed, reason, room, worth, _POSITION_CAP)
    if limit["max_volume_share"] < math.inf:
        allowed, reason = least(allowed, reason, limit["max_volume_share"] * own.volume, 1.0, _VOLUME_CAP)
    if limit["max_depth_share"] < math.inf:
        allowed, reason = least(allowed, reason, limit["max_depth_share"] * own.depth, 1.0, _DEPTH_CAP)
    allowed, reason = least(allowed, reason, own.safe - own.committed, worth, _LIQUIDATION_NEAR)
    if not own.leverage >= 1.0 and allowed > 0:
        return 0, _NO_VOLATILITY
    return allowed, reason


@kernel(inline=True)
def of_portfolio(
    limit: Any, asked: Asked, own: Own, portfolio: Portfolio, allowed: int, reason: int
) -> tuple[int, int]:
    """What is left of `allowed` lots by the rules of all positions together, in their order."""
    equity, committed, worth, gross = portfolio.equity, own.committed, asked.worth, portfolio.gross
    room = (limit["max_exposure"] * equity - portfolio.margin) * own.leverage - committed
    allowed, reason = least(allowed, reason, room, worth, _EXPOSURE_CAP)
    allowed, reason = least(allowed, reason, limit["max_gross"] * equity - committed - gross, worth, _GROSS_CAP)
    room = limit["max_net"] * equity - committed - portfolio.net
    allowed, reason = least(allowed, reason, room, worth, _NET_CAP)
    share = limit["max_concentration"]
    if share < 1.0:
        room = max(share * equity, share / (1.0 - share) * gross) - committed
        allowed, reason = least(allowed, reason, room, worth, _CONCENTRATION)
    allowed, reason = least(allowed, reason, own.carried - committed, worth, _MARGIN_USE)
    if portfolio.alike + 1 > limit["max_correlated"] and allowed > 0:
        return 0, _CORRELATED
    room = limit["max_cluster"] * equity - committed - portfolio.cluster
    allowed, reason = least(allowed, reason, room, worth, _CLUSTER_CAP)
    if limit["max_var"] < math.inf:
        room = room_within(limit["max_var"] * equity / limit["var_z"], portfolio)
        allowed, reason = least(allowed, reason, room, worth, _VALUE_AT_RISK)
    if limit["max_shortfall"] < math.inf:
        room = room_within(limit["max_shortfall"] * equity / limit["shortfall_z"], portfolio)
        allowed, reason = least(allowed, reason, room, worth, _SHORTFALL)
    return allowed, reason


@kernel(inline=True)
def least(allowed: int, reason: int, room: float, each: float, rule: int) -> tuple[int, int]:
    """`allowed` lots, or the fewer for which a rule has room, and its name; each: what one lot takes of it."""
    if room >= allowed * each:  # false for NaN
        return allowed, reason
    lots = lots_in(room, each)
    if lots < allowed:
        return lots, rule
    return allowed, reason


@kernel(inline=True)
def lots_in(room: float, each: float) -> int:
    """Whole lots that fit into `room`."""
    if not (room > 0.0 and each > 0.0):
        return 0
    lots = room / each + _FORGIVEN
    return int(lots) if lots < _MOST_LOTS else _MOST_LOTS


@kernel
def room_within(deviation: float, portfolio: Portfolio) -> float:
    """Notional by which the position may grow until a day's profit of all there is has this standard deviation.

    The larger root x of unit·x² + 2·covariance·x + variance = deviation². Where the deviation is passed already: until
    it is what it is now, so that only what lessens it may be opened. NaN if the variance is not known, or is nothing.

    A day's profit is taken to be normal, with the mean nothing: value at risk is then z deviations, with z the quantile
    of the confidence, and the expected shortfall φ(z) / (1 − confidence) of them (McNeil, Frey and Embrechts,
    Quantitative Risk Management, revised edition, Princeton 2015, examples 2.11 and 2.14; the deviation as in J.P.
    Morgan and Reuters, RiskMetrics Technical Document, 4th edition, 1996, delta-normal).
    """
    unit, slope = portfolio.unit, portfolio.covariance
    if not unit > 0.0:
        return math.nan
    beyond = max(deviation * deviation, portfolio.variance) - portfolio.variance
    return (math.sqrt(slope * slope + unit * beyond) - slope) / unit
