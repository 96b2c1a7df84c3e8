"""truewind: from market data to features, honest backtests and live trading, on one code path.

The public surface is the list below; everything is imported on first use, so that `import truewind` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from truewind._version import __version__

if TYPE_CHECKING:
    from truewind import features as features
    from truewind.backtest.run import run as run
    from truewind.domain.result import Result as Result
    from truewind.errors import TruewindError as TruewindError
    from truewind.storage.lake import Lake as Lake
    from truewind.strategies.base import Strategy as Strategy

_PUBLIC = {
    "Lake": "truewind.storage.lake:Lake",
    "Result": "truewind.domain.result:Result",
    "Strategy": "truewind.strategies.base:Strategy",
    "TruewindError": "truewind.errors:TruewindError",
    "features": "truewind.features",
    "run": "truewind.backtest.run:run",
}

__all__ = ["Lake", "Result", "Strategy", "TruewindError", "__version__", "features", "run"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'truewind' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    found = import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
