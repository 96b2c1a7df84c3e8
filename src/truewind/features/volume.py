"""Volume: how much is traded, at which prices, and on which side the bar closed.

`volume` is in units of the base asset, `ts` the bar's opening in microseconds since 1970 UTC. Money is volume times the
typical price (high + low + close) / 3, since a bar does not tell at which prices inside it how much was traded.
"""

from math import nan

from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.momentum import roc
from truewind.features.windows import Changes, Lag, Sums
from truewind.numerics.civil import FARTHEST, NO_SESSION, next_opening, next_session
from truewind.numerics.fma import fma
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory
from truewind.numerics.rolling import rolling_sums
from truewind.numerics.slots import slot_memory, usual_at

ROUNDING = 1e-14  # of a price: what the mean of three may differ by without a move


@kernel(inline=True)
def obv(close: float, volume: float, previous: float, total: float) -> tuple[float, float, float]:
    """Volume signed by the direction of the close, added up; the first row's counts as bought."""
    signed = -volume if close < previous else volume
    total += 0.0 if close == previous else signed
    return total, close, total


@register
class OBV(Feature):
    """On-balance volume: the volume of rising rows less that of falling ones, since the start.

    OBV_t = OBV_{t−1} ± volume_t as the close rises or falls, unchanged where it does not; the first value is the first
    volume (Granville, New Key to Stock Market Profits, 1963; as TA-Lib). The level depends on where the data begin;
    only its changes mean something.
    """

    name, family, units = "obv", "volume", "of the volume"
    inputs = ("close", "volume")
    scale, shift, finite = 0, 0, True
    state = scalars(previous=nan, total=0.0)
    step = staticmethod(obv)
    settles = None


@register
class VolumeROC(Lag):
    """Rate of change of the volume: percent above the volume `length` rows ago.

    100 · (volume_t / volume_{t−length} − 1); NaN where nothing was traded then.
    """

    name, family, units = "volume_roc", "volume", "percent"
    inputs = ("volume",)
    scale = 0
    length: int = parameter(10, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(roc)


@kernel(inline=True)
def mfi(
    high: float,
    low: float,
    close: float,
    volume: float,
    length: int,
    previous: float,
    cursor: int,
    full: int,
    bought: float,
    sold: float,
    window: Memory,
) -> tuple[float, float, int, int, float, float]:
    """Money of rising rows over that of all that moved; `previous` is the last typical price."""
    typical = (high + low + close) / 3.0
    if previous != previous:  # the first row has nothing before it
        return nan, typical, cursor, full, bought, sold
    money, noise = typical * volume, ROUNDING * abs(typical)
    gain = money if typical - previous > noise else 0.0
    loss = money if previous - typical > noise else 0.0
    gains, losses, cursor, full, bought, sold = rolling_sums(gain, loss, length, cursor, full, bought, sold, window)
    moved = gains + losses
    return 100.0 * gains / moved if moved > LEAST else nan, typical, cursor, full, bought, sold


@register
class MFI(Changes):
    """Money flow index: the share of rising rows in the money of the last `length` rows that moved, 0 to 100.

    MFI = 100 · M⁺ / (M⁺ + M⁻), the sums of typical price · volume over rows whose typical price rose or fell (Quong and
    Soudack, Volume-Weighted RSI: Money Flow, 1989; as TA-Lib). The mean of three decimals that did not move differs in
    its last digits: a change below 1e-14 of the price is none. NaN where no money moved, where TA-Lib writes 0.
    """

    name, family, units = "mfi", "volume", "0 to 100"
    inputs = ("high", "low", "close", "volume")
    scale = 0
    length: int = parameter(14, 2, MAX_LENGTH)
    state = scalars(previous=nan, cursor=0, full=0, bought=0.0, sold=0.0)
    step = staticmethod(mfi)
    floats = 2


@kernel(inline=True)
def vwap(
    ts: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    start: int,
    session: int,
    whole: int,
    money: float,
    traded: float,
) -> tuple[float, int, int, float, float]:
    """Money over volume since the session began."""
    if not abs(ts) < FARTHEST:
        return nan, session, whole, money, traded
    begins, session, whole = next_session(int(ts), start, session, whole)
    if begins:
        money = traded = 0.0
    money += (high + low + close) / 3.0 * volume
    traded += volume
    return money / traded if whole and traded > LEAST else nan, session, whole, money, traded


@register
class VWAP(Feature):
    """Volume-weighted average price of the session so far, the present bar included.

    Σ typical price · volume / Σ volume since the session's first bar. A session is a day of 24 hours that begins
    `start` minutes after midnight UTC. NaN until a session has been seen from its beginning (a first bar that opens
    with it, or bars of the session before), and while nothing has been traded in it.
    """

    name, family, units = "vwap", "volume", "of the price"
    inputs = ("ts", "high", "low", "close", "volume")
    scale, shift = 1, 1
    awaits = "the beginning of a session"
    start: int = parameter(0, 0, 1439)
    state = scalars(session=NO_SESSION, whole=0, money=0.0, traded=0.0)
    step = staticmethod(vwap)
    settles = None


@kernel(inline=True)
def exchange_vwap(
    ts: float,
    session_open: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    session: float,
    whole: int,
    money: float,
    traded: float,
) -> tuple[float, float, int, float, float]:
    """Money over volume since the exchange opened."""
    begins, session, whole = next_opening(ts, session_open, session, whole)
    if ts < session_open:
        return nan, session, whole, money, traded
    if begins:
        money = traded = 0.0
    money += (high + low + close) / 3.0 * volume
    traded += volume
    return money / traded if whole and traded > LEAST else nan, session, whole, money, traded


@register
class ExchangeVWAP(Feature):
    """Volume-weighted average price of an exchange's session so far, the present bar included.

    As `vwap`, for sessions with hours and holidays: they begin at `session_open`, which
    `truewind.features.with_sessions` joins to the bars. Bars outside of sessions count for nothing and have no
    value.
    """

    name, family, units = "exchange_vwap", "volume", "of the price"
    inputs = ("ts", "session_open", "high", "low", "close", "volume")
    scale, shift = 1, 1
    awaits = "the beginning of a session"
    state = scalars(session=nan, whole=0, money=0.0, traded=0.0)
    step = staticmethod(exchange_vwap)


@kernel(inline=True)
def rolling_vwap(
    high: float,
    low: float,
    close: float,
    volume: float,
    length: int,
    cursor: int,
    full: int,
    money: float,
    traded: float,
    window: Memory,
) -> tuple[float, int, int, float, float]:
    """Money over volume in the window."""
    paid = (high + low + close) / 3.0 * volume
    amount, total, cursor, full, money, traded = rolling_sums(paid, volume, length, cursor, full, money, traded, window)
    return amount / total if total > LEAST else nan, cursor, full, money, traded


@register
class RollingVWAP(Sums):
    """Volume-weighted average price of the last `length` bars.

    Σ typical price · volume / Σ volume; NaN where nothing was traded in any of them.
    """

    name, family, units = "rolling_vwap", "volume", "of the price"
    inputs = ("high", "low", "close", "volume")
    scale, shift = 1, 1
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, money=0.0, traded=0.0)
    step = staticmethod(rolling_vwap)


@kernel(inline=True)
def anchored_vwap(
    ts: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    since: int,
    seen: int,
    money: float,
    traded: float,
) -> tuple[float, int, float, float]:
    """Money over volume since the anchor; seen: 1 when a bar at or before it has been."""
    anchor = since * 1e6
    if ts <= anchor:
        seen = 1
    if ts >= anchor and seen:
        money += (high + low + close) / 3.0 * volume
        traded += volume
        if traded > LEAST:
            return money / traded, seen, money, traded
    return nan, seen, money, traded


@register
class AnchoredVWAP(Feature):
    """Volume-weighted average price since an event: all bars that opened at `since` (seconds since 1970 UTC) or later.

    Σ typical price · volume / Σ volume, the line at which the average buyer since the event breaks even (Shannon,
    Maximum Trading Gains with Anchored VWAP, 2023). NaN before the anchor, while nothing has been traded, and for
    ever where the data begin after the anchor, since what was traded before them is not known.
    """

    name, family, units = "anchored_vwap", "volume", "of the price"
    inputs = ("ts", "high", "low", "close", "volume")
    scale, shift = 1, 1
    awaits = "the anchor"
    since: int = parameter(1_704_067_200, 0, 7_258_118_400)
    state = scalars(seen=0, money=0.0, traded=0.0)
    step = staticmethod(anchored_vwap)
    settles = None


@kernel(inline=True)
def money_flow(high: float, low: float, close: float, volume: float) -> float:
    """Volume by where in its range the bar closed: all of it at the high, its negative at the low."""
    size = high - low
    divisor = size if size > LEAST else 1.0  # no branch, and no division by nothing where kernels run as Python
    flow = ((close - low) - (high - close)) / divisor * volume
    return flow if size > LEAST else 0.0


@kernel(inline=True)
def ad(high: float, low: float, close: float, volume: float, total: float) -> tuple[float, float]:
    """Money flow added up."""
    total += money_flow(high, low, close, volume)
    return total, total


@register
class AD(Feature):
    """Accumulation/distribution line: volume counted by where in its range each bar closed, since the start.

    AD_t = AD_{t−1} + ((close − low) − (high − close)) / (high − low) · volume; a bar without range adds nothing
    (Chaikin; as TA-Lib). The level depends on where the data begin; only its changes mean something.
    """

    name, family, units = "ad", "volume", "of the volume"
    inputs = ("high", "low", "close", "volume")
    scale, finite = 0, True
    state = scalars(total=0.0)
    step = staticmethod(ad)
    settles = None


@kernel(inline=True)
def chaikin(
    high: float,
    low: float,
    close: float,
    volume: float,
    fast: int,
    slow: int,
    count: int,
    full: int,
    total: float,
    quick: float,
    calm: float,
) -> tuple[float, int, int, float, float, float]:
    """Difference of two exponential means of the line, both of which begin at its first value."""
    total += money_flow(high, low, close, volume)
    if not full:
        if count == 0:
            quick = calm = total
        count += 1
        full = 1 if count >= fast and count >= slow else 0
    weight = 2.0 / (fast + 1.0)
    quick = fma(1.0 - weight, quick, weight * total)
    weight = 2.0 / (slow + 1.0)
    calm = fma(1.0 - weight, calm, weight * total)
    return quick - calm if full else nan, count, full, total, quick, calm


@register
class Chaikin(Feature):
    """Chaikin oscillator: how far the accumulation/distribution line runs ahead of itself.

    EMA(AD, fast) − EMA(AD, slow), both begun at the first value of the line, not at a mean (as TA-Lib's ADOSC). A
    fresh start differs from a long history by less than 1e-9 of the line after about 10.4 · slow rows.
    """

    name, family, units = "chaikin", "volume", "of the volume"
    inputs = ("high", "low", "close", "volume")
    scale, finite = 0, True
    fast: int = parameter(3, 2, MAX_LENGTH)
    slow: int = parameter(10, 2, MAX_LENGTH)
    state = scalars(count=0, full=0, total=0.0, quick=0.0, calm=0.0)
    steady = reaches(full=1)
    step = staticmethod(chaikin)
    warmup = derived(lambda self: max(self.fast, self.slow) - 1)
    settles = derived(lambda self: self.warmup + fades(2.0 / (self.slow + 1.0)) + fades(2.0 / (self.fast + 1.0)))


@kernel(inline=True)
def chaikin_flow(
    high: float,
    low: float,
    close: float,
    volume: float,
    length: int,
    cursor: int,
    full: int,
    flow: float,
    traded: float,
    window: Memory,
) -> tuple[float, int, int, float, float]:
    """Money flow over volume in the window."""
    signed = money_flow(high, low, close, volume)
    flows, total, cursor, full, flow, traded = rolling_sums(signed, volume, length, cursor, full, flow, traded, window)
    return flows / total if total > LEAST else nan, cursor, full, flow, traded


@register
class ChaikinFlow(Sums):
    """Chaikin money flow: the share of the volume of `length` bars that closed high, less that which closed low.

    Σ ((close − low) − (high − close)) / (high − low) · volume / Σ volume, −1 to 1; NaN where nothing was traded.
    """

    name, family, units = "chaikin_flow", "volume", "-1 to 1"
    inputs = ("high", "low", "close", "volume")
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    state = scalars(cursor=0, full=0, flow=0.0, traded=0.0)
    step = staticmethod(chaikin_flow)


@kernel(inline=True)
def relative_volume(ts: float, volume: float, days: int, minutes: int, window: Memory) -> float:
    """Volume over what is usual at this time of day."""
    if not abs(ts) < FARTHEST:
        return nan
    usual = usual_at(int(ts), volume, days, minutes, window)
    return volume / usual if usual > LEAST else nan


@register
class RelativeVolume(Feature):
    """Volume of the bar over what is usual at this time of day.

    volume_t / mean of the last `days` bars in the same slot of the UTC day, the present one not among them. `minutes`
    is the length of the bars and so of the slots; where several bars share a slot, each counts as one of the `days`.
    NaN until the slot has `days` bars, and where none of them traded.
    """

    name, family, units = "relative_volume", "volume", "ratio"
    inputs = ("ts", "volume")
    scale, shift = 0, 0
    awaits = "as many bars at the same time of day"
    days: int = parameter(20, 1, 250)
    minutes: int = parameter(60, 1, 1440)
    step = staticmethod(relative_volume)
    warmup = derived(lambda self: self.days)
    settles = None
    memory = derived(lambda self: slot_memory(self.days, self.minutes))
