"""The checks of `backtest.check` for strategies on an order book.

Here the future is changed by displaying and trading three times as much of everything, which leaves a book that can be;
and it is cut off.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from truewind.backtest.book_run import BookJob
from truewind.backtest.changed import Changed, more_displayed
from truewind.backtest.points import FAILED, NOTE, PASSED, Verdict, tried
from truewind.backtest.settings import BacktestSettings
from truewind.domain.book import Report
from truewind.domain.clock import iso
from truewind.domain.order import Reason
from truewind.errors import ConfigError, DataError, StrategyError
from truewind.storage.lake import Lake
from truewind.strategies.parameters import parameters_of

_CUTS = 4
_FEW, _SHORT = 50, 20_000  # rows of the book, with which nothing can be known yet, and on which parameters are tried


class Ran(NamedTuple):
    """One run: its records, the market's times, and what it raised, "" if nothing."""

    reports: np.ndarray
    fills: np.ndarray
    samples: np.ndarray
    times: np.ndarray
    error: str


def checks(settings: BacktestSettings, lake: Lake) -> tuple[str, Iterator[tuple[str, Callable[[], Verdict]]]]:
    """On what it is run, and the checks by name. Raises as a backtest does before it begins."""
    base = run(settings, lake)
    every = {
        "determinism": lambda: _determinism(settings, lake, base),
        "causality": lambda: _causality(settings, lake, base),
        "lane parity": lambda: _parity(settings, lake, base),
        "missing": lambda: _missing(settings, lake, base),
        "bounds": lambda: _bounds(settings, lake, base),
    }
    return f"{len(base.times):,} rows of the book of {settings.data.symbols[0]}", iter(every.items())


def run(settings: BacktestSettings, lake: Lake) -> Ran:
    """One run. What the strategy raises is part of the answer."""
    job = BookJob(settings, lake)
    nothing = np.zeros(0, np.int64)
    try:
        result = job.play()
    except StrategyError as error:
        return Ran(nothing, nothing, nothing, job.times, str(error))
    return Ran(result.reports, result.fills, result.samples, job.times, "")


def _until(settings: BacktestSettings, end_us: int) -> BacktestSettings:
    return settings.model_copy(update={"data": settings.data.model_copy(update={"end": iso(end_us)})})


def _determinism(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    if base.error:
        return FAILED, base.error
    difference = _differing(base, run(settings, lake))
    if difference:
        return FAILED, f"a second run on the same data differs: {difference}"
    said = f"{np.count_nonzero(base.reports['kind'] == Report.SUBMITTED):,} orders, {len(base.fills):,} fills"
    return (PASSED, said) if len(base.fills) else (NOTE, f"{said}: nothing to compare")


def _causality(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    if not len(base.reports):
        return NOTE, "it sent no order: nothing that could move"
    shares = np.linspace(0.0, 1.0, _CUTS + 2)[1:-1]
    for cut in [int(base.times[int(share * (len(base.times) - 1))]) for share in shares]:
        for how, difference in moved(settings, lake, base, cut):
            if difference:
                return FAILED, f"{how} {iso(cut)}, and what was before it moved: {difference}"
    return PASSED, f"the future changed and cut off at {_CUTS} moments: nothing moved"


def moved(settings: BacktestSettings, lake: Lake, base: Ran, cut: int) -> Iterator[tuple[str, str]]:
    """How the future of `cut` (µs) was changed, and what differs first before it; "" if nothing does."""
    changed = Changed(lake, more_displayed(cut))
    yield "what comes after was changed, after", _differing(base, run(settings, changed), cut)
    # A run ends with its last row: what would be received, and answered, between that and the cut does not happen.
    last = int(base.times[max(0, int(np.searchsorted(base.times, cut)) - 1)])
    yield "the data were cut off at", _differing(base, run(_until(settings, cut), lake), last)


def _parity(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    compiled = settings.model_copy(update={"lane": "compiled"})
    try:
        job = BookJob(compiled, lake)
    except StrategyError as error:
        return PASSED, f"runs in the event lane only: {error.message}"
    result = job.play()
    difference = _differing(base, Ran(result.reports, result.fills, result.samples, job.times, ""))
    if difference:
        return FAILED, f"the compiled lane, the other run here, differs: {difference}"
    return PASSED, "orders, fills and equity of both lanes are the same bits"


def _missing(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    rows = min(_FEW, len(base.times) - 1)
    while True:
        try:
            ran = run(_until(settings, int(base.times[rows]) + 1), lake)
            break
        except DataError:  # the snapshot of a recording may come after messages that build on it
            if rows == len(base.times) - 1:
                raise
            rows = min(4 * rows, len(base.times) - 1)
    return (FAILED, f"a few messages of the book: {ran.error}") if ran.error else (PASSED, "a few messages of the book")


def _bounds(settings: BacktestSettings, lake: Lake, base: Ran) -> Verdict:
    chosen = settings.chosen
    short = _until(settings, int(base.times[min(_SHORT, len(base.times) - 1)]) + 1)
    kind: Any = type(BookJob(short, lake).strategy)

    def accepted(params: dict[str, Any]) -> bool:
        try:
            kind(**params)
        except ConfigError:
            return False
        return True

    def error(params: dict[str, Any]) -> str:
        return run(short.model_copy(update={"strategy": chosen.model_copy(update={"params": params})}), lake).error

    return tried(parameters_of(kind.Params), chosen.params, accepted, error)


def _differing(first: Ran, second: Ran, cut_us: int | None = None) -> str:
    """What differs first between two runs, of what happened before `cut_us` if that is given; "" if nothing does."""
    if second.error:
        return f"the other run raised {second.error}"
    for name in ("reports", "fills", "samples"):
        one, two = (_before(getattr(ran, name), cut_us) for ran in (first, second))
        if (name == "samples" and cut_us is not None) or one.tobytes() == two.tobytes():
            continue
        shared = min(len(one), len(two))
        at = next((i for i in range(shared) if one[i].tobytes() != two[i].tobytes()), shared)
        return f"{_words(name, one, at)}; in the other run {_words(name, two, at)}"
    return ""


def _before(records: np.ndarray, cut_us: int | None) -> np.ndarray:
    if cut_us is None:
        return records
    kept: np.ndarray = records[records["ts"] < cut_us]
    return kept[kept["reason"] != Reason.END_OF_DATA] if "reason" in (kept.dtype.names or ()) else kept


def _words(name: str, records: np.ndarray, at: int) -> str:
    if at >= len(records):
        return "nothing"
    record = records[at]
    if name == "reports":
        side = "buy" if record["side"] > 0 else "sell"
        what = f"order {record['order']} ({side}) {Report(int(record['kind'])).name.lower()}"
    else:
        what = "a fill" if name == "fills" else "equity"
    return f"{what} at {iso(int(record['ts']))}"
