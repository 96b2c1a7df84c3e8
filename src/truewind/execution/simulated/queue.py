"""Queue position: how many displayed lots stand before a resting order, which the data do not tell.

An order joins behind all that is displayed. Trades at its price take from the front. When more vanishes from the level
than was traded, orders were cancelled, in front of us or behind us; the models differ in what they assume. `ahead` and
`behind` are the lots in front of the order and those that came after it.
"""

import math
from enum import IntEnum

from pydantic import Field

from truewind.config import Settings
from truewind.numerics.jit import kernel


class QueueModel(IntEnum):
    CONSERVATIVE = 0  # all cancellations are behind us
    POWER = 1  # front and back share them like ahead^n : behind^n
    LOG = 2  # … like log(1 + ahead) : log(1 + behind)


class QueueSettings(Settings):
    """How the place of a resting order in its queue is estimated.

    An exponent of 1 shares cancellations in proportion to the lots ahead and behind.
    """

    model: str = Field(
        default="conservative",
        pattern="^(conservative|power|log)$",
        description="where cancellations happen: behind us, or by power or log of the lots on either side",
    )
    exponent: float = Field(
        default=2.0,
        gt=0.0,
        le=10.0,
        description="of the power model; larger ones put more cancellations on the longer part",
    )

    @property
    def code(self) -> QueueModel:
        return QueueModel[self.model.upper()]


_CONSERVATIVE, _POWER = int(QueueModel.CONSERVATIVE), int(QueueModel.POWER)


@kernel
def share_in_front(model: int, exponent: float, ahead: float, behind: float) -> float:
    """The share of cancellations that happen in front of the order.

    f(ahead) / (f(ahead) + f(behind)): E. Rigtorp, "Estimating Order Queue Position" (2013, rigtorp.se/2013/06/08); the
    power and logarithmic f are those of hftbacktest (its documentation, "Order Fill").
    """
    if model == _POWER:
        front, back = ahead**exponent, behind**exponent
    else:
        front, back = math.log1p(ahead), math.log1p(behind)
    return front / (front + back) if front + back > 0.0 else 1.0


@kernel
def after_update(
    model: int, exponent: float, ahead: float, traded: int, before: int, now: int
) -> float:  # fmt: skip
    """Lots ahead after the level went from `before` to `now` lots; never negative, never more than `now`.

    traded: lots that trades took from the level since the last update. They have shrunk `ahead` already, and what the
    update takes away for them must not shrink it again.
    """
    vanished = before - now - traded
    if model != _CONSERVATIVE and vanished > 0:
        behind = max(0.0, before - traded - ahead)
        cancelled = min(ahead, vanished * share_in_front(model, exponent, ahead, behind))
        ahead -= max(cancelled, vanished - behind)  # no more than stands behind can vanish there
    return max(0.0, min(ahead, float(now)))
