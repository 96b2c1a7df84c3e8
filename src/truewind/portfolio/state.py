"""State: the arrays that kernels work on, found through one integer.

Between kernels an array travels as seven to nine machine words with a reference count, and to machine code from
Python as an object to be taken apart; ten of them cost more than the work they are handed over for. So kernels take
`state`, the address of a table that says where each array lies (see `numerics.memory`), and ask for what they need.
`engine.state.State` makes the table and keeps the arrays alive.
"""

from typing import Any

import numpy as np

from truewind.domain.account import ACCOUNT, COSTS, SIZING
from truewind.domain.due import DUE
from truewind.domain.fill import FILL
from truewind.domain.filters import FILTERS
from truewind.domain.instrument import INSTRUMENT
from truewind.domain.latency import LATENCY, ROUND_TRIP
from truewind.domain.order import ORDER, ORDER_EVENT
from truewind.domain.position import POSITION
from truewind.domain.risk import AHEAD, BREAKERS, LATCH, LIMITS, PAIR, VERDICT
from truewind.domain.signal import FOLLOWING, SIGNAL
from truewind.domain.terms import COLLATERAL, FEE, MARGIN, RATE, SETTLING, TIER
from truewind.numerics import memory
from truewind.numerics.jit import COMPILED, kernel

# The arrays in the order of the table: for each its address and its length.
ARRAYS = (
    *("opened", "known", "symbols", "open", "high", "low", "close"),
    *("mark_open", "mark_high", "mark_low", "mark_close", "index_open", "index_high", "index_low", "index_close"),
    *("volumes", "equity", "dues", "instruments", "positions", "account"),
    *("orders", "fills", "events", "costs", "limits", "sizing", "signal", "following"),
    *("margins", "tiers", "rules", "shares", "fees", "rates", "assets"),
    "settling",
    *("received", "counts", "latency", "trips", "heard"),
    *("breakers", "pairs", "verdicts", "measures", "volatility", "ahead", "moments"),
    *("spreads", "latches"),
)
WORDS = 2 * len(ARRAYS)
_LAYOUTS: tuple[Any, ...] = (
    *(3 * [np.int64] + 4 * [np.float64] + 8 * [np.float64]),
    *(np.float64, np.float64, DUE, INSTRUMENT, POSITION, ACCOUNT),
    *(ORDER, FILL, ORDER_EVENT, COSTS, LIMITS, SIZING, SIGNAL, FOLLOWING),
    *(MARGIN, TIER, FILTERS, POSITION, FEE, RATE, COLLATERAL),
    SETTLING,
    *(np.int64, np.float64, LATENCY, ROUND_TRIP, POSITION),
    *(BREAKERS, PAIR, VERDICT, np.float64, np.float64, AHEAD, np.float64),
    *(np.float64, LATCH),
)
DTYPES = {name: np.dtype(layout) for name, layout in zip(ARRAYS, _LAYOUTS, strict=True)}
# Where kernels run as plain Python there are no addresses: the arrays by handle.
OPEN: dict[int, tuple[np.ndarray, ...]] = {}

if COMPILED:
    words_at, array_at = memory.words_at, memory.array_at
    _INT64, _FLOAT64 = np.int64, np.float64

    @kernel(inline=True)
    def times_of(state: int) -> Any:
        """int64 arrays a row: open time, event time, symbol index."""
        w = words_at(state, WORDS)
        return (
            array_at(w[0], w[1], _INT64),
            array_at(w[2], w[3], _INT64),
            array_at(w[4], w[5], _INT64),
        )

    @kernel(inline=True)
    def prefetch_row(state: int, k: int) -> None:
        """An order will be sent after row `k`: fetch what nobody has read so far, the close of it and, of the row after
        it, open time and opening price. Memory takes as long as all that is done with the order until then.
        """
        w = words_at(state, WORDS)
        memory.prefetch(w[12] + 8 * k)
        for column in (0, 6):
            memory.prefetch(w[column] + 8 * (k + 1))

    @kernel(inline=True)
    def prices_of(state: int) -> Any:
        """float64 arrays a row: open, high, low, close."""
        w = words_at(state, WORDS)
        return (
            array_at(w[6], w[7], _FLOAT64),
            array_at(w[8], w[9], _FLOAT64),
            array_at(w[10], w[11], _FLOAT64),
            array_at(w[12], w[13], _FLOAT64),
        )

    @kernel(inline=True)
    def marks_of(state: int) -> Any:
        """As `prices`, of the mark price; the traded prices where the run has none."""
        w = words_at(state, WORDS)
        return (
            array_at(w[14], w[15], _FLOAT64),
            array_at(w[16], w[17], _FLOAT64),
            array_at(w[18], w[19], _FLOAT64),
            array_at(w[20], w[21], _FLOAT64),
        )

    @kernel(inline=True)
    def indices_of(state: int) -> Any:
        """As `prices`, of the index price; the traded prices where the run has none."""
        w = words_at(state, WORDS)
        return (
            array_at(w[22], w[23], _FLOAT64),
            array_at(w[24], w[25], _FLOAT64),
            array_at(w[26], w[27], _FLOAT64),
            array_at(w[28], w[29], _FLOAT64),
        )

    @kernel(inline=True)
    def volumes_of(state: int) -> Any:
        """float64 (rows): volume in base units; no rows where it is not known."""
        w = words_at(state, WORDS)
        return array_at(w[30], w[31], _FLOAT64)

    @kernel(inline=True)
    def equity_of(state: int) -> Any:
        """float64 (rows): equity after each row, in ledger units."""
        w = words_at(state, WORDS)
        return array_at(w[32], w[33], _FLOAT64)

    @kernel(inline=True)
    def dues_of(state: int) -> Any:
        """DUE rows of all symbols; each position knows its own."""
        w = words_at(state, WORDS)
        return array_at(w[34], w[35], DUE)

    @kernel(inline=True)
    def instruments_of(state: int) -> Any:
        """One INSTRUMENT a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[36], w[37], INSTRUMENT)

    @kernel(inline=True)
    def positions_of(state: int) -> Any:
        """One POSITION a symbol; in hedge mode two, the short ones after all the long ones."""
        w = words_at(state, WORDS)
        return array_at(w[38], w[39], POSITION)

    @kernel(inline=True)
    def account_of(state: int) -> Any:
        """The ACCOUNT record."""
        w = words_at(state, WORDS)
        return array_at(w[40], w[41], ACCOUNT)[0]

    @kernel(inline=True)
    def orders_of(state: int) -> Any:
        """ORDER rows; the first account["orders"] of them work."""
        w = words_at(state, WORDS)
        return array_at(w[42], w[43], ORDER)

    @kernel(inline=True)
    def fills_of(state: int) -> Any:
        """The FILL buffer; account["fills"] rows are in use."""
        w = words_at(state, WORDS)
        return array_at(w[44], w[45], FILL)

    @kernel(inline=True)
    def events_of(state: int) -> Any:
        """The ORDER_EVENT buffer; account["events"] rows are in use."""
        w = words_at(state, WORDS)
        return array_at(w[46], w[47], ORDER_EVENT)

    @kernel(inline=True)
    def costs_of(state: int) -> Any:
        """The COSTS record."""
        w = words_at(state, WORDS)
        return array_at(w[48], w[49], COSTS)[0]

    @kernel(inline=True)
    def limits_of(state: int) -> Any:
        """The LIMITS record."""
        w = words_at(state, WORDS)
        return array_at(w[50], w[51], LIMITS)[0]

    @kernel(inline=True)
    def sizing_of(state: int) -> Any:
        """The SIZING record."""
        w = words_at(state, WORDS)
        return array_at(w[52], w[53], SIZING)[0]

    @kernel(inline=True)
    def signal_of(state: int) -> Any:
        """The SIGNAL that is to be acted on."""
        w = words_at(state, WORDS)
        return array_at(w[54], w[55], SIGNAL)[0]

    @kernel(inline=True)
    def following_of(state: int) -> Any:
        """One FOLLOWING a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[56], w[57], FOLLOWING)

    @kernel(inline=True)
    def margins_of(state: int) -> Any:
        """One MARGIN a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[58], w[59], MARGIN)

    @kernel(inline=True)
    def tiers_of(state: int) -> Any:
        """TIER rows of all symbols; each MARGIN knows its own."""
        w = words_at(state, WORDS)
        return array_at(w[60], w[61], TIER)

    @kernel(inline=True)
    def rules_of(state: int) -> Any:
        """One FILTERS a symbol: what its venue demands of orders."""
        w = words_at(state, WORDS)
        return array_at(w[62], w[63], FILTERS)

    @kernel(inline=True)
    def shares_of(state: int) -> Any:
        """What each strategy holds: POSITION rows as those of the account, for one strategy after the other.

        Of a single strategy it is the account's positions themselves.
        """
        w = words_at(state, WORDS)
        return array_at(w[64], w[65], POSITION)

    @kernel(inline=True)
    def fees_of(state: int) -> Any:
        """FEE rows of all symbols; each MARGIN knows its own."""
        w = words_at(state, WORDS)
        return array_at(w[66], w[67], FEE)

    @kernel(inline=True)
    def rates_of(state: int) -> Any:
        """RATE rows of all symbols by time; the account knows which comes next."""
        w = words_at(state, WORDS)
        return array_at(w[68], w[69], RATE)

    @kernel(inline=True)
    def assets_of(state: int) -> Any:
        """COLLATERAL rows: the account's currency, then the others that it holds; none if it holds no others."""
        w = words_at(state, WORDS)
        return array_at(w[70], w[71], COLLATERAL)

    @kernel(inline=True)
    def settling_of(state: int) -> Any:
        """SETTLING rows, one a day of trading; none where money from sales may be spent at once."""
        w = words_at(state, WORDS)
        return array_at(w[72], w[73], SETTLING)

    @kernel(inline=True)
    def received_of(state: int) -> Any:
        """int64 (rows): when the strategy is shown each row; the event times where the feed takes no time."""
        w = words_at(state, WORDS)
        return array_at(w[74], w[75], _INT64)

    @kernel(inline=True)
    def counts_of(state: int) -> Any:
        """float64 (rows): trades in each bar; no rows on trades, and where it is not known."""
        w = words_at(state, WORDS)
        return array_at(w[76], w[77], _FLOAT64)

    @kernel(inline=True)
    def latency_of(state: int) -> Any:
        """LATENCY rows: of orders to the venue, and of its replies."""
        w = words_at(state, WORDS)
        return array_at(w[78], w[79], LATENCY)

    @kernel(inline=True)
    def trips_of(state: int) -> Any:
        """ROUND_TRIP rows; none where latencies were not measured."""
        w = words_at(state, WORDS)
        return array_at(w[80], w[81], ROUND_TRIP)

    @kernel(inline=True)
    def heard_of(state: int) -> Any:
        """`shares` as far as the strategies have heard of them; where replies take no time they are the same."""
        w = words_at(state, WORDS)
        return array_at(w[82], w[83], POSITION)

    @kernel(inline=True)
    def breakers_of(state: int) -> Any:
        """The BREAKERS record."""
        w = words_at(state, WORDS)
        return array_at(w[84], w[85], BREAKERS)[0]

    @kernel(inline=True)
    def pairs_of(state: int) -> Any:
        """One PAIR a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[86], w[87], PAIR)

    @kernel(inline=True)
    def verdicts_of(state: int) -> Any:
        """The VERDICT buffer; account["verdicts"] rows are in use."""
        w = words_at(state, WORDS)
        return array_at(w[88], w[89], VERDICT)

    @kernel(inline=True)
    def measures_of(state: int) -> Any:
        """float64 (rows): what sizing measures a market by; no rows where it asks for nothing."""
        w = words_at(state, WORDS)
        return array_at(w[90], w[91], _FLOAT64)

    @kernel(inline=True)
    def volatility_of(state: int) -> Any:
        """float64 (rows): standard deviation of a bar's log return, for risk rules; no rows where none asks for it."""
        w = words_at(state, WORDS)
        return array_at(w[92], w[93], _FLOAT64)

    @kernel(inline=True)
    def ahead_of(state: int) -> Any:
        """One AHEAD a position."""
        w = words_at(state, WORDS)
        return array_at(w[94], w[95], AHEAD)

    @kernel(inline=True)
    def moments_of(state: int) -> Any:
        """float64: what is known of how symbols move together; see `risk.together`."""
        w = words_at(state, WORDS)
        return array_at(w[96], w[97], _FLOAT64)

    @kernel(inline=True)
    def spreads_of(state: int) -> Any:
        """float64 (rows): spread as a share of the price; no rows where it is not known."""
        w = words_at(state, WORDS)
        return array_at(w[98], w[99], _FLOAT64)

    @kernel(inline=True)
    def latches_of(state: int) -> Any:
        """The LATCH buffer; breakers["latches"] rows are in use."""
        w = words_at(state, WORDS)
        return array_at(w[100], w[101], LATCH)

else:

    def prefetch_row(state: int, k: int) -> None:
        """A hint to the processor, which Python has no use for."""

    def _finder(name: str) -> Any:
        index = ARRAYS.index(name)
        single = name in ("account", "costs", "limits", "sizing", "signal", "breakers")
        return lambda state: OPEN[state][index][0] if single else OPEN[state][index]

    def _columns(first: str, count: int) -> Any:
        index = ARRAYS.index(first)
        return lambda state: OPEN[state][index : index + count]

    times_of, prices_of = _columns("opened", 3), _columns("open", 4)
    marks_of, indices_of = _columns("mark_open", 4), _columns("index_open", 4)
    volumes_of, equity_of, dues_of, instruments_of = map(_finder, ARRAYS[15:19])
    positions_of, account_of, orders_of, fills_of = map(_finder, ARRAYS[19:23])
    events_of, costs_of, limits_of, sizing_of = map(_finder, ARRAYS[23:27])
    signal_of, following_of, margins_of, tiers_of = map(_finder, ARRAYS[27:31])
    rules_of, shares_of, fees_of = map(_finder, ARRAYS[31:34])
    rates_of, assets_of, settling_of = map(_finder, ARRAYS[34:37])
    received_of, counts_of = _finder("received"), _finder("counts")
    latency_of, trips_of, heard_of = map(_finder, ("latency", "trips", "heard"))
    breakers_of, pairs_of, verdicts_of = map(_finder, ("breakers", "pairs", "verdicts"))
    measures_of, volatility_of = map(_finder, ("measures", "volatility"))
    ahead_of, moments_of = map(_finder, ("ahead", "moments"))
    spreads_of, latches_of = map(_finder, ("spreads", "latches"))
