"""The checks that every strategy must pass, built in or a user's own.

    result = check(load_config("my_idea/my_idea.yaml"), lake)
    assert result.ok, result

determinism   two runs on the same data give the same orders, fills and equity, to the last bit
causality     the future is changed, or cut off, at several moments: no order, fill or cent before them may move
lane parity   event lane and compiled lane agree to the last bit; what runs in the event lane only is told so
missing       features that are NaN, too little history, a market in which nothing happens: no exception, no entry
bounds        every parameter at both of its bounds and at random points between: it is built, and runs

Moments are chosen where the strategy decided something: there it would show that it had looked ahead.
"""

import inspect
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from truewind.backtest import book_check, changed
from truewind.backtest.assembly import features_of, the_strategy
from truewind.backtest.bar_run import BarJob
from truewind.backtest.changed import Changed, Remembered
from truewind.backtest.points import FAILED, NOTE, PASSED, Verdict, tried
from truewind.backtest.reads import fields_of
from truewind.backtest.settings import BacktestSettings
from truewind.backtest.standin import stand_in
from truewind.domain.clock import iso
from truewind.domain.fill import FillKind
from truewind.domain.order import ORDER_EVENT, Event, OrderType, Reason
from truewind.domain.ports import Progress
from truewind.engine.compiled import obstacle
from truewind.engine.engine import Engine
from truewind.engine.merge import TS_EVENT
from truewind.errors import ConfigError, EmptyRangeError, MissingFileError, StrategyError, UnknownSeriesError
from truewind.storage.lake import Lake
from truewind.strategies.base import locate
from truewind.strategies.parameters import parameters_of

_CUTS = 8  # moments at which the future is changed
_SHORT = 1500  # moments of the market on which parameters are tried


class Check(NamedTuple):
    """What one check came to. verdict: passed, failed, or note: it has nothing to say here, and why."""

    name: str
    verdict: str
    said: str


class Checked(NamedTuple):
    """The checks of one strategy. data: on what it was run."""

    strategy: str
    data: str
    checks: tuple[Check, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return all(check.verdict != FAILED for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(f"{check.name}: {check.verdict}: {check.said}" for check in self.checks)


class Ran(NamedTuple):
    """One run: its records, and what it raised, "" if nothing."""

    engine: Engine
    error: str

    @property
    def orders(self) -> int:
        return int(np.count_nonzero(_fresh(self.engine.events)))


def check(settings: BacktestSettings, lake: Lake, progress: Progress | None = None) -> Checked:
    """Put the strategy of `settings` to the test on its data; without them in the lake, on a synthetic stand-in.

    Raises ConfigError, DataError or FeatureError for settings that do not run at all.
    """
    started, tell = time.perf_counter(), progress or (lambda stage, done, total: None)
    settings = settings.model_copy(update={"lane": "event"})
    kind = book_check.checks if settings.data.on_book else checks
    with tempfile.TemporaryDirectory() as folder:
        where, remembered = "the lake's data", Remembered(lake)
        try:
            on, every = kind(settings, remembered)
        except (UnknownSeriesError, EmptyRangeError, MissingFileError):
            tell("making a market", 0, 0)
            settings, made = stand_in(settings, folder)
            where, remembered = "a synthetic market, for the lake has no such data", Remembered(made)
            on, every = kind(settings, remembered)
        found: list[Check] = []
        for name, one in every:
            tell(name, len(found), 5)
            found.append(Check(name, *one()))
    return Checked(_title(settings), f"{on}: {where}", tuple(found), time.perf_counter() - started)


def checks(settings: BacktestSettings, lake: Lake) -> tuple[str, Iterator[tuple[str, Callable[[], tuple[str, str]]]]]:
    """On what a strategy on bars or trades is run, and the checks by name. Raises as a backtest before it begins."""
    base = run_once(settings, lake)
    symbols = base.engine.timeline.symbols
    more = f" and {len(symbols) - 4} more" if len(symbols) > 4 else ""
    on = f"{len(base.engine.timeline):,} rows of {', '.join(symbols[:4])}{more}"
    return on, ((name, partial(one, settings, lake, base)) for name, one in _CHECKS.items())


def run_once(settings: BacktestSettings, lake: Lake, spoil: Callable[[Engine], None] | None = None) -> Ran:
    """One run. What the strategy raises is part of the answer. spoil: done to the engine before it starts."""
    engine = BarJob(settings, lake).engine
    if spoil is not None:
        spoil(engine)
    try:
        engine.run()
    except StrategyError as error:
        return Ran(engine, str(error))
    return Ran(engine, "")


# -- the checks --------------------------------------------------------------------------------------------------------


def _determinism(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    if base.error:
        return FAILED, base.error
    difference = differing(base.engine, run_once(settings, lake).engine, len(base.engine.timeline))
    if difference:
        return FAILED, f"a second run on the same data differs: {difference}"
    fills, orders = len(base.engine.fills), base.orders
    said = f"{orders:,} orders, {fills:,} fills"
    if not fills:
        return NOTE, f"{said}: nothing to compare{' (the report says why they were denied)' if orders else ''}"
    return PASSED, said


def _causality(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    moments = _moments(base)
    for number, cut in enumerate(moments):
        rows = int(np.searchsorted(base.engine.timeline.times[TS_EVENT], cut, side="right"))
        other = run_once(settings, Changed(lake, changed.future(cut, number)))
        difference = differing(base.engine, other.engine, rows)
        if difference:
            return FAILED, f"what comes after {iso(cut)} was changed, and what was before it moved: {difference}"
    for cut in moments[1::3]:
        rows = int(np.searchsorted(base.engine.timeline.times[TS_EVENT], cut, side="left"))
        data = settings.data.model_copy(update={"end": iso(cut)})
        other = run_once(settings.model_copy(update={"data": data}), lake)
        difference = differing(base.engine, other.engine, rows)
        if difference:
            return FAILED, f"the data were cut off at {iso(cut)}, and what was before it moved: {difference}"
    if not base.orders:
        return NOTE, "it sent no order: nothing that could move"
    return PASSED, f"the future changed at {len(moments)} moments and cut off at {len(moments[1::3])}: nothing moved"


def _parity(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    strategy = the_strategy(settings)
    reason = "several strategies share the account" if settings.strategies else obstacle(strategy)
    if reason:
        return PASSED, f"runs in the event lane only: {reason}"
    try:
        job = BarJob(settings.model_copy(update={"lane": "compiled"}), lake)
    except StrategyError as error:
        return PASSED, f"runs in the event lane only: {error.message}"
    try:
        job.engine.run()
    except StrategyError as error:
        return FAILED, f"the compiled lane alone says: {error}"
    difference = differing(base.engine, job.engine, len(base.engine.timeline))
    if difference:
        return FAILED, f"the compiled lane, the other run here, differs: {difference}"
    return PASSED, "orders, fills and equity of both lanes are the same bits"


def _missing(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    fields = list(fields_of(features_of(the_strategy(settings))))
    done = []
    for name, share in (("all features missing", 1.0), ("every fifth feature missing", 0.2)):
        if not fields:
            break
        ran = run_once(settings, lake, partial(_blank, fields=fields, share=share))
        if ran.error:
            return FAILED, f"{name}: {ran.error}"
        if share == 1.0 and ran.orders:
            return FAILED, f"all features missing: it sent {_first_order(ran.engine)}"
        done.append(name)
    event = base.engine.timeline.times[TS_EVENT]
    few = int(event[min(len(event) - 1, 5 * len(base.engine.timeline.symbols))])
    markets = {
        "five bars of history": (settings, Changed(lake, changed.before(few))),
        "a market in which nothing happens": (settings, Changed(lake, changed.dead)),
    }
    for name, (wanted, market) in markets.items():
        try:
            ran = run_once(wanted, market)
        except (UnknownSeriesError, EmptyRangeError):
            continue  # what it reads beside bars has not begun yet: the run is refused, with that reason
        if ran.error:
            return FAILED, f"{name}: {ran.error}"
        done.append(name)
    return PASSED, ", ".join(done)


def _bounds(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    if settings.strategies:
        return NOTE, "several strategies: check each by itself"
    if settings.chosen.parts is not None:
        return NOTE, "it is made of parts, which have their bounds in themselves"
    declared = parameters_of(type(the_strategy(settings)).Params)
    if inspect.isfunction(locate(settings.chosen.path)):
        return NOTE, f"a decide function declares no bounds of {', '.join(p.name for p in declared) or 'parameters'}"
    end = int(np.unique(base.engine.timeline.times[TS_EVENT])[: _SHORT + 1][-1])
    short = settings.model_copy(update={"data": settings.data.model_copy(update={"end": iso(end)})})

    def with_(params: dict[str, Any]) -> BacktestSettings:
        return short.model_copy(update={"strategy": settings.chosen.model_copy(update={"params": params})})

    def accepted(params: dict[str, Any]) -> bool:
        try:
            the_strategy(with_(params))
        except ConfigError:
            return False
        return True

    return tried(declared, settings.chosen.params, accepted, lambda params: run_once(with_(params), lake).error)


_CHECKS = {
    "determinism": _determinism,
    "causality": _causality,
    "lane parity": _parity,
    "missing": _missing,
    "bounds": _bounds,
}


# -- moments and differences -------------------------------------------------------------------------------------------


def _moments(base: Ran) -> list[int]:
    """Times of bars after which the future is changed: most of them at which an order was sent."""
    event = base.engine.timeline.times[TS_EVENT]
    known = np.unique(event)
    sent = base.engine.events
    decided = np.unique(event[sent["row"][_fresh(sent)]]) if len(sent) else known[:0]
    decided = decided[(decided > known[0]) & (decided < known[-1])]
    wanted = _CUTS - 2 if len(decided) >= _CUTS - 2 else len(decided)
    chosen = {int(decided[i]) for i in np.linspace(0, len(decided) - 1, wanted).astype(int)} if wanted else set()
    others = known[len(known) // 4 : -1]
    chosen |= {int(others[i]) for i in np.linspace(0, len(others) - 1, _CUTS - wanted + 2).astype(int)[1:-1]}
    return sorted(chosen)


def differing(first: Engine, second: Engine, rows: int) -> str:
    """What differs first between two runs on the first `rows` rows of their timelines; "" if nothing does."""
    for what in ("events", "fills"):
        one, two = (_told(engine, getattr(engine, what), rows) for engine in (first, second))
        mine, others = _named(first, one), _named(second, two)
        if mine.tobytes() == others.tobytes():
            continue
        at = next((i for i in range(min(len(one), len(two))) if mine[i].tobytes() != others[i].tobytes()), None)
        at = min(len(one), len(two)) if at is None else at
        return f"{_words(first, one, at)}; in the other run {_words(second, two, at)}"
    one, two = (engine.equity[:rows] for engine in (first, second))
    if one.tobytes() == two.tobytes():
        return ""
    at = int(np.flatnonzero(one.view(np.int64) != two.view(np.int64))[0])
    return f"equity {one[at]}, in the other run {two[at]}, on {_bar(first, at)}"


def _told(engine: Engine, records: np.ndarray, rows: int) -> np.ndarray:
    """The records of the first rows, but for orders that ended because the data did."""
    kept: np.ndarray = records[records["row"] < rows]
    return kept[kept["reason"] != Reason.END_OF_DATA] if records.dtype == ORDER_EVENT else kept


def _named(engine: Engine, records: np.ndarray) -> np.ndarray:
    """The records with their symbols by name: what else is traded, and later chosen, numbers them differently."""
    names = np.array([crc32(symbol.encode()) >> 1 for symbol in engine.symbols], np.int64)
    known = records.copy()
    known["symbol"] = names[records["symbol"]]
    if "leg" in (records.dtype.names or ()):
        known["leg"] = records["leg"] // len(engine.symbols)
    return known


def _words(engine: Engine, records: np.ndarray, at: int) -> str:
    """One record in words."""
    if at >= len(records):
        return "nothing"
    record = records[at]
    instrument = engine.instruments[int(record["symbol"])]
    side = "buy" if record["side"] > 0 else "sell"
    quantity = f"{int(record['lots']) * float(instrument.lot_size):g}"
    what = f"order {record['order']} ({instrument.symbol} {side} {quantity}"
    if records.dtype == ORDER_EVENT:
        what += f", {OrderType(int(record['type'])).name.lower()}) {Event(int(record['event'])).name.lower()}"
    elif record["kind"] == FillKind.TRADE:
        what += f") filled at {float(instrument.price(record['price'])):g}"
    else:
        names = {value: name.lower() for name, value in vars(FillKind).items() if name.isupper()}
        what = f"{names[int(record['kind'])]} of {instrument.symbol}"
    return f"{what} on {_bar(engine, int(record['row']))}"


def _bar(engine: Engine, row: int) -> str:
    return f"the bar known at {iso(int(engine.timeline.times[TS_EVENT][row]))} (row {row})"


def _fresh(events: np.ndarray) -> np.ndarray:
    """Which ORDER_EVENT rows are the first of an order that may open something."""
    _, first = np.unique(events["order"], return_index=True)
    found = np.zeros(len(events), bool)
    found[first] = True
    opens: np.ndarray = found & (events["reduce_only"] == 0)
    return opens


def _first_order(engine: Engine) -> str:
    events = engine.events
    return _words(engine, events, int(np.flatnonzero(_fresh(events))[0]))


def _blank(engine: Engine, fields: Sequence[str], share: float) -> None:
    """Let a share of each feature's values be NaN."""
    draw = np.random.default_rng(42)
    for name in fields:
        values = engine.timeline.columns[name].copy()
        values[draw.random(len(values)) < share] = math.nan
        engine.timeline.columns[name] = values


def _title(settings: BacktestSettings) -> str:
    return ", ".join(member.shown for member in settings.strategies) or settings.chosen.shown
