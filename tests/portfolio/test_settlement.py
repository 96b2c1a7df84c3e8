"""Cash settlement: the dates of US rules and the money that has arrived."""

from datetime import date

import numpy as np
import pytest

from truewind.errors import DataError
from truewind.portfolio.settlement import settled_cash, settlement_day, settlement_lag

# Sessions of the NYSE around Memorial Day (27 May 2024) and Labor Day (4 September 2017).
MAY_2024 = np.array(["2024-05-23", "2024-05-24", "2024-05-28", "2024-05-29", "2024-05-30"], "datetime64[D]")
SEPTEMBER_2017 = np.array(["2017-08-31", "2017-09-01", "2017-09-05", "2017-09-06", "2017-09-07"], "datetime64[D]")


@pytest.mark.parametrize(
    ("traded", "sessions", "settles"),
    [
        # The SEC's examples of both conversions: trades before and on the day of change settled on the same day.
        (date(2024, 5, 24), MAY_2024, date(2024, 5, 29)),
        (date(2024, 5, 28), MAY_2024, date(2024, 5, 29)),
        (date(2017, 9, 1), SEPTEMBER_2017, date(2017, 9, 7)),
        (date(2017, 9, 5), SEPTEMBER_2017, date(2017, 9, 7)),
    ],
)
def test_the_two_conversions_of_us_settlement(traded: date, sessions: np.ndarray, settles: date) -> None:
    """T+3 became T+2 on 5 September 2017 and T+1 on 28 May 2024: both days doubled up with the session before."""
    assert settlement_day(traded, sessions, settlement_lag(traded)) == settles


def test_same_day_settlement() -> None:
    """A lag of zero is the trade date itself, session or not."""
    assert settlement_day(date(2024, 5, 25), MAY_2024, 0) == date(2024, 5, 25)


def test_a_calendar_that_ends_too_soon_is_refused() -> None:
    """A settlement day is never guessed past the end of the calendar."""
    with pytest.raises(DataError, match="calendar ends on 2024-05-30"):
        settlement_day(date(2024, 5, 30), MAY_2024, 1)


def test_trades_before_the_first_rule_are_refused() -> None:
    """No rule, no answer."""
    with pytest.raises(DataError, match="1994-01-03"):
        settlement_lag(date(1994, 1, 3))


def test_sales_count_when_they_have_settled() -> None:
    """Of 1,000 with a sale of 300 due today and one of 200 due tomorrow 800 are settled; purchases change nothing."""
    amounts = np.array([300, 200, -400])
    due = np.array(["2024-05-29", "2024-05-30", "2024-05-30"], "datetime64[D]")
    assert settled_cash(1_000, amounts, due, date(2024, 5, 29)) == 800
    assert settled_cash(1_000, amounts, due, date(2024, 5, 30)) == 1_000
