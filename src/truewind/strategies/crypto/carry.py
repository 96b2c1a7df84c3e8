"""Funding carry: hold spot and be short the perpetual of the same coin for as long as the funding pays for it.

Idea: longs of a perpetual pay shorts whenever it stands above its index, and most of the time they do; with as much
spot as is sold short the price does not matter, and the funding is left. Schmeling, Schrimpf and Todorov, "Crypto
Carry", BIS Working Papers 1087, 2023, find this carry large, and paid by those who go long with leverage. It enters
when the funding that recent rates promise over the holding time exceeds what both legs cost there and back, and leaves
when they promise none.

Fails when funding falls or turns before the costs of four fills are earned, which on large coins takes weeks; when the
perpetual runs away from spot, so that the short leg needs margin that the long leg cannot give at once; and with the
venue that holds both.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.order import Order
from truewind.domain.timeframe import DAY_US
from truewind.strategies.base import Strategy


class Carry(Strategy):
    """One pair of a run, both legs always of one size to within a lot.

    Both legs are sent together. Where one of them is refused, cut, partly filled or liquidated, the other is reduced to
    it once nothing is on its way any more: what stands alone is never added to.
    """

    fields = ("symbol", "ts_event", "close")

    class Params(Settings):
        spot: str = Field(default="binance:BTCUSDT", description="what is bought, as the run calls it")
        perpetual: str = Field(default="BTCUSDT", description="what is sold short, as the run calls it")
        lookback: int = Field(default=2016, ge=1, le=100_000, description="bars over which funding is averaged")
        horizon: float = Field(
            default=30.0, gt=0.0, le=365.0, description="holding time that funding has to pay in, days"
        )
        costs: float = Field(default=0.003, ge=0.0, le=0.1, description="both legs in and out, fraction of one leg")
        weight: float = Field(default=0.5, gt=0.0, le=1.0, description="notional of one leg, fraction of equity")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._bars: dict[str, Any] = {}
        self._lot = 0.0  # the coarser of the two, in base units; 0 until orders have told

    def features(self) -> Mapping[str, str]:
        lookback = self.params.lookback
        return {"rate": f"sma({lookback}, funding_rate)", "last": "funding_ts", "following": "next_funding_ts"}

    def on_bar(self, bar: Any) -> None:
        said = self.params
        self._bars[bar.symbol] = bar
        spot, perpetual = self._bars.get(said.spot), self._bars.get(said.perpetual)
        if spot is None or perpetual is None or spot.ts_event != perpetual.ts_event:
            return  # the other leg's bar of this time is still to come
        if self.working(said.spot) or self.working(said.perpetual):
            return
        long, short = self.position(said.spot).quantity, -self.position(said.perpetual).quantity
        promised = self.promised(perpetual)
        if (long or short) and promised <= 0.0:
            self.close(said.spot)
            self.close(said.perpetual)
        elif abs(long - short) > self._lot * 1.000001:
            self._level(long, short)
        elif not (long or short) and promised > said.costs:
            self._enter(said.weight * self.account.equity / max(spot.close, perpetual.close))

    def promised(self, bar: Any) -> float:
        """What the average of recent rates pays in the holding time, as a fraction of a leg; NaN if it is not known."""
        interval = bar.following - bar.last
        return float(bar.rate * self.params.horizon * DAY_US / interval) if interval > 0.0 else float("nan")

    def _enter(self, quantity: float) -> None:
        """Send both legs, the second as large as the first has become: in its lots, and what the risk gate let pass."""
        said = self.params
        if not self.sell(quantity, symbol=said.perpetual):
            return
        (short,) = self.working(said.perpetual)
        if not self.buy(short.quantity, symbol=said.spot):
            self.cancel(short.id)
            return
        (long,) = self.working(said.spot)
        self._lot = max(_lot(short), _lot(long))

    def _level(self, long: float, short: float) -> None:
        """Reduce the larger leg to the smaller."""
        if long > short:
            self.sell(long - max(short, 0.0), symbol=self.params.spot, reduce_only=True)
        else:
            self.buy(short - max(long, 0.0), symbol=self.params.perpetual, reduce_only=True)


def _lot(order: Order) -> float:
    return order.quantity / order.lots
