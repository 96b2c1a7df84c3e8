"""Account: the money, what moving it costs, and what limits it; as records for kernels."""

import msgspec
import numpy as np

# Integers are ledger units of the account's currency.
# cash: wallet balance (deposits + realised − fees + funding + carry). carry: dividends, borrow fees and swaps. peak:
# highest equity so far. next_order: the next order id. orders, fills, events, verdicts: rows in use of the tables.
# overflow: some amount did not fit 64 bits. settled: bars before this row are in `equity`. horizon: how many bars to
# look ahead for something to do. clock: the time, where the last row does not tell it, else 0.
# halted: equity after some bar was less than `keep` × peak: no order that opens is
# let through any more. marked: the run has mark prices of its own. terms_at: when some symbol's tiers or fees change
# next. booked: fills and payments so far. bounded: how many of them there were when the safe marks were reckoned; -1:
# reckon them anew. owner: the strategy that is speaking. allocation: what of the account's equity it may use (0 … 1).
# next_rate: row of the table of rates that comes next, and rates_at when. collateral: what other currencies of the
# account count for. start: equity before the first row. timer: when the last timer was due: what is decided on it is
# decided no sooner. unrecorded: nobody reads order events and verdicts, so none are written (a sweep's trials).
ACCOUNT = np.dtype(
    [
        ("cash", np.int64),
        ("initial", np.int64),
        ("realised", np.int64),
        ("fees", np.int64),
        ("funding", np.int64),
        ("slippage", np.int64),
        ("next_order", np.int64),
        ("orders", np.int64),
        ("fills", np.int64),
        ("events", np.int64),
        ("halted", np.int64),
        ("overflow", np.int64),
        ("settled", np.int64),
        ("horizon", np.int64),
        ("clock", np.int64),
        ("equity", np.float64),
        ("peak", np.float64),
        ("keep", np.float64),
        ("marked", np.int64),
        ("terms_at", np.int64),
        ("booked", np.int64),
        ("bounded", np.int64),
        ("owner", np.int64),
        ("allocation", np.float64),
        ("next_rate", np.int64),
        ("rates_at", np.int64),
        ("collateral", np.int64),
        ("start", np.int64),
        ("carry", np.int64),
        ("verdicts", np.int64),
        ("timer", np.int64),
        ("unrecorded", np.int64),
    ],
    align=True,
)


# Rates are integers of 1e-8. touch: a resting limit order fills when the
# price touches it (1), or only when it trades through (0). impact: the Y of the square-root law.
# worst: market orders get the worst price of their bar (1), or its open (0). volume_share: of a bar's volume, what all
# orders together may take; infinite if it is not looked at. fill_probability: that a limit order fills whose price is
# touched and no more; drawn by `seed`, order and row. impact_law: 0 square root, 1 square of the share of volume.
COSTS = np.dtype(
    [
        ("maker", np.int64),
        ("taker", np.int64),
        ("half_spread", np.int64),
        ("touch", np.int64),
        ("impact", np.float64),
        ("worst", np.int64),
        ("leverage", np.float64),
        ("volume_share", np.float64),
        ("fill_probability", np.float64),
        ("seed", np.int64),
        ("impact_law", np.int64),
    ],
    align=True,
)

# How large a position is. method: index in the sizing settings' list. scale: ledger units in one unit of the currency.
# cap: most that Kelly's method risks. root_year: root of the bars in a year, by which volatility is annualised.
SIZING = np.dtype(
    [
        ("method", np.int64),
        ("value", np.float64),
        ("scale", np.float64),
        ("cap", np.float64),
        ("root_year", np.float64),
    ],
    align=True,
)


class Account(msgspec.Struct, frozen=True):
    """The account at one moment, in its currency (floats, nearest)."""

    currency: str
    cash: float
    equity: float
    realised: float
    fees: float
    funding: float
    carry: float
