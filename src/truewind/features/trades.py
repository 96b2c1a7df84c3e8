"""Trades: who took how much, and how often.

Two kinds of rows. Bars with the columns `volume quote_volume trades taker_buy_volume`, as venues publish them and as
`bars_from_trades` makes them; and single trades, `ts price quantity side`, with `side` above 0 where the buyer was the
taker and below where the seller was. `ts` is in µs.
"""

from math import exp, log, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, register, scalars
from truewind.features.windows import Lag, Sum, Sums
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, lag, part
from truewind.numerics.rolling import rolling_sum, rolling_sums

US = 1e-6  # seconds in a µs
LN2 = log(2.0)


# ── bars ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@register
class TradeCount(Sum):
    """Number of trades in the last `length` bars.

    Σ trades, as the venue counts them: one a maker's order that was met (Binance: of aggregated trades, their parts).
    """

    name, family, units = "trade_count", "trades", "trades"
    inputs = ("trades",)
    length: int = parameter(1, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(rolling_sum)


@kernel(inline=True)
def ratio_of_sums(
    x: float, y: float, length: int, cursor: int, full: int, x_head: float, y_head: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """Σx / Σy over the last `length` rows, NaN where Σy is not above 0. `window` is 2 · length floats."""
    total, below, cursor, full, x_head, y_head = rolling_sums(x, y, length, cursor, full, x_head, y_head, window)
    return total / below if below > 0.0 else nan, cursor, full, x_head, y_head


@register
class MeanTradeSize(Sums):
    """Mean quantity of a trade over the last `length` bars.

    Σ volume / Σ trades; NaN where there was no trade. Large traders split their orders: a mean that falls while volume
    rises says as much about them as about small ones.
    """

    name, family, units = "mean_trade_size", "trades", "base units a trade"
    inputs = ("volume", "trades")
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(ratio_of_sums)


@register
class TradeVWAP(Sums):
    """Volume-weighted mean price of all trades in the last `length` bars, from what was paid and not from prices.

    Σ quote_volume / Σ volume: exact, where a VWAP of typical prices is an estimate. NaN where nothing was traded.
    """

    name, family, units = "trade_vwap", "trades", "price"
    inputs = ("quote_volume", "volume")
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(ratio_of_sums)


@kernel(inline=True)
def taker_ratio(
    volume: float, bought: float, length: int, cursor: int, full: int, x_head: float, y_head: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """What takers bought for one unit that takers sold."""
    return ratio_of_sums(bought, volume - bought, length, cursor, full, x_head, y_head, window)


@register
class TakerRatio(Sums):
    """What takers bought for each unit that takers sold, over the last `length` bars.

    Σ taker_buy_volume / Σ (volume − taker_buy_volume), the taker buy/sell ratio of venues' statistics; 1 is balance.
    NaN where takers sold nothing.
    """

    name, family, units = "taker_ratio", "trades", "ratio"
    inputs = ("volume", "taker_buy_volume")
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(taker_ratio)


@kernel(inline=True)
def taker_imbalance(
    volume: float, bought: float, length: int, cursor: int, full: int, x_head: float, y_head: float, window: Memory
) -> tuple[float, int, int, float, float]:
    """Signed volume as a share of volume."""
    return ratio_of_sums(bought - (volume - bought), volume, length, cursor, full, x_head, y_head, window)


@register
class TakerImbalance(Sums):
    """Signed volume as a share of all volume over the last `length` bars, from −1 (all sold) to 1 (all bought).

    Σ (2 taker_buy_volume − volume) / Σ volume; NaN where nothing was traded. Unlike the taker ratio it weighs both
    sides alike and has bounds.
    """

    name, family, units = "taker_imbalance", "trades", "fraction"
    inputs = ("volume", "taker_buy_volume")
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(taker_imbalance)


@kernel(inline=True)
def signed_volume(
    volume: float, bought: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """Bought less sold over the last `length` rows."""
    return rolling_sum(bought - (volume - bought), length, cursor, full, head, window)


@register
class SignedVolume(Sum):
    """What takers bought less what takers sold, in the last `length` bars.

    Σ (2 taker_buy_volume − volume); of one bar its delta.
    """

    name, family, units = "signed_volume", "trades", "base units"
    inputs = ("volume", "taker_buy_volume")
    length: int = parameter(1, 1, MAX_LENGTH)
    finite = True
    step = staticmethod(signed_volume)


@kernel(inline=True)
def cumulative_delta(volume: float, bought: float, total: float) -> tuple[float, float]:
    """Bought less sold since the first row."""
    total += bought - (volume - bought)
    return total, total


@register
class CumulativeDelta(Feature):
    """What takers bought less what takers sold, since the first bar.

    Σ (2 taker_buy_volume − volume) from the first row on: its level depends on where the rows begin, its changes do
    not. Warm a stream up from where the training rows began, or use `signed_volume`.
    """

    name, family, units = "cumulative_delta", "trades", "base units"
    inputs = ("volume", "taker_buy_volume")
    state = scalars(total=0.0)
    step = staticmethod(cumulative_delta)
    settles = None


@kernel(inline=True)
def trade_intensity(
    ts: float, trades: float, length: int, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, int, int, float]:
    """Trades of the last `length` rows by the time since the row before them. `window` is 2 · length floats."""
    before, _, _ = lag(ts, length, cursor, full, part(window, length))
    total, cursor, full, head = rolling_sum(trades, length, cursor, full, head, window)
    elapsed = (ts - before) * US
    return total / elapsed if elapsed > 0.0 else nan, cursor, full, head


@register
class TradeIntensity(Sum):
    """Trades a second over the last `length` bars.

    Σ trades / (ts_t − ts_{t−length}): of evenly spaced bars trades by their time; after a gap in which no bar was made
    the silence counts. Bars of one's own making may be as long as they like. NaN where no time has passed.
    """

    name, family, units = "trade_intensity", "trades", "trades a second"
    inputs = ("ts", "trades")
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(trade_intensity)
    warmup = derived(lambda self: self.length)
    floats = 2


# ── single trades ────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel(inline=True)
def trade_flow(
    quantity: float, side: float, length: int, cursor: int, full: int, x_head: float, y_head: float, window: Memory
) -> tuple[float, float, int, int, float, float]:
    """(signed quantity, its share of all) of the last `length` trades. `window` is 2 · length floats."""
    signed = quantity * ((side > 0.0) - (side < 0.0))
    net, total, cursor, full, x_head, y_head = rolling_sums(
        signed, quantity, length, cursor, full, x_head, y_head, window
    )
    return net, net / total if total > 0.0 else nan, cursor, full, x_head, y_head


@register
class TradeFlow(Sums):
    """Signed quantity of the last `length` trades, and as a share of all that was traded.

    net = Σ side · quantity, imbalance = net / Σ quantity, from −1 to 1. NaN where nothing was traded.
    """

    name, family, units = "trade_flow", "trades", "base units; fraction"
    inputs = ("quantity", "side")
    outputs = ("net", "imbalance")
    length: int = parameter(100, 1, MAX_LENGTH)
    step = staticmethod(trade_flow)


@kernel(inline=True)
def run_length(side: float, run: float) -> tuple[float, float]:
    """Trades in a row on one side, signed by it."""
    sign = 1.0 * ((side > 0.0) - (side < 0.0))
    longer = run + sign if run * sign > 0.0 else sign
    return longer if side != 0.0 else nan, longer if side != 0.0 else run


@register
class RunLength(Feature):
    """How many trades in a row had their taker on the same side, this one included: 3 for three buys, −2 for two sells.

    Runs are long because orders are split and because they follow each other (Biais, Hillion, Spatt, An empirical
    analysis of the limit order book, Journal of Finance 50, 1995). NaN where a trade has no side; the run goes on.
    """

    name, family, units = "run_length", "trades", "trades"
    inputs = ("side",)
    state = scalars(run=0.0)
    finite = True
    step = staticmethod(run_length)
    settles = None


@kernel(inline=True)
def tick_rule(price: float, previous: float, sign: float) -> tuple[float, float, float]:
    """The side of a trade as its price tells it."""
    moved = 1.0 * ((price > previous) - (price < previous))
    sign = moved if moved != 0.0 else sign
    return sign, price, sign


@register
class TickRule(Feature):
    """Side of a trade as prices tell it, where the venue does not: 1 after a rise, −1 after a fall, else as before.

    The tick test (Lee and Ready, Inferring trade direction from intraday data, Journal of Finance 46, 1991; b_t of
    López de Prado, 2018, ch. 2). NaN until the price has changed.
    """

    name, family, units = "tick_rule", "trades", "sign"
    inputs = ("price",)
    state = scalars(previous=nan, sign=nan)
    finite = True
    awaits = "a change of price"
    step = staticmethod(tick_rule)
    warmup = derived(lambda self: 1)
    settles = None


@kernel(inline=True)
def trade_interval(ts: float, previous: float) -> tuple[float, float]:
    """Seconds since the last row."""
    elapsed = (ts - previous) * US
    return elapsed if elapsed >= 0.0 else nan, ts


@register
class TradeInterval(Feature):
    """Time since the trade before.

    ts_t − ts_{t−1}; 0 for trades of one moment, as the parts of one order are. NaN where time goes back.
    """

    name, family, units = "trade_interval", "trades", "seconds"
    inputs = ("ts",)
    state = scalars(previous=nan)
    finite = True
    step = staticmethod(trade_interval)
    warmup = derived(lambda self: 1)


@kernel(inline=True)
def trade_rate(ts: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Rows a second over the last `length`."""
    before, cursor, full = lag(ts, length, cursor, full, window)
    elapsed = (ts - before) * US
    return length / elapsed if elapsed > 0.0 else nan, cursor, full


@register
class TradeRate(Lag):
    """Trades a second over the last `length` trades: intensity in trade time.

    length / (ts_t − ts_{t−length}). NaN where all of them have one stamp.
    """

    name, family, units = "trade_rate", "trades", "trades a second"
    inputs = ("ts",)
    length: int = parameter(100, 1, MAX_LENGTH)
    step = staticmethod(trade_rate)


@kernel(inline=True)
def decayed_rate(ts: float, half_life: float, previous: float, value: float) -> tuple[float, float, float]:
    """Rows a second, each counting half as much after every half-life."""
    speed = LN2 / half_life
    elapsed = (ts - previous) * US
    value = value * exp(-speed * elapsed) + 1.0 if elapsed > 0.0 else value + 1.0
    return value * speed, ts, value


@register
class DecayedRate(Feature):
    """Trades a second, each counting half as much after every `half_life` seconds.

    (ln 2 / h) Σ_i 2^{−(t − t_i)/h} over all trades so far: the intensity that one exponential kernel of a Hawkes
    process adds (Hawkes, Spectra of some self-exciting and mutually exciting point processes, Biometrika 58, 1971), as
    a rate. It jumps by ln 2 / h with each trade. What came 30 half-lives ago has a weight below 1e-9.
    """

    name, family, units = "decayed_rate", "trades", "trades a second"
    inputs = ("ts",)
    half_life: float = parameter(10.0, 1e-3, 1e6)
    state = scalars(previous=nan, value=0.0)
    step = staticmethod(decayed_rate)
    settles = None
