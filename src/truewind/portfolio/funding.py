"""Funding times as data: each symbol has its own interval, it changes, and the recorded times jitter.

Recorded settlements come some milliseconds after the whole hour that they were due (0 to 17 ms at Binance USD-M), and
intervals are whole hours that a venue may change from one settlement to the next. A settlement is therefore put on
the hour it belongs to, and its interval is the time since the one before, never an assumption of eight hours.
"""

from typing import Any, NamedTuple

import numpy as np

from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US
from truewind.numerics.jit import kernel

JITTER_US = MINUTE_US  # farther than a minute from the hour it is no late settlement but something else
LONGEST_US = DAY_US

# A row is good, not on a whole hour, earlier than the row before, its repetition, or another rate for its hour.
OK, OFF_HOUR, BACKWARDS, REPEATED, CONTRADICTED = range(5)


class FundingTimes(NamedTuple):
    """Settlements on their hours; all arrays as long as the input.

    due_us: the hour that the row belongs to. interval_us: time since the last good row before it, 0 for the first and
    for rows with a problem, -1 where that is no interval. problem: OK, or what is wrong. missing: how many settlements
    are lacking before this row, if the interval of the row before went on.
    """

    due_us: np.ndarray
    interval_us: np.ndarray
    problem: np.ndarray
    missing: np.ndarray


def due_times(ts_us: np.ndarray, rates: np.ndarray) -> FundingTimes:
    """Recorded settlement times (µs, int64, ascending) and their rates, put on the hours they were due."""
    ts_us, rates = np.ascontiguousarray(ts_us, np.int64), np.ascontiguousarray(rates, np.float64)
    times = FundingTimes(*(np.zeros(len(ts_us), np.int64) for _ in range(4)))
    _due_times(ts_us, rates, *times)
    return times


@kernel
def _due_times(ts_us: Any, rates: Any, due_us: Any, interval_us: Any, problem: Any, missing: Any) -> None:
    last = -1
    usual = 0
    for row in range(len(ts_us)):
        due = (ts_us[row] + HOUR_US // 2) // HOUR_US * HOUR_US
        due_us[row] = due
        if abs(ts_us[row] - due) > JITTER_US:
            problem[row] = OFF_HOUR
        elif last >= 0 and due < due_us[last]:
            problem[row] = BACKWARDS
        elif last >= 0 and due == due_us[last]:
            problem[row] = REPEATED if rates[row] == rates[last] else CONTRADICTED
        else:
            if last >= 0:
                gap = due - due_us[last]
                longer = usual > 0 and gap > usual and not _is_interval(gap, row, ts_us)
                if longer or gap > LONGEST_US:
                    missing[row] = max(1, (gap + usual - 1) // usual - 1) if usual > 0 else 1
                    interval_us[row] = -1
                else:
                    interval_us[row] = usual = gap
            last = row


@kernel
def _is_interval(gap: int, row: int, ts_us: Any) -> bool:
    """Whether a longer gap than before is a changed interval: the next settlement does not come sooner again.

    At the last row nothing contradicts it.
    """
    if row + 1 >= len(ts_us):
        return True
    following = (ts_us[row + 1] - ts_us[row] + HOUR_US // 2) // HOUR_US * HOUR_US
    return bool(following >= gap)
