"""Cash settlement: the dates of US rules, and money that may not be spent before it has come in."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from scripted import perpetual, play
from truewind.domain.clock import NEVER
from truewind.domain.instrument import Kind
from truewind.errors import DataError
from truewind.portfolio.margin import MarginSettings
from truewind.portfolio.settlement import settlement_lag, settling_days

# Sessions of the NYSE around Memorial Day (27 May 2024) and Labor Day (4 September 2017).
MAY_2024 = ["2024-05-23", "2024-05-24", "2024-05-28", "2024-05-29", "2024-05-30"]
SEPTEMBER_2017 = ["2017-08-31", "2017-09-01", "2017-09-05", "2017-09-06", "2017-09-07"]
NEW_YORK = "America/New_York"


def ends(sessions: list[str]) -> np.ndarray:
    """16:00 in New York."""
    days = [datetime.fromisoformat(f"{session}T16:00").replace(tzinfo=ZoneInfo(NEW_YORK)) for session in sessions]
    return np.array([int(day.timestamp()) * 1_000_000 for day in days])


@pytest.mark.parametrize(
    ("traded", "sessions", "settles"),
    [
        # The SEC's examples of both conversions: trades before and on the day of change settled on the same day.
        ("2024-05-24", MAY_2024, "2024-05-29"),
        ("2024-05-28", MAY_2024, "2024-05-29"),
        ("2017-09-01", SEPTEMBER_2017, "2017-09-07"),
        ("2017-09-05", SEPTEMBER_2017, "2017-09-07"),
    ],
)
def test_the_two_conversions_of_us_settlement(traded: str, sessions: list[str], settles: str) -> None:
    """T+3 became T+2 on 5 September 2017 and T+1 on 28 May 2024: both days doubled up with the session before.

    The money is there when the session of its settlement begins, after the end of the one before.
    """
    rows = settling_days(ends(sessions), NEW_YORK)
    assert rows["settles"][sessions.index(traded)] == ends(sessions)[sessions.index(settles) - 1]


def test_sales_at_the_end_of_the_data_settle_after_it() -> None:
    """A settlement day is never guessed past the last session."""
    assert settling_days(ends(MAY_2024), NEW_YORK)["settles"].tolist()[-1] == NEVER


def test_trades_before_the_first_rule_are_refused() -> None:
    """No rule, no answer."""
    with pytest.raises(DataError, match="1994-01-03"):
        settlement_lag(date(1994, 1, 3))


@pytest.mark.parametrize(("settled_only", "bought"), [(True, [1, 4]), (False, [1, 3])])
def test_a_cash_account_buys_with_what_has_settled(settled_only: bool, bought: list[int]) -> None:
    """10,000 dollars buy 100 at the open of the first bar, sold again on the 24th: that money is there on the 29th.

    Of purchases for the 28th and the 29th the first is rejected; where money from sales counts at once, it is filled,
    and the second is too much. The bars before the 23rd let the first order be sent.
    """
    sessions = ["2024-05-22", *MAY_2024]
    about = perpetual("AAA", kind=Kind.EQUITY, base="AAA", quote="USD", tick="0.01", lot="1")
    table = {name: np.full(6, 100.0) for name in ("open", "high", "low", "close")} | {"volume": np.full(6, 1e6)}
    engine = play(
        {"AAA": {"ts": ends(sessions) - 3_600_000_000, **table}},
        {0: lambda s: s.buy(100), 1: lambda s: s.sell(100), 2: lambda s: s.buy(100), 3: lambda s: s.buy(100)},
        instruments=[about], currency="USD", cash=10_000.0, leverage=1.0, margin=MarginSettings(), step=3_600_000_000,
        settling=settling_days(ends(sessions), NEW_YORK) if settled_only else None,
    )  # fmt: skip
    assert engine.fills["row"][engine.fills["side"] == 1].tolist() == bought
    assert engine.fills["row"][engine.fills["side"] == -1].tolist() == [2]
