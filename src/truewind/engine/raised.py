"""What a strategy's own code raised, as the user is told: whose it was, when, and what to do."""

from typing import Any

from truewind.errors import StrategyError

_REMEDY = "The traceback is in the system log; the journal holds everything until then"


def raised(name: str, error: Exception, at: str, remedy: str = "", **facts: Any) -> StrategyError:
    """The error for what strategy `name` raised. at: where and when, in words; facts: the same for programs."""
    message = f"{name} raised {type(error).__name__} {at}: {error}"
    return StrategyError(message, remedy=remedy or _REMEDY, strategy=name, **facts)
