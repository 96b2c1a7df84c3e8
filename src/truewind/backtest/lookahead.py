"""Look-ahead analysis: does a strategy, with all that it reads, know what had not happened yet?

    result = lookahead(load_config("my_idea.yaml"), lake)
    assert result.ok, result

At many moments the future is changed, or cut off, and the whole is run anew: no feature on a bar before the moment and
no decision may move. In between, features are computed in pieces, so that on each of hundreds of bars nothing after it
is there to be looked at. What moves is named: the feature, the bar, the values, and how many bars of the future it
used, which is found by moving the moment away from the bar until the value rests.

Half of the moments are bars on which the strategy decided something, the others are drawn. A leak that shows on very
few bars, and on none of these, is not found; nor is one that gets its future from elsewhere than the lake.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from truewind.backtest import book_check, changed
from truewind.backtest.assembly import features_of, the_strategy
from truewind.backtest.changed import Changed, Remembered
from truewind.backtest.check import Ran, differing, run_once
from truewind.backtest.replay import chosen_members, replay
from truewind.backtest.settings import BacktestSettings
from truewind.backtest.standin import stand_in
from truewind.backtest.warmup import Settling, settling
from truewind.domain.clock import iso
from truewind.domain.ports import Progress
from truewind.engine.merge import SYMBOL, TS, TS_EVENT, Timeline
from truewind.errors import EmptyRangeError, MissingFileError, StrategyError, UnknownSeriesError
from truewind.storage.lake import Lake

DECISIONS = "decisions"
PIECES, LEAST_PIECES, PIECES_OF_SYMBOLS = 1000, 20, 20_000  # into which a run is cut; all of its symbols together


class Leak(NamedTuple):
    """One thing that knew the future. what: a feature's field, or DECISIONS. row: of the timeline, known at `known_us`.

    value, other: what it was, and what it became when the future was changed; of decisions in words. how: what was
    done. cut_us: after when. ahead: bars of the future that it used at least, None where they were not counted; to_end:
    it used all there were.
    """

    what: str
    symbol: str
    row: int
    known_us: int
    value: str
    other: str
    how: str
    cut_us: int
    ahead: int | None = None
    to_end: bool = False

    @property
    def reach(self) -> str:
        """How far it looked, in words."""
        if self.ahead is None:
            return "not bracketed"
        bars = f"{self.ahead} bar{'s' if self.ahead != 1 else ''}"
        return f"{bars}, to the end of the data" if self.to_end else bars

    def __str__(self) -> str:
        name = "the decisions" if self.what == DECISIONS else f"feature {self.what} of {self.symbol}"
        return (
            f"{name} on the bar known at {iso(self.known_us)} (row {self.row}): {self.value}, and {self.other} where "
            f"{self.how} {iso(self.cut_us)}; it used {self.reach} ahead"
        )


class Lookahead(NamedTuple):
    """What was found. rows: of the run; moments: at which the future was changed; pieces: in which features were
    computed. features: those that were compared. warm_up: see `backtest.warmup`. notes: what was not asked, and why.
    """

    strategy: str
    data: str
    rows: int
    moments: int
    pieces: int
    features: tuple[str, ...]
    leaks: tuple[Leak, ...]
    warm_up: tuple[Settling, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.leaks

    def __str__(self) -> str:
        return "\n".join(map(str, self.leaks)) or f"{self.strategy}: no look-ahead found"


def lookahead(
    settings: BacktestSettings, lake: Lake, *, points: int = 20, seed: int = 42, progress: Progress | None = None
) -> Lookahead:
    """Analyse the strategy of `settings` on its data; without them in the lake, on a synthetic stand-in.

    points: moments at which the future is changed; at every second one it is cut off as well. seed: draws them.
    Raises ConfigError, DataError, FeatureError or StrategyError for settings that do not run at all.
    """
    started, tell = time.perf_counter(), progress or (lambda stage, done, total: None)
    settings = settings.model_copy(update={"lane": "event"})
    with tempfile.TemporaryDirectory() as folder:
        where = "the lake's data"
        try:
            found = _analysed(settings, Remembered(lake), points, seed, tell)
        except (UnknownSeriesError, EmptyRangeError, MissingFileError):
            tell("making a market", 0, 0)
            settings, made = stand_in(settings, folder)
            where = "a synthetic market, for the lake has no such data"
            found = _analysed(settings, Remembered(made), points, seed, tell)
    names = ", ".join(one.shown for one in settings.strategies) or settings.chosen.shown
    return found._replace(strategy=names, data=where, seconds=time.perf_counter() - started)


def _analysed(settings: BacktestSettings, lake: Lake, points: int, seed: int, tell: Progress) -> Lookahead:
    if settings.data.on_book:
        return _on_book(settings, lake, points, seed, tell)
    tell("running", 0, 0)
    base = run_once(settings, lake)
    if base.error:
        raise StrategyError(base.error, remedy="Mend it: a backtest of it fails in the same way")
    search = _Search(settings, lake, base)
    moments = _moments(base, points, seed)
    pieces = search.in_pieces(seed, tell)
    for number, cut in enumerate(moments):
        tell("changing the future", number, len(moments))
        search.changed(cut, number)
        if number % 2:
            search.cut_off(cut)
    leaks = [search.bracketed(leak, tell) for leak in search.leaks.values()]
    notes = [] if base.orders else ["It sent no order: of its decisions nothing could move."]
    warm_up: tuple[Settling, ...] = ()
    if settings.data.universe is not None:
        notes.append("Warm-up was not analysed: a universe chooses its symbols from the whole history.")
    elif search.fields:
        warm_up = settling(settings, lake, base.engine.timeline, seed, tell)
    return Lookahead(
        "", "", len(base.engine.timeline), len(moments), pieces, search.fields, tuple(leaks), warm_up, tuple(notes), 0.0
    )


class _Search:
    """The run as it is, and the first leak of each feature and of the decisions."""

    def __init__(self, settings: BacktestSettings, lake: Lake, base: Ran) -> None:
        self.settings, self.lake, self.base = settings, lake, base
        self.timeline = base.engine.timeline
        self.reads = features_of(the_strategy(settings)) | settings.risk.reads()
        self.fields = tuple(sorted(name for name in self.timeline.columns if name not in _PLAIN))
        self.leaks: dict[str, Leak] = {}

    def in_pieces(self, seed: int, tell: Progress) -> int:
        """Compare features with those that are computed piece by piece; how many pieces."""
        if not self.reads or not self.fields:
            return 0
        tell("computing features in pieces", 0, 0)
        opened = np.unique(self.timeline.times[TS])
        draw = np.random.default_rng(seed)
        most = max(LEAST_PIECES, min(PIECES, PIECES_OF_SYMBOLS // len(self.timeline.symbols)))
        ends = opened[1:] if len(opened) <= most else np.sort(draw.choice(opened[1:], most, replace=False))
        found = self._columns(self.lake, pieces=ends.tolist())
        for name, (row, value, other) in _differences(self.timeline, found, self.fields, None).items():
            cut = int(self.timeline.times[TS_EVENT][row])
            moved = self._columns(Changed(self.lake, changed.future(cut, seed)))
            if _value(moved, self._place(row), name) != value:  # else it depends on how rows come together, not on what
                self._note(name, row, value, other, "what comes after was not there yet, at", cut)
        return len(ends) + 1

    def changed(self, cut: int, number: int) -> None:
        """Change what is known after `cut`."""
        self._compare(Changed(self.lake, changed.future(cut, number)), self.settings, cut, True, _CHANGED)

    def cut_off(self, cut: int) -> None:
        """Take away what begins after `cut`."""
        data = self.settings.data.model_copy(update={"end": iso(cut)})
        self._compare(
            self.lake, self.settings.model_copy(update={"data": data}), cut, False, "the data were cut off at"
        )

    def _compare(self, lake: Lake, settings: BacktestSettings, cut: int, until: bool, how: str) -> None:
        """Note what moved on the bars known before `cut`, of those known then too if `until`."""
        if self.leaks:  # decisions follow from features: one cause is enough
            try:
                other = self._columns(lake, settings)
            except EmptyRangeError:
                return
            engine = None
        else:
            try:
                second = run_once(settings, lake)
            except EmptyRangeError:
                return  # a symbol of the run has nothing that early
            engine, other = second.engine, second.engine.timeline
        rows = int(np.searchsorted(self.timeline.times[TS_EVENT], cut, side="right" if until else "left"))
        moved = _differences(self.timeline, other, self.fields, cut if until else cut - 1)
        for name, (row, value, found) in moved.items():
            self._note(name, row, value, found, how, cut)
        if engine is None or moved:
            return
        difference = differing(self.base.engine, engine, rows)
        if difference:
            row = _first_row(lambda n: bool(differing(self.base.engine, engine, n)), rows)
            before, _, after = difference.partition("; in the other run ")
            before, after = (text.partition(" on the bar known at")[0] for text in (before, after))
            self._note(DECISIONS, row, before, after or "another", how, cut)

    def _note(self, what: str, row: int, value: Any, other: Any, how: str, cut: int) -> None:
        words = value if isinstance(value, str) else f"{value:.12g}"
        changed_to = other if isinstance(other, str) else f"{other:.12g}"
        symbol = self.timeline.symbols[int(self.timeline.times[SYMBOL][row])]
        known = int(self.timeline.times[TS_EVENT][row])
        first = self.leaks.get(what)
        if first is None or known < first.known_us:
            self.leaks[what] = Leak(what, symbol, row, known, words, changed_to, how, cut)

    def bracketed(self, leak: Leak, tell: Progress) -> Leak:
        """`leak` with how many bars ahead it looked: the farthest moment whose future still moves it."""
        tell(f"bracketing {leak.what}", 0, 0)
        own = self.timeline.times[SYMBOL] == self.timeline.symbols.index(leak.symbol)
        later = np.unique(self.timeline.times[TS_EVENT][own])
        later = later[later >= leak.known_us]
        place = self._place(leak.row)

        def moves(bars: int) -> bool:
            lake = Changed(self.lake, changed.future(int(later[bars]), 7_000 + bars))
            if leak.what == DECISIONS:
                return bool(differing(self.base.engine, run_once(self.settings, lake).engine, leak.row + 1))
            own_value = _value(self.timeline, place, leak.what)
            return _value(self._columns(lake), place, leak.what) != own_value

        if len(later) < 2 or not moves(0):
            return leak  # it does not depend on values, but on how much data there is
        low, high = 0, len(later) - 1  # at `low` it moves, at `high` nothing is left to be changed
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if moves(middle) else (low, middle)
        return leak._replace(ahead=low + 1, to_end=low + 1 >= len(later) - 1)

    def _place(self, row: int) -> tuple[str, int]:
        times = self.timeline.times
        return self.timeline.symbols[int(times[SYMBOL][row])], int(times[TS_EVENT][row])

    def _columns(self, lake: Lake, settings: BacktestSettings | None = None, pieces: Sequence[int] = ()) -> Timeline:
        """The timeline with all features, and nothing else of a run."""
        chosen = settings or self.settings
        members = chosen_members(lake, chosen.data)
        data = chosen.data
        if members is not None:
            data = data.model_copy(update={"symbols": members.symbols})
        return replay(lake, data, self.reads, chosen.financing, chosen.account, members=members, pieces=pieces).timeline


_CHANGED = "what comes after was changed, after"
_PLAIN = {"volume", "quote_volume", "trades", "taker_buy_volume", "ts_recv", "quantity", "side", "sequence"}


def _differences(
    base: Timeline, other: Timeline, names: Sequence[str], until_us: int | None
) -> dict[str, tuple[int, Any, Any]]:
    """By column the first row (of `base`) that is not the same bits in `other`, and both values, on the rows known by
    `until_us`, None: on all.
    """
    rows = [np.arange(len(line)) for line in (base, other)]
    if until_us is not None:
        rows = [np.flatnonzero(line.times[TS_EVENT] <= until_us) for line in (base, other)]
    keys = [_keys(line)[own] for line, own in zip((base, other), rows, strict=True)]
    if len(keys[0]) != len(keys[1]) or not np.array_equal(keys[0], keys[1]):
        # Another future may choose other symbols, which are numbered and lie between each other differently.
        order = [np.lexsort((key["symbol"], key["ts"])) for key in keys]
        rows = [own[place] for own, place in zip(rows, order, strict=True)]
        keys = [key[place] for key, place in zip(keys, order, strict=True)]
        shared = np.isin(keys[0], keys[1]), np.isin(keys[1], keys[0])
        rows = [own[both] for own, both in zip(rows, shared, strict=True)]
    found = {}
    for name in names:
        if name not in other.columns:
            continue
        one, two = base.columns[name][rows[0]], other.columns[name][rows[1]]
        moved = np.flatnonzero((one != two) & ~(np.isnan(one) & np.isnan(two)))
        if len(moved):
            at = int(moved[0])
            found[name] = (int(rows[0][at]), float(one[at]), float(two[at]))
    return found


def _keys(timeline: Timeline) -> np.ndarray:
    names = np.array([crc32(symbol.encode()) for symbol in timeline.symbols], np.int64)
    keys = np.zeros(len(timeline), [("ts", np.int64), ("symbol", np.int64)])
    keys["ts"], keys["symbol"] = timeline.times[TS_EVENT], names[timeline.times[SYMBOL]]
    return keys


def _value(timeline: Timeline, place: tuple[str, int], name: str) -> str:
    """A feature's value on the bar of a symbol that is known at a time, in full; what is not there is nothing."""
    symbol, known = place
    if symbol not in timeline.symbols or name not in timeline.columns:
        return "nothing"
    own = (timeline.times[SYMBOL] == timeline.symbols.index(symbol)) & (timeline.times[TS_EVENT] == known)
    rows = np.flatnonzero(own)
    return repr(float(timeline.columns[name][rows[-1]])) if len(rows) else "nothing"


def _first_row(differs: Callable[[int], bool], rows: int) -> int:
    """The first row that differs, where the first n rows differ for every n beyond it."""
    low, high = 0, rows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(middle) else (middle, high)
    return high - 1


def _moments(base: Ran, points: int, seed: int) -> list[int]:
    """Times of bars: half of them such on which an order was sent, evenly, the others drawn."""
    event = base.engine.timeline.times[TS_EVENT]
    known = np.unique(event)[1:-1]
    sent = base.engine.events
    decided = np.intersect1d(event[sent["row"][np.unique(sent["order"], return_index=True)[1]]], known)
    half = min(points // 2, len(decided))
    chosen = set(decided[np.linspace(0, len(decided) - 1, half).astype(int)].tolist()) if half else set()
    others = np.setdiff1d(known, np.array(sorted(chosen), np.int64))
    drawn = np.random.default_rng(seed).choice(others, min(points - half, len(others)), replace=False)
    return sorted(chosen | set(drawn.tolist()))


def _on_book(settings: BacktestSettings, lake: Lake, points: int, seed: int, tell: Progress) -> Lookahead:
    """The analysis of a strategy on an order book, which reads no features: of its orders and fills."""
    tell("running", 0, 0)
    base = book_check.run(settings, lake)
    if base.error:
        raise StrategyError(base.error, remedy="Mend it: a backtest of it fails in the same way")
    known = np.unique(base.times)[1:-1]
    sent = np.intersect1d(base.reports["ts"], known) if len(base.reports) else known[:0]
    pool = [sent, known] if len(sent) else [known]
    draw = np.random.default_rng(seed)
    share = [points // 2, points - points // 2] if len(pool) == 2 else [points]
    chosen = {
        int(t) for one, n in zip(pool, share, strict=True) for t in draw.choice(one, min(n, len(one)), replace=False)
    }
    leaks: list[Leak] = []
    for number, cut in enumerate(sorted(chosen)):
        tell("changing the future", number, len(chosen))
        for how, difference in book_check.moved(settings, lake, base, cut):
            if difference and not leaks:
                before, _, after = difference.partition("; in the other run ")
                row = int(np.searchsorted(base.times, cut))
                leaks.append(Leak(DECISIONS, settings.data.symbols[0], row, cut, before, after or "another", how, cut))
    notes = [] if len(base.reports) else ["It sent no order: of its decisions nothing could move."]
    return Lookahead("", "", len(base.times), len(chosen), 0, (), tuple(leaks), (), tuple(notes), 0.0)
