"""Deciding: strategies, their sizing, entries and exits. What a strategy's own file needs is public here."""

from typing import TYPE_CHECKING

from truewind._public import on_first_use

if TYPE_CHECKING:
    from truewind.config import Settings as Settings
    from truewind.domain.fill import Fill as Fill
    from truewind.domain.order import Order as Order
    from truewind.domain.order import OrderType as OrderType
    from truewind.domain.order import Side as Side
    from truewind.domain.position import Position as Position
    from truewind.domain.signal import FLAT as FLAT
    from truewind.domain.signal import HOLD as HOLD
    from truewind.domain.signal import Signal as Signal
    from truewind.domain.signal import Want as Want
    from truewind.portfolio.parity import equal_risk_weights as equal_risk_weights
    from truewind.strategies.base import SignalStrategy as SignalStrategy
    from truewind.strategies.base import Strategy as Strategy
    from truewind.strategies.base import load as load
    from truewind.strategies.book import BookOrder as BookOrder
    from truewind.strategies.book import BookReport as BookReport
    from truewind.strategies.book import BookStrategy as BookStrategy
    from truewind.strategies.book import BookTrade as BookTrade
    from truewind.strategies.iceberg import Iceberg as Iceberg
    from truewind.strategies.quoting import NO_QUOTES as NO_QUOTES
    from truewind.strategies.quoting import Quoter as Quoter
    from truewind.strategies.quoting import Quotes as Quotes
    from truewind.strategies.quoting import Top as Top
    from truewind.strategies.weights import WeightStrategy as WeightStrategy

_PUBLIC = {
    "BookOrder": "truewind.strategies.book:BookOrder",
    "BookReport": "truewind.strategies.book:BookReport",
    "BookStrategy": "truewind.strategies.book:BookStrategy",
    "BookTrade": "truewind.strategies.book:BookTrade",
    "FLAT": "truewind.domain.signal:FLAT",
    "Fill": "truewind.domain.fill:Fill",
    "HOLD": "truewind.domain.signal:HOLD",
    "Iceberg": "truewind.strategies.iceberg:Iceberg",
    "NO_QUOTES": "truewind.strategies.quoting:NO_QUOTES",
    "Order": "truewind.domain.order:Order",
    "OrderType": "truewind.domain.order:OrderType",
    "Position": "truewind.domain.position:Position",
    "Quoter": "truewind.strategies.quoting:Quoter",
    "Quotes": "truewind.strategies.quoting:Quotes",
    "Settings": "truewind.config:Settings",
    "Side": "truewind.domain.order:Side",
    "Signal": "truewind.domain.signal:Signal",
    "SignalStrategy": "truewind.strategies.base:SignalStrategy",
    "Strategy": "truewind.strategies.base:Strategy",
    "Top": "truewind.strategies.quoting:Top",
    "Want": "truewind.domain.signal:Want",
    "WeightStrategy": "truewind.strategies.weights:WeightStrategy",
    "equal_risk_weights": "truewind.portfolio.parity:equal_risk_weights",
    "load": "truewind.strategies.base:load",
}

__all__ = [
    "FLAT",
    "HOLD",
    "NO_QUOTES",
    "BookOrder",
    "BookReport",
    "BookStrategy",
    "BookTrade",
    "Fill",
    "Iceberg",
    "Order",
    "OrderType",
    "Position",
    "Quoter",
    "Quotes",
    "Settings",
    "Side",
    "Signal",
    "SignalStrategy",
    "Strategy",
    "Top",
    "Want",
    "WeightStrategy",
    "equal_risk_weights",
    "load",
]

__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
