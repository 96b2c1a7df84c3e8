"""Margin: when a position is safe, at which price it is not, and at which nothing is left.

Cross margin: all cross positions of one settlement currency share the wallet. Isolated: each has a wallet of its own.
One-way mode: one leg a symbol; hedge mode: two, long and short, each with a tier of its own. The formulas are
Binance's: "How to Calculate Liquidation Price of USDⓈ-M Futures Contracts" (FAQ b3c689c1f50a44cabb3a84e663b81d93) and
"… of COIN-M Futures Contracts" (ceccfcfb4e3a45e3b48b0b1bb1a8ae46), with all their terms: several contracts, both
sides, tiers re-read at the price found.

Linear and inverse contracts are one case here. A position's profit is exposure · u − cost, where for a linear
contract u is the price and the exposure its size, and for an inverse one u is 1 / price and the exposure *minus* its
size: long a coin-margined contract is short dollars priced in coins. Its notional is |exposure| · u in both.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.domain.instrument import Instrument, currency_precision
from truewind.domain.position import CROSS
from truewind.domain.terms import FEE, MARGIN, TIER, TierTable
from truewind.errors import ConfigError
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.tiers import flat_tier, initial_margin, maintenance_margin, tier_of, tier_rows, tiers_in_force
from truewind.portfolio.worth import coordinate, exposure

_ANY_LEVERAGE = 1_000_000
_NO_FEES = (0, 0, 0, 0, 0)
_NEVER = np.iinfo(np.int64).max

# One leg: a symbol's position, or one side of it in hedge mode. lots signed; cost: exposure · u when it was opened, in
# ledger units (for a linear contract what was paid, signed like lots). wallet: isolated margin in ledger units without
# unrealised profit, or CROSS. mark: mark price, NaN before the first. A POSITION with these fields serves as well.
LEG = np.dtype(
    [
        ("symbol", np.int64),
        ("lots", np.int64),
        ("cost", np.int64),
        ("wallet", np.int64),
        ("mark", np.float64),
    ],
    align=True,
)


class Margin(NamedTuple):
    """What a run's positions go by: MARGIN, one record an instrument, the TIER and FEE rows they point into, the mode.

    fees: none if all pay the rates of the run's COSTS.
    """

    margins: np.ndarray
    tiers: np.ndarray
    hedge: bool
    fees: np.ndarray = np.zeros(0, FEE)


class MarginSettings(Settings):
    """Margin of perpetuals and futures. Defaults: Binance's for a new account, at a flat maintenance rate."""

    mode: Literal["cross", "isolated"] = Field(
        default="cross",
        description="cross shares the wallet, isolated gives each position a wallet of its own initial margin",
    )
    position_mode: Literal["one_way", "hedge"] = Field(
        default="one_way", description="hedge holds long and short of one symbol side by side"
    )
    tiers: Literal["auto", "venue", "flat"] = Field(
        default="auto",
        description="venue: its dated tables; flat: maintenance_rate at any size; auto: the first where they are known",
    )
    maintenance_rate: float = Field(
        default=0.005, ge=0.0, lt=1.0, description="maintenance margin, as a fraction of notional"
    )
    liquidation_fee: float = Field(
        default=0.0125,
        ge=0.0,
        le=0.1,
        description="as a fraction of the liquidated notional, where the instrument has none of its own",
    )
    partial: bool = Field(default=True, description="liquidate tier by tier, not at once")

    def terms(
        self, instruments: Sequence[Instrument], tables: Mapping[str, Sequence[TierTable]], leverage: float
    ) -> "Margin":
        """These settings for the instruments of a run.

        tables: the venue's tiers by instrument id, not used with tiers: flat. Raises ConfigError for an instrument that
        can be short and has none, or a table that is out of order.
        """
        margins = np.zeros(len(instruments), MARGIN)
        parts: list[np.ndarray] = []
        rows = 0
        for i, instrument in enumerate(instruments):
            if self.tiers != "flat" and instrument.can_short and instrument.id in tables:
                part = tier_rows(tables[instrument.id], 10 ** currency_precision(instrument.currency), instrument.id)
            elif self.tiers != "venue" or not instrument.can_short:
                part = flat_tier(self.maintenance_rate, _ANY_LEVERAGE)
            else:
                raise ConfigError(
                    f"No margin tiers of {instrument.id}", remedy="Set margin.tiers to flat, with a maintenance_rate"
                )
            fee = round((float(instrument.filters.liquidation_fee) or self.liquidation_fee) * RATE_SCALE)
            alone = self.mode == "isolated" and instrument.can_short
            margins[i] = (rows, rows + len(part), rows, rows + len(part), leverage, alone, fee, self.partial, *_NO_FEES)
            parts.append(part)
            rows += len(part)
        found = Margin(margins, np.concatenate([*parts, np.zeros(0, TIER)]), self.position_mode == "hedge")
        refresh_terms(found.margins, found.tiers, found.fees, 0)
        return found

    def assumptions(self) -> list[str]:
        """What these settings take for granted, in words, for the report."""
        amount = "the position down to its next lower tier, or all of it" if self.partial else "the whole position"
        flat = f"a flat {self.maintenance_rate:.2%} of notional"
        by = flat if self.tiers == "flat" else "the venue's tiers of the day, which hold for open positions too"
        by += f", or {flat} where none are known" if self.tiers == "auto" else ""
        return [
            f"Margin is {self.mode}, positions are {self.position_mode.replace('_', '-')}; maintenance margin is {by}.",
            "Liquidation begins when maintenance margin reaches the margin balance at mark prices, takes "
            f"{amount}, and costs the instrument's liquidation fee, or {self.liquidation_fee:.2%} of what is taken.",
            "An account never ends below zero: the insurance fund, which is taken to be unlimited, pays the rest. "
            "Nobody is auto-deleveraged.",
        ]


@kernel
def refresh_terms(margins: Any, tiers: Any, fees: Any, ts: int) -> int:
    """Give every symbol its tiers and fees in force at `ts`; returns when they change next, the largest int64 if never.

    Before the date of its first table that one holds.
    """
    following = _NEVER
    for i in range(len(margins)):
        terms = margins[i]
        first, last = tiers_in_force(tiers, terms["first_row"], terms["last_row"], ts)
        terms["first_tier"], terms["last_tier"] = first, last
        if last < terms["last_row"]:
            following = min(following, int(tiers[last]["since"]))
        row = terms["first_fee"]
        if row < terms["last_fee"]:
            while row + 1 < terms["last_fee"] and fees[row + 1]["since"] <= ts:
                row += 1
            terms["maker"], terms["taker"] = fees[row]["maker"], fees[row]["taker"]
            if row + 1 < terms["last_fee"]:
                following = min(following, int(fees[row + 1]["since"]))
    return int(following)


@kernel(inline=True)
def unrealised(leg: Any, instrument: Any, price: float) -> float:
    """Profit in ledger units if the leg were closed at `price`, without fees."""
    if leg["lots"] == 0:
        return 0.0
    return float(exposure(leg["lots"], instrument) * coordinate(price, instrument) - leg["cost"])


@kernel(inline=True)
def notional_at(leg: Any, instrument: Any, price: float) -> float:
    """Worth of the leg in ledger units of the settlement currency."""
    if leg["lots"] == 0:
        return 0.0
    return abs(exposure(leg["lots"], instrument)) * coordinate(price, instrument)


@kernel(inline=True)
def leg_maintenance(leg: Any, instruments: Any, margins: Any, tiers: Any) -> float:
    """Maintenance margin of one leg at its mark; what is owned outright (spot) needs none."""
    symbol = leg["symbol"]
    if leg["lots"] == 0 or not instruments[symbol]["can_short"]:
        return 0.0
    terms = margins[symbol]
    worth = notional_at(leg, instruments[symbol], leg["mark"])
    return maintenance_margin(tiers, terms["first_tier"], terms["last_tier"], worth)


@kernel(inline=True)
def cross_wallet(cash: int, legs: Any) -> int:
    """What of the account's `cash` is not in an isolated wallet."""
    rest = int(cash)
    for leg in legs:
        if leg["wallet"] > 0:
            rest -= leg["wallet"]
    return rest


@kernel(inline=True)
def cross_equity(wallet: float, legs: Any, instruments: Any) -> float:
    """Margin balance of the cross wallet: what is in it plus the unrealised profit of all cross legs at their marks.

    `wallet` is without the isolated wallets.
    """
    equity = float(wallet)
    for leg in legs:
        if leg["wallet"] == CROSS and leg["lots"] != 0:
            equity += unrealised(leg, instruments[leg["symbol"]], leg["mark"])
    return equity


@kernel(inline=True)
def cross_maintenance(legs: Any, instruments: Any, margins: Any, tiers: Any) -> float:
    """Maintenance margin of all cross legs at their marks."""
    required = 0.0
    for leg in legs:
        if leg["wallet"] == CROSS:
            required += leg_maintenance(leg, instruments, margins, tiers)
    return required


@kernel
def margin_ratio(maintenance: float, equity: float) -> float:
    """Maintenance ÷ margin balance; liquidation begins at 1 (Binance FAQ 360033525271). Infinite without balance."""
    if maintenance <= 0.0:
        return 0.0
    return maintenance / equity if equity > 0.0 else np.inf


@kernel
def _balance(
    u: float, free: float, first: float, second: float, terms: Any, tiers: Any, from_above: bool
) -> tuple[float, float]:
    """Intercept and slope of equity − maintenance on the stretch of tiers that holds at coordinate `u`.

    free: equity − maintenance of everything else, minus the cost of the two legs of exposures `first` and `second`.
    from_above: at u = ∞.
    """
    intercept, slope = free, first + second
    for side in range(2):
        size = abs(first if side == 0 else second)
        if size > 0.0:
            row = terms["last_tier"] - 1
            if not from_above:
                row = tier_of(tiers, terms["first_tier"], terms["last_tier"], size * u)
            slope -= size * (tiers[row]["rate"] / RATE_SCALE)
            intercept += tiers[row]["cum"]
    return intercept, slope


@kernel
def _roots(free: float, first: float, second: float, terms: Any, tiers: Any) -> tuple[float, float]:
    """The coordinates between which equity exceeds maintenance; NaN where there is no bound (or no safe point at all).

    Rates rise with size, so equity − maintenance is concave and piecewise linear: Newton's method from outside meets
    each root from its own side and ends on the exact stretch of tiers, at most one step a tier.
    """
    steps = 2 * (terms["last_tier"] - terms["first_tier"]) + 4
    low = np.nan
    if free < 0.0:
        u = 0.0
        for _ in range(steps):
            intercept, slope = _balance(u, free, first, second, terms, tiers, False)
            if slope <= 0.0:
                return np.nan, np.nan
            low = -intercept / slope
            if low <= u:
                break
            u = low
    high = np.nan
    intercept, slope = _balance(0.0, free, first, second, terms, tiers, True)
    if slope < 0.0:
        u = np.inf
        for _ in range(steps):
            high = max(0.0, -intercept / slope)
            if high >= u:
                break
            u = high
            intercept, slope = _balance(u, free, first, second, terms, tiers, False)
    return low, high


@kernel
def _as_prices(low: float, high: float, instrument: Any) -> tuple[float, float]:
    """Coordinates as prices: of an inverse contract they change places."""
    if instrument["inverse"]:
        return 1.0 / high, (1.0 / low if low > 0.0 else np.nan)
    return low, high


@kernel
def liquidation_prices(
    wallet: float, symbol: int, legs: Any, instruments: Any, margins: Any, tiers: Any
) -> tuple[float, float]:
    """The prices of `symbol` at which the cross account's margin ratio is 1, all other marks standing still.

    (below which, above which) it is liquidated; NaN where no price does it. A long has the first, a short the second,
    a hedged symbol may have both; both of its legs share them. Both NaN also if no price of this symbol could save the
    account: then it is in liquidation already.
    """
    instrument, terms = instruments[symbol], margins[symbol]
    free = float(wallet)
    first = second = 0.0
    for leg in legs:
        if leg["wallet"] != CROSS or leg["lots"] == 0:
            continue
        if leg["symbol"] == symbol:
            free -= leg["cost"]
            if first == 0.0:
                first = exposure(leg["lots"], instrument)
            else:
                second = exposure(leg["lots"], instrument)
        else:
            free += unrealised(leg, instruments[leg["symbol"]], leg["mark"])
            free -= leg_maintenance(leg, instruments, margins, tiers)
    if (first == 0.0 and second == 0.0) or not instrument["can_short"]:
        return np.nan, np.nan
    low, high = _roots(free, first, second, terms, tiers)
    return _as_prices(low, high, instrument)


@kernel
def isolated_liquidation_price(leg: Any, instruments: Any, margins: Any, tiers: Any) -> float:
    """The price at which an isolated leg's own wallet no longer carries it; NaN if no price does that."""
    symbol = leg["symbol"]
    instrument = instruments[symbol]
    if leg["lots"] == 0:
        return np.nan
    held = exposure(leg["lots"], instrument)
    low, high = _roots(float(leg["wallet"] - leg["cost"]), held, 0.0, margins[symbol], tiers)
    below, above = _as_prices(low, high, instrument)
    return below if leg["lots"] > 0 else above


@kernel
def bankruptcy_price(wallet: float, leg: Any, instrument: Any, fee: float) -> float:
    """The price at which closing the leg, paying `fee` (a fraction of the notional), leaves exactly nothing.

    wallet: all that stands behind the leg without its own profit: the isolated wallet, or the cross wallet plus the
    other legs' unrealised profit. NaN if no price exhausts it. Bybit publishes the same formula, with the taker fee
    ("What is Bankruptcy Price? (Inverse Contract)"); Binance's liquidation order is a limit order at this price.
    """
    if leg["lots"] == 0:
        return np.nan
    held = exposure(leg["lots"], instrument)
    u = (leg["cost"] - wallet) / (held - abs(held) * fee)
    if not u > 0.0:
        return np.nan
    return float(1.0 / u if instrument["inverse"] else u)


@kernel
def open_cost(notional: float, leverage: float, open_loss: float) -> float:
    """What an order takes out of the available balance: its initial margin and, if it is born losing, that loss too.

    open_loss = max(0, direction × (order price − mark price)) × size, in ledger units (Binance FAQ
    87fa7ee33b574f7084d42bd2ce2e463b).
    """
    return initial_margin(notional, leverage) + max(0.0, open_loss)
