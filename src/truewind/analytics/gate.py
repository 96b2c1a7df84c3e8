"""Gate: may a result be trusted enough to be traded on paper, and then with money? Pass or fail, with reasons.

    run, ledger, validation → Evidence → judge → Judgement

What has not been tested is never a pass. A backtest alone can fail, but it cannot pass: it has seen its own future.
Why each rule is as it is, and how often noise and true edges pass all of them: docs/gate.md.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from pydantic import Field

from truewind.config import Settings

State = Literal["passed", "failed", "not tested"]


class GateSettings(Settings):
    """The `gate:` part of a config: what each rule asks for."""

    chance: float = Field(
        default=0.05, gt=0.0, le=0.5, description="greatest chance that the best of all tries is as good by luck"
    )
    overfit: float = Field(
        default=0.5, ge=0.0, le=1.0, description="greatest probability of backtest overfitting; 0.5 is blind choice"
    )
    overfit_loss: float = Field(
        default=0.25, ge=0.0, le=1.0, description="… unless what was chosen lost in no larger share of the splits"
    )
    efficiency: float = Field(
        default=0.1, ge=0.0, le=1.0, description="least share of the learnt return that walk-forward tests kept"
    )
    profitable: float = Field(default=0.5, ge=0.0, le=1.0, description="least share of walk-forward tests with a gain")
    windows: int = Field(default=4, ge=1, le=1000, description="fewest walk-forward tests that say anything")
    trades: int = Field(default=30, ge=1, le=1_000_000, description="fewest closed trades")
    days: int = Field(default=180, ge=2, le=100_000, description="shortest record of daily returns")
    drawdown: float = Field(default=0.2, gt=0.0, le=1.0, description="deepest fall of equity")
    stressed_return: float = Field(default=0.0, ge=-1.0, le=10.0, description="least net return at twice the costs")
    stability: float = Field(
        default=0.5, ge=0.0, le=1.0, description="least share of neighbouring settings that made money"
    )


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a result. None: not tested; NaN: not defined; `reasons` says why, by the names of rules.

    tried: trials that it was chosen among (raw number). luck: the chance that the best of them looks as good by luck,
    from the ledger (`analytics.luck`). superior: the same by Hansen's test of the returns themselves, of `tested`
    trials. deflated: the deflated Sharpe ratio. overfit, overfit_loss: `numerics.overfit.cscv`. efficiency,
    profitable, windows: of a walk-forward: return of the tests over that of the trainings (annualised both), share of
    tests that gained, and how many there were. days, trades, drawdown: of the run. needed_days: minimum track record
    length against 0, NaN where no record would do. stressed_return: net return at twice the costs. stability: share of
    neighbouring settings that made money. leaks: columns and rows that look into the future, as found.
    """

    tried: int | None = None
    luck: float | None = None
    superior: float | None = None
    tested: int = 0
    deflated: float | None = None
    overfit: float | None = None
    overfit_loss: float | None = None
    efficiency: float | None = None
    profitable: float | None = None
    windows: int | None = None
    days: int | None = None
    needed_days: float | None = None
    trades: int | None = None
    drawdown: float | None = None
    stressed_return: float | None = None
    stability: float | None = None
    leaks: int | None = None
    reasons: Mapping[str, str] = {}


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says. must: whether nothing passes without it. value and threshold in the units of `kind` (as in
    `analytics.figures`), None where there is none. sentence: the whole of it in words.
    """

    name: str
    title: str
    must: bool
    state: State
    value: float | None
    threshold: float
    kind: str
    sentence: str


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """passed: False if any rule failed, None if none did but one that must hold was not tested. sentence: the verdict
    in words, with what failed or is missing.
    """

    passed: bool | None
    rules: tuple[Ruling, ...]
    sentence: str

    def of(self, state: State) -> tuple[Ruling, ...]:
        """The rules in this state."""
        return tuple(rule for rule in self.rules if rule.state == state)


def judge(evidence: Evidence, settings: GateSettings | None = None) -> Judgement:
    """The verdict on what is known. Never raises, whatever is missing or not defined."""
    asked = settings or GateSettings()
    rules = tuple(rule(evidence, asked) for rule in _RULES)
    failed = [rule for rule in rules if rule.state == "failed"]
    missing = [rule for rule in rules if rule.state == "not tested" and rule.must]
    if failed:
        sentence = f"Fails the gate: {_listed(failed)}."
        return Judgement(passed=False, rules=rules, sentence=sentence)
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        sentence = f"Not decided: nothing speaks against it yet, but {_listed(missing)} {verb} not tested."
        return Judgement(passed=None, rules=rules, sentence=sentence)
    beside = [rule for rule in rules if rule.state == "not tested"]
    note = f" (not tested: {_listed(beside)})" if beside else ""
    return Judgement(passed=True, rules=rules, sentence=f"Passes the gate: all rules that were tested hold{note}.")


def _listed(rules: list[Ruling]) -> str:
    titles = [rule.title for rule in rules]
    return " and ".join([", ".join(titles[:-1]), titles[-1]]) if len(titles) > 1 else titles[0]


def _luck(known: Evidence, asked: GateSettings) -> Ruling:
    # Hansen's test sees the returns themselves, but only trials of one sweep; the ledger knows all that was ever tried,
    # but of returns only what a sketch tells. Neither may say that it is luck; without the ledger nobody knows.
    chance = known.luck
    if chance is not None and known.superior is not None:
        chance = math.nan if math.isnan(known.superior) else max(chance, known.superior)
    of = f"{max(known.tried or 0, known.tested):,} tries" if max(known.tried or 0, known.tested) > 1 else "one try"
    return _ruling(
        "luck",
        "luck",
        known,
        chance,
        asked.chance,
        at_most=True,
        said=f"The best of {of} would look as good by luck alone with a chance of {_percent(chance)}",
    )


def _overfit(known: Evidence, asked: GateSettings) -> Ruling:
    loss = known.overfit_loss
    sound = loss is not None and loss <= asked.overfit_loss
    # Where all settings are about equally good it is chance which one leads, and PBO is near a half: that is no fault.
    held = None if known.overfit is None else sound or known.overfit <= asked.overfit
    lost = "" if loss is None else f", and lost money there in {_percent(loss)}"
    return _ruling(
        "overfit",
        "overfitting",
        known,
        known.overfit,
        asked.overfit,
        at_most=True,
        must=False,
        held=held,
        said=f"What was best in one half of the past was below the median in the other in {_percent(known.overfit)} "
        f"of all splits{lost}",
        limit=f"at most {_percent(asked.overfit)} is asked, or losses in at most {_percent(asked.overfit_loss)}",
    )


def _efficiency(known: Evidence, asked: GateSettings) -> Ruling:
    few = known.windows is not None and known.windows < asked.windows
    value = math.nan if few and known.efficiency is not None else known.efficiency
    reason = f"{known.windows} tests are too few, {asked.windows} are asked" if few else ""
    return _ruling(
        "walk_forward",
        "walk-forward efficiency",
        known,
        value,
        asked.efficiency,
        at_most=False,
        said=f"Settings chosen on the past alone kept {_percent(value)} of their return afterwards",
        reason=reason,
    )


def _profitable(known: Evidence, asked: GateSettings) -> Ruling:
    return _ruling(
        "windows",
        "walk-forward tests with a gain",
        known,
        known.profitable,
        asked.profitable,
        at_most=False,
        said=f"{_percent(known.profitable)} of {known.windows or 0} walk-forward tests made money",
    )


def _trades(known: Evidence, asked: GateSettings) -> Ruling:
    value = None if known.trades is None else float(known.trades)
    return _ruling(
        "trades",
        "number of trades",
        known,
        value,
        asked.trades,
        kind="count",
        at_most=False,
        said=f"{known.trades or 0:,} closed trades",
        limit=f"at least {asked.trades:,} are asked",
    )


def _record(known: Evidence, asked: GateSettings) -> Ruling:
    needed = known.needed_days
    least = asked.days if needed is None or math.isnan(needed) else max(asked.days, math.ceil(needed))
    value = None if known.days is None else float(known.days)
    hopeless = needed is not None and math.isnan(needed)
    return _ruling(
        "record",
        "length of the record",
        known,
        value,
        least,
        kind="days",
        at_most=False,
        held=False if hopeless and value is not None else None,
        said=f"{known.days or 0:,} daily returns",
        limit="no record of such returns would be long enough"
        if hopeless
        else f"at least {least:,} are asked for such a Sharpe ratio to be above 0",
    )


def _drawdown(known: Evidence, asked: GateSettings) -> Ruling:
    return _ruling(
        "drawdown",
        "drawdown",
        known,
        known.drawdown,
        asked.drawdown,
        at_most=True,
        said=f"Equity fell by {_percent(known.drawdown)} at most",
    )


def _costs(known: Evidence, asked: GateSettings) -> Ruling:
    return _ruling(
        "costs",
        "twice the costs",
        known,
        known.stressed_return,
        asked.stressed_return,
        at_most=False,
        said=f"At twice the costs the net return is {_percent(known.stressed_return)}",
    )


def _stability(known: Evidence, asked: GateSettings) -> Ruling:
    return _ruling(
        "stability",
        "stability of the settings",
        known,
        known.stability,
        asked.stability,
        at_most=False,
        must=False,
        said=f"{_percent(known.stability)} of the neighbouring settings made money",
    )


def _leaks(known: Evidence, asked: GateSettings) -> Ruling:
    value = None if known.leaks is None else float(known.leaks)
    return _ruling(
        "look_ahead",
        "look-ahead",
        known,
        value,
        0.0,
        kind="count",
        at_most=True,
        said="Nothing was found that looks into the future"
        if not known.leaks
        else f"{known.leaks:,} places look into the future",
        limit="none is allowed",
    )


_RULES: tuple[Callable[[Evidence, GateSettings], Ruling], ...] = (
    *(_luck, _overfit, _efficiency, _profitable, _trades, _record, _drawdown, _costs, _stability, _leaks),
)


def _ruling(
    name: str,
    title: str,
    known: Evidence,
    value: float | None,
    threshold: float,
    *,
    at_most: bool,
    said: str,
    limit: str = "",
    kind: str = "fraction",
    must: bool = True,
    held: bool | None = None,
    reason: str = "",
) -> Ruling:
    """held: whether the rule holds, where that is more than a comparison. limit: what is asked, in words."""
    state: State = "not tested"
    limit = limit or f"at {'most' if at_most else 'least'} {_percent(threshold)} is asked"
    if value is None or math.isnan(value):
        nothing = "nothing is known of it" if value is None else "it is not defined"
        sentence = f"Not tested: {reason or known.reasons.get(name) or nothing}; {limit}."
        value = None
    else:
        if held is None:
            held = value <= threshold if at_most else value >= threshold
        state = "passed" if held else "failed"
        sentence = f"{said}; {limit}."
    return Ruling(
        name=name, title=title, must=must, state=state, value=value, threshold=threshold, kind=kind, sentence=sentence
    )


def _percent(value: float | None) -> str:
    """ "7 %", "0.4 %", "under 0.1 %": as many digits as a chance needs; and 100 % is all of it."""
    if value is None or math.isnan(value):
        return "–"
    shown = value * 100.0
    if 0.0 < shown < 0.1:
        return "under 0.1 %"
    if 99.5 <= shown < 100.0:
        return "over 99 %"
    return f"{shown:.2g} %" if abs(shown) < 10.0 else f"{shown:.0f} %"
