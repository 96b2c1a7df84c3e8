"""Children: runs that put another to the test, as trials of the ledger that are part of it.

They are recorded with their kind, so that it can be seen what was looked at; they are no choices, and the deflated
Sharpe ratio does not count them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from truewind.backtest.recording import facts_of, judged_by, metrics_of
from truewind.backtest.settings import BacktestSettings
from truewind.domain.clock import WallClock
from truewind.errors import DataError
from truewind.research.spans import Ran
from truewind.storage.trials import Trial, TrialLedger


def part_of(parent: str, trial: Trial, what: Mapping[str, Any]) -> Trial:
    """`trial` as a part of another; what: how it differs from that."""
    told = orjson.dumps(dict(what), option=orjson.OPT_SORT_KEYS)
    made = hashlib.sha256(parent.encode() + b"\n" + told).hexdigest()[:16]
    return msgspec.structs.replace(trial, id=made, kind="validation", parent=parent, params=dict(what), run_dir="")


def known_to(ledger: TrialLedger, name: str) -> bool:
    """Whether the ledger has a trial of that id."""
    try:
        return ledger.get(name).id == name
    except DataError:
        return False


def of_span(settings: BacktestSettings, known: Mapping[str, str], ran: Ran) -> Trial:
    """The trial that a run on a span is. known: its identity."""
    return Trial(
        id=known["result_id"],
        kind="validation",
        **facts_of(settings, known, (int(ran.ts_us[0]), int(ran.ts_us[-1]))),
        params={},
        metrics=metrics_of(ran.figures()),
        **judged_by(ran.days, ran.returns),
        created_us=WallClock().now_us(),
    )
