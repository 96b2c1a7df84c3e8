"""Stress: the same backtest again, under conditions that were worse than they were.

    config → the run as it was → one run a shock → what each leaves of return, Sharpe ratio and drawdown

Costs and latency are other settings; funding is changed where it is paid, so that a strategy that reads it decides as
before; a gap is changed data: from the worst moment on all prices of what is held stand elsewhere. Each run is a whole
backtest, in whatever lane its settings say.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from truewind.backtest.bar_run import BarJob
from truewind.backtest.book_run import BookJob
from truewind.backtest.changed import Changed, Remembered, gapped
from truewind.backtest.recording import trial_of
from truewind.backtest.run import identity
from truewind.backtest.settings import BacktestSettings, load_config
from truewind.backtest.standin import supply
from truewind.domain.clock import WallClock, iso
from truewind.domain.due import DueKind
from truewind.domain.ports import Progress
from truewind.domain.timeframe import timeframe_us
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, SYMBOL, TS_EVENT
from truewind.errors import TruewindError
from truewind.research.children import known_to, part_of
from truewind.storage.journal import JournalWriter
from truewind.storage.lake import Lake
from truewind.storage.trials import Trial, open_ledger
from truewind.venues.binance.terms import bnb_discount, fee_tables

TWICE = "costs × 2"  # the shock that the gate asks about
GAP = 0.10  # how far prices jump, as a fraction
_MOST_FEE, _MOST_SPREAD_BPS, _MOST_IMPACT, _MOST_MS = 0.05, 500.0, 100.0, 86_400_000.0  # what settings allow
FIGURES = ("net_return", "sharpe", "max_drawdown", "trades", "fees", "funding")


class Stressed(NamedTuple):
    """One run. name: of the shock. note: what was done, or why there are no figures. figures: those of FIGURES as a
    summary has them, None where one is not defined; empty if the run could not be made.
    """

    name: str
    note: str
    figures: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """As reports and JSON show it."""
        return {"name": self.name, **{name: self.figures.get(name) for name in FIGURES}, "note": self.note}


class StressTable(NamedTuple):
    """The run as it was, first, and under each shock. result_id: of the run as it was."""

    runs: tuple[Stressed, ...]
    result_id: str

    def under(self, name: str) -> Stressed:
        """The run under one shock, by its name."""
        return next(run for run in self.runs if run.name == name)

    def as_list(self) -> list[dict[str, Any]]:
        """The runs as plain values: what `validation.json` holds under `stress`."""
        return [run.as_dict() for run in self.runs]


class _Shock(NamedTuple):
    """note: what is done. settings: the run's, or a reason why there is none. lake: the market, if it is another.
    spoil: done to the engine before it starts.
    """

    name: str
    note: str
    settings: BacktestSettings | str
    lake: Lake | None = None
    spoil: Callable[[Engine], None] | None = None


def stress(
    config: str | Path | Mapping[str, Any] | BacktestSettings,
    *,
    overrides: Sequence[str] = (),
    lake: str | Path | Lake = "data",
    gap: float = GAP,
    database: str | Path | None = None,
    progress: Progress | None = None,
) -> StressTable:
    """Run `config` as it is and under each shock.

    gap: how far prices jump against what is held, as a fraction. A shock under which the run fails has the reason for
    its note. database: of the ledger of trials, as of a backtest; shocks are parts of the run as it is, which is a
    trial like any other. Raises as a backtest if the run as it is cannot be made.
    """
    settings = config if isinstance(config, BacktestSettings) else load_config(config, overrides)
    tell = progress or (lambda stage, done, total: None)
    source = lake if isinstance(lake, Lake) else Lake(lake)
    tell("reading data", 0, 0)
    supply(settings.data, source, tell)
    remembered, ledger = Remembered(source), open_ledger(database)
    base = _Shock("as it was", "", settings)
    ran = _ran(base, remembered)
    trial = ran.trial
    found, trials = [Stressed(base.name, base.note, ran.figures)], []
    if ledger is not None and not known_to(ledger, trial.id):
        trials.append(trial)
    shocks = list(_shocks(settings, remembered, ran.job, gap))
    for number, shock in enumerate(shocks, 1):
        tell("stressing", number, len(shocks) + 1)
        if isinstance(shock.settings, str):
            found.append(Stressed(shock.name, shock.settings, {}))
            continue
        try:
            ran = _ran(shock, remembered)
        except TruewindError as error:
            found.append(Stressed(shock.name, f"not defined: {error.message}", {}))
            continue
        found.append(Stressed(shock.name, shock.note, ran.figures))
        trials.append(part_of(trial.id, ran.trial, {"shock": shock.name}))
    if ledger is not None:
        ledger.record(trials)
    return StressTable(tuple(found), trial.id)


class _Ran(NamedTuple):
    """A finished run: its job, its figures as a backtest sums them up, and the trial that it is."""

    job: BarJob | BookJob
    figures: dict[str, Any]
    trial: Trial


def _ran(shock: _Shock, lake: Lake) -> _Ran:
    assert isinstance(shock.settings, BacktestSettings)
    settings, started = shock.settings, WallClock().now_us()
    job = (BookJob if settings.data.on_book else BarJob)(settings, shock.lake or lake)
    if shock.spoil is not None and isinstance(job, BarJob):
        shock.spoil(job.engine)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with JournalWriter(folder / "journal.twj") as journal:
            job.run(journal, lambda stage, done, total: None)
        summary, _ = job.write(folder)
        known = identity(settings, job.snapshot, job.strategy)
        trial = trial_of(job.settings, known, summary, folder, kind="backtest", created_us=started)
    figures = {name: summary.get(name) for name in FIGURES}
    return _Ran(job, figures, msgspec.structs.replace(trial, run_dir=""))


def _shocks(settings: BacktestSettings, lake: Lake, job: BarJob | BookJob, gap: float) -> Sequence[_Shock]:
    on_book = settings.data.on_book
    dear = "fees twice as large" if on_book else "fees, half the spread and impact twice as large"
    shown = "not defined: a run on an order book trades against what was displayed"
    worst = settings.model_copy(update={"costs": settings.costs.model_copy(update={"market_fill": "worst"})})
    return (
        _Shock(TWICE, dear, _dearer(settings, 2.0)),
        _Shock("costs × 3", "thrice as large", _dearer(settings, 3.0)),
        _Shock("worst price", "market and stop orders get the worst price of their bar",
               shown if on_book else worst),
        _Shock("latency × 10", "of orders and replies", _slower(settings)),
        _Shock("one bar later", "orders reach the venue a bar after they were sent", _later(settings)),
        *_of_funding(settings, job),
        _gap(settings, lake, job, gap),
    )  # fmt: skip


def _dearer(settings: BacktestSettings, times: float) -> BacktestSettings:
    """Fees, half the spread and impact `times` as large; a rebate that much smaller."""
    costs = settings.costs
    maker, taker = costs.maker_fee, costs.taker_fee
    paid_in = costs.fee_currency
    if costs.fees == "venue":  # dated rates are no setting: the latest ones, times as large, for all of the run
        latest = fee_tables(settings.data.venue, costs.vip_level)[-1]
        share = 1.0 - float(bnb_discount(settings.data.venue)) if paid_in == "bnb" else 1.0
        maker, taker = float(latest.maker) * share, float(latest.taker) * share
    changed = {
        "fees": "fixed",
        "fee_currency": "settled" if paid_in == "bnb" else paid_in,
        "maker_fee": min(maker * times, _MOST_FEE) if maker > 0.0 else maker / times,
        "taker_fee": min(taker * times, _MOST_FEE),
        "half_spread_bps": min(costs.half_spread_bps * times, _MOST_SPREAD_BPS),
        "impact": min(costs.impact * times, _MOST_IMPACT),
    }
    return settings.model_copy(update={"costs": costs.model_copy(update=changed)})


def _slower(settings: BacktestSettings) -> BacktestSettings | str:
    """Ten times the latency of orders and replies."""
    on_book = settings.data.on_book
    latency = settings.book.latency if on_book else settings.latency
    if latency.model == "recorded":
        return "not defined: the latencies are those that were measured"
    slow = {name: min(getattr(latency, name) * 10.0, _MOST_MS) for name in ("entry_ms", "reply_ms", "load_ms")}
    slow["load_ms"] = min(slow["load_ms"], 1000.0)
    changed = latency.model_copy(update=slow)
    if on_book:
        return settings.model_copy(update={"book": settings.book.model_copy(update={"latency": changed})})
    return settings.model_copy(update={"latency": changed})


def _later(settings: BacktestSettings) -> BacktestSettings | str:
    """Each order arrives one bar after it was sent."""
    if settings.data.kind != "bars":
        return f"not defined: a run on {settings.data.kind} has no bars"
    length = timeframe_us(settings.data.timeframe) / 1000.0
    if length > _MOST_MS:
        return f"not defined: a bar of {settings.data.timeframe} is longer than an order may take"
    latency = settings.latency.model_copy(update={"model": "constant", "entry_ms": length, "load_ms": 0.0})
    return settings.model_copy(update={"latency": latency})


# -- funding -----------------------------------------------------------------------------------------------------------


def _of_funding(settings: BacktestSettings, job: BarJob | BookJob) -> tuple[_Shock, ...]:
    names = ("funding × 2", "funding against it")
    notes = ("rates twice as large", "every rate as large as it was, but paid by what was held")
    if isinstance(job, BookJob):
        reason = "not defined: a recording of an order book is too short for funding to matter"
        return tuple(_Shock(name, "", reason) for name in names)
    dues = job.engine.state.dues
    if not (dues["kind"] == DueKind.FUNDING).any():
        return tuple(_Shock(name, "", "not defined: no funding falls due in this run") for name in names)
    against = _against(job.engine)
    spoils = _double, lambda engine: _set(engine, against)
    return tuple(
        _Shock(name, note, settings, None, spoil) for name, note, spoil in zip(names, notes, spoils, strict=True)
    )


def _double(engine: Engine) -> None:
    engine.state.dues["amount"][engine.state.dues["kind"] == DueKind.FUNDING] *= 2


def _set(engine: Engine, amounts: np.ndarray) -> None:
    engine.state.dues["amount"][:] = amounts


def _against(engine: Engine) -> np.ndarray:
    """The amounts of all dues of a finished run, with those of funding paid by the side that was held then."""
    dues, heads = engine.state.dues, engine.state.positions[: len(engine.instruments)]
    amounts: np.ndarray = dues["amount"].copy()
    ends = heads["last_due"].astype(int)
    for symbol, last in enumerate(ends.tolist()):
        rows = np.arange(ends[symbol - 1] if symbol else 0, last)
        rows = rows[dues["kind"][rows] == DueKind.FUNDING]
        side = np.sign(_held(engine, symbol, "ts", dues["ts"][rows]))
        amounts[rows] = np.where(side == 0, amounts[rows], np.abs(amounts[rows]) * side)
    return amounts


def _held(engine: Engine, symbol: int, by: Literal["ts", "row"], places: np.ndarray) -> np.ndarray:
    """Net lots of a symbol that were held before each place, of time or of rows."""
    fills, found = engine.fills, np.zeros(len(places), np.int64)
    own = fills[fills["symbol"] == symbol]
    for leg in np.unique(own["leg"]).tolist():
        part = own[own["leg"] == leg]
        lots = np.concatenate(([0], part["position"]))
        found += lots[np.searchsorted(part[by], places, side="left")]
    return found


# -- a gap -------------------------------------------------------------------------------------------------------------


def _gap(settings: BacktestSettings, lake: Lake, job: BarJob | BookJob, gap: float) -> _Shock:
    name = f"gap of {gap:.0%}"
    if isinstance(job, BookJob):
        return _Shock(name, "", "not defined: a displayed book cannot be moved without its orders")
    found = _worst_moment(job.engine)
    if found is None:
        return _Shock(name, "", "not defined: nothing was held that another position did not hedge")
    moment, sides = found
    factors = {}
    for instrument in job.engine.instruments:
        key = job.settings.data.key(instrument.name)
        factors[key.venue, key.symbol] = 1.0 - sides.get(instrument.base, 0) * gap
    held = ", ".join(f"{base} {'long' if side > 0 else 'short'}" for base, side in list(sides.items())[:3])
    more = f" and {len(sides) - 3} more" if len(sides) > 3 else ""
    note = f"at {iso(moment)}, when most was held, prices jump against it: {held}{more}"
    return _Shock(name, note, settings, Changed(lake, gapped(factors, moment)))


def _worst_moment(engine: Engine) -> tuple[int, dict[str, int]] | None:
    """When most was held for its equity, of moments at which bars became known, and the side of each asset then.

    What is held of one asset (a perpetual against spot, one expiry against another) is summed, since its prices jump
    together: a hedge stands. None if nothing was held at any moment, the last one left out: no price comes after it.
    """
    timeline = engine.timeline
    event = timeline.times[TS_EVENT]
    moments = np.unique(event)[:-1]
    passed = np.searchsorted(event, moments, side="right")  # rows; what fills later fills at prices after the gap
    net: dict[str, np.ndarray] = {}
    for symbol, instrument in enumerate(engine.instruments):
        held = _held(engine, symbol, "row", passed)
        rows = np.flatnonzero(timeline.times[SYMBOL] == symbol)
        seen = np.searchsorted(event[rows], moments, side="right") - 1
        close = np.where(seen >= 0, timeline.prices[CLOSE][rows[np.maximum(seen, 0)]], 0.0)
        size = float(instrument.lot_size) * float(instrument.multiplier)
        worth = held * size * (1.0 if instrument.inverse else close)
        net[instrument.base] = net.get(instrument.base, np.zeros(len(moments))) + worth
    equity = engine.equity[passed - 1]
    share = np.divide(sum(map(np.abs, net.values())), equity, out=np.zeros(len(moments)), where=equity > 0.0)
    if not len(share) or not share.max() > 0.0:
        return None
    at = int(np.argmax(share))
    return int(moments[at]), {base: int(np.sign(worth[at])) for base, worth in net.items() if worth[at]}
