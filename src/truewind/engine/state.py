"""The engine's state: structured arrays that kernels change in place, and copies of them for people."""

import weakref
from collections.abc import Mapping, Sequence

import numpy as np

from truewind.domain.account import ACCOUNT, SIZING
from truewind.domain.calendar import calendar
from truewind.domain.clock import NEVER, iso
from truewind.domain.due import DUE, DueKind
from truewind.domain.fill import FILL
from truewind.domain.instrument import Instrument, Kind, currency_precision, filters_row, instrument_row
from truewind.domain.order import ORDER, ORDER_EVENT
from truewind.domain.position import CROSS
from truewind.domain.risk import AHEAD, LATCH, VERDICT
from truewind.domain.signal import FOLLOWING, SIGNAL, Want
from truewind.domain.terms import RATE, SETTLING
from truewind.engine.acting import MOST_ORDERS
from truewind.engine.merge import Timeline
from truewind.errors import ConfigError
from truewind.execution.simulated.latency import AT_ONCE, Latency
from truewind.numerics.jit import COMPILED
from truewind.portfolio.collateral import Collateral, no_collateral
from truewind.portfolio.conversion import apply_rates
from truewind.portfolio.expiry import CLOSE_ONLY_US
from truewind.portfolio.latches import begin_breakers
from truewind.portfolio.margin import Margin, MarginSettings, refresh_terms
from truewind.portfolio.opening import check_bookable, flat_positions, open_account, units_of
from truewind.portfolio.state import ARRAYS, DTYPES, OPEN, WORDS
from truewind.risk.gate import VOLATILITY
from truewind.risk.together import room_for_pairs
from truewind.strategies.sizing import MEASURE

_FIRST_ORDERS = 64
SPREAD = "spread"  # a feature that a strategy may read, as a share of the price; limits on the spread read it, too
_NO_ROWS = np.zeros(0)
_LATCHES = 8  # breakers that can trip before they are written down, besides one for each symbol
BUFFER_ROWS = 16_384  # of fills and order events, before they are drained
_PLACES = {name: place for place, name in enumerate(ARRAYS)}
# Index of each int64 field in the account record, for reads through a memoryview (25 ns instead of 130).
ACCOUNT_FIELD = {name: ACCOUNT.fields[name][1] // 8 for name in ACCOUNT.names or ()} if ACCOUNT.fields else {}


class State:
    """Everything that changes during a run. One account, one currency; indices are those of `instruments`."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        timeline: Timeline,
        cash: float,
        currency: str,
        costs: np.ndarray,
        limits: np.ndarray,
        dues: Mapping[str, np.ndarray],
        margin: Margin | None = None,
        rates: Mapping[str, np.ndarray] | None = None,
        collateral: Collateral | None = None,
        settling: np.ndarray | None = None,
        *,
        owners: int = 1,
        latency: Latency = AT_ONCE,
        buffer_rows: int | None = None,
    ) -> None:
        for instrument in instruments:
            _check_currencies(instrument, currency, rates or {})
        self.scale = 10 ** currency_precision(currency)
        units = units_of(cash, currency, self.scale)
        self.instruments = np.concatenate([instrument_row(instrument, currency) for instrument in instruments])
        self.rules = np.concatenate([filters_row(instrument, currency) for instrument in instruments])
        margin = margin or MarginSettings().terms(instruments, {}, float(costs[0]["leverage"]))
        self.margins, self.tiers, self.fees = margin.margins, margin.tiers, margin.fees
        if not len(self.fees):
            for name in ("maker", "taker"):
                self.margins[name] = costs[0][name]
        self.positions = flat_positions(self.margins["isolated"], hedge=margin.hedge)
        backed = collateral or no_collateral()
        self.assets = backed.assets.copy()
        self.settling = np.zeros(0, SETTLING) if settling is None else settling.copy()
        self.rates = _by_time(instruments, rates or {}, backed.rates, int(timeline.times[0][0]))
        self.dues = self._lay_dues(
            instruments, [dues.get(instrument.name, np.zeros(0, DUE)) for instrument in instruments]
        )
        self.shares = self.positions
        if owners > 1:
            self.shares = np.tile(self.positions, owners)
            self.shares["wallet"] = CROSS
        self.heard = self.shares
        self.account = open_account(units, float(limits[0]["max_drawdown"]))
        self.account["horizon"] = _FIRST_ORDERS
        self.account["marked"] = timeline.marks is not timeline.prices
        start = int(timeline.times[0][0])
        self.account["terms_at"] = refresh_terms(self.margins, self.tiers, self.fees, start)
        self.orders = np.zeros(_FIRST_ORDERS, ORDER)
        self._room = buffer_rows or BUFFER_ROWS
        self.fills, self.events, self.verdicts = self._buffers()
        self.breakers, self.pairs = begin_breakers(limits, len(instruments), self.scale)
        self.latches = np.zeros(_LATCHES + len(instruments), LATCH)
        self.ahead = np.zeros(len(self.positions), AHEAD)
        self.moments = room_for_pairs(limits, len(instruments), len(self.positions))
        self._lay_rows(timeline, np.zeros(len(timeline)))
        self.costs, self.limits = costs, limits
        self.latency, self.trips = latency
        self.bars_a_year = max(calendar(one.calendar).bars_a_year(timeline.length_us) for one in instruments)
        self.sizing, self.signal = np.zeros(1, SIZING), np.zeros(1, SIGNAL)
        self.following = np.zeros(owners * len(instruments), FOLLOWING)
        self.following["last"], self.following["expiry"], self.following["first_stop"] = Want.HOLD, NEVER, np.nan
        self.counters = self.account.view(np.int64).data
        self._words = np.zeros(WORDS, np.int64)
        self._publish()
        self.account["rates_at"] = NEVER
        if len(self.rates):
            apply_rates(self.handle, start)
        self.account["equity"] = self.account["peak"] = units + self.account["collateral"]
        self.account["start"] = units + self.account["collateral"]
        weakref.finalize(self, OPEN.pop, self.handle, None)

    def _lay_rows(self, timeline: Timeline, equity: np.ndarray) -> None:
        self.equity = equity
        self.opened, self.known, self.symbols = timeline.times
        self.open, self.high, self.low, self.close = timeline.prices
        self.mark_open, self.mark_high, self.mark_low, self.mark_close = timeline.marks
        self.index_open, self.index_high, self.index_low, self.index_close = timeline.indices
        self.volumes = timeline.volumes
        self.received, self.counts = timeline.received, timeline.counts
        self._take_measures(timeline.columns)

    def _take_measures(self, columns: Mapping[str, np.ndarray]) -> None:
        self.measures, self.volatility, self.spreads = (
            columns.get(name, _NO_ROWS) for name in (MEASURE, VOLATILITY, SPREAD)
        )

    def measure_by(self, columns: Mapping[str, np.ndarray]) -> None:
        """Take what sizing and risk rules measure by from these columns."""
        before = self.measures, self.volatility, self.spreads
        self._take_measures(columns)
        now = self.measures, self.volatility, self.spreads
        if any(one is not other for one, other in zip(now, before, strict=True)):
            self._publish("measures", "volatility", "spreads")

    def lengthen(self, timeline: Timeline) -> None:
        """The timeline has got more rows: take them, wherever its columns lie now."""
        rows, room = len(timeline), self.equity if self.equity.base is None else self.equity.base
        if rows > len(room):
            room = np.zeros(2 * rows)
            room[: len(self.equity)] = self.equity
        self._lay_rows(timeline, room[:rows])
        for symbol, due in timeline.dues():
            self._add_due(timeline.symbols.index(symbol), due)
        self._publish()

    def _add_due(self, index: int, due: np.ndarray) -> None:
        """Lay a DUE row behind those of its symbol; the tables of the symbols after it move."""
        heads = self.positions[: len(self.instruments)]
        at = int(heads["last_due"][index])
        self.dues = np.concatenate([self.dues[:at], due, self.dues[at:]])
        heads["last_due"][index:] += 1
        heads["next_due"][index + 1 :] += 1
        heads["due_at"][index] = min(int(heads["due_at"][index]), int(due["ts"][0]))

    def _lay_dues(self, instruments: Sequence[Instrument], tables: Sequence[np.ndarray]) -> np.ndarray:
        """The DUE rows of all symbols in one table; tells each symbol's first leg which are its own."""
        heads = self.positions[: len(tables)]
        ends = np.cumsum([len(table) for table in tables])
        heads["last_due"], heads["next_due"] = ends, ends - [len(table) for table in tables]
        for name in ("due_at", "changes_at", "reduces_at", "ends_at"):
            self.positions[name] = NEVER
        for head, table, instrument in zip(heads, tables, instruments, strict=True):
            changes = table["ts"][table["kind"] >= DueKind.SPLIT]
            if len(changes):
                head["changes_at"] = head["due_at"] = changes[0]
            end = table["ts"][table["kind"] == DueKind.SETTLEMENT]
            if len(end):
                head["ends_at"] = end[0]
                # Delisted perpetuals may only be reduced at the end; dated futures are traded to their last moment.
                head["reduces_at"] = end[0] - (CLOSE_ONLY_US if instrument.kind is Kind.PERPETUAL else 0)
        return np.concatenate([*tables, np.zeros(0, DUE)])

    @property
    def handle(self) -> int:
        """What kernels find this state by; valid as long as it lives."""
        return int(self._words.ctypes.data)

    def _publish(self, *names: str) -> None:
        """Write down where the arrays lie now: those of these names, or all."""
        for name in names or ARRAYS:
            array, at = getattr(self, name), 2 * _PLACES[name]
            if not array.flags.c_contiguous or array.dtype != DTYPES[name]:
                raise ValueError(f"{name} is not one piece of memory of {DTYPES[name]}, but {array.dtype}")
            self._words[at : at + 2] = array.ctypes.data, len(array)
        if not COMPILED:
            OPEN[self.handle] = tuple(getattr(self, name) for name in ARRAYS)

    def separate(self) -> None:
        """From now on what the strategies have heard of their positions is not what the venue knows."""
        self.heard = self.shares.copy()
        self._publish()

    def grow_orders(self) -> None:
        """Double the table of working orders."""
        more = np.zeros(2 * len(self.orders), ORDER)
        more[: len(self.orders)] = self.orders
        self.orders = more
        self._publish()

    def drain(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The buffered order events, fills and verdicts; the buffers are empty afterwards.

        What is written is given away as it lies, for to copy it would touch its memory twice; the rest of a buffer is
        used on, as long as it is half of one.
        """
        money = self.account[0]
        given = []
        for name in ("events", "fills", "verdicts"):
            buffer, used = getattr(self, name), int(money[name])
            given.append(buffer[:used])
            left = buffer[used:]
            setattr(self, name, left if 2 * len(left) >= self._room else np.empty(self._room, buffer.dtype))
            money[name] = 0
        self._publish("events", "fills", "verdicts")
        return given[0], given[1], given[2]

    def _buffers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Room for fills, order events and verdicts. Nothing is read there that was not written before."""
        return np.empty(self._room, FILL), np.empty(self._room, ORDER_EVENT), np.empty(self._room, VERDICT)

    def take_latches(self) -> np.ndarray:
        """The LATCH rows written since this was last asked."""
        used, self.breakers[0]["latches"] = int(self.breakers[0]["latches"]), 0
        return self.latches[:used].copy()

    def make_room(self) -> None:
        """Grow the buffers so that even a full table of orders can act on one bar."""
        need = 8 * (len(self.orders) + MOST_ORDERS) + 2 * len(self.dues) + 128
        if min(len(self.fills), len(self.events), len(self.verdicts)) < need:
            self._room = max(self._room, 2 * need)
            self.fills, self.events, self.verdicts = self._buffers()
            self._publish("fills", "events", "verdicts")


def _check_currencies(instrument: Instrument, currency: str, rates: Mapping[str, np.ndarray]) -> None:
    """Raises ConfigError for an instrument whose profit an account in `currency` cannot book."""
    if instrument.currency != currency and (instrument.inverse or instrument.name not in rates):
        raise ConfigError(
            f"{instrument.id} is settled in {instrument.currency}, the account is in {currency}",
            remedy="Trade instruments of one settlement currency, or change account.currency",
        )
    check_bookable(instrument)


def _by_time(
    instruments: Sequence[Instrument], rates: Mapping[str, np.ndarray], others: np.ndarray, start: int
) -> np.ndarray:
    """The RATE rows of all symbols by time. Raises ConfigError where none is known at `start`."""
    parts = [others]
    for index, instrument in enumerate(instruments):
        rows = rates.get(instrument.name, np.zeros(0, RATE))
        if instrument.name in rates and (not len(rows) or rows[0]["ts"] > start):
            raise ConfigError(
                f"No rate of {instrument.currency} is known when {instrument.id} begins, at {iso(start)}",
                remedy="Import earlier bars of the rate, or start later",
            )
        parts.append(rows.copy())
        parts[-1]["symbol"] = index
    found = np.concatenate(parts)
    return found[np.argsort(found["ts"], kind="stable")]
