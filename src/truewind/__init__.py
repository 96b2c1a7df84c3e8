"""truewind: from market data to features, honest backtests and live trading, on one code path.

The public surface is the list below and those of `truewind.features`, `strategies`, `market`, `exchange` and `errors`;
everything is imported on first use, so that `import truewind` is instant.
"""

from typing import TYPE_CHECKING

from truewind._public import on_first_use
from truewind._version import __version__

if TYPE_CHECKING:
    from truewind import features as features
    from truewind.backtest.run import run as run
    from truewind.domain.result import Result as Result
    from truewind.errors import TruewindError as TruewindError
    from truewind.research.stress import stress as stress
    from truewind.research.sweeps import sweep as sweep
    from truewind.research.validate import validate as validate
    from truewind.research.walkforward import walkforward as walkforward
    from truewind.storage.lake import Lake as Lake
    from truewind.strategies.base import Strategy as Strategy

_PUBLIC = {
    "Lake": "truewind.storage.lake:Lake",
    "Result": "truewind.domain.result:Result",
    "Strategy": "truewind.strategies.base:Strategy",
    "TruewindError": "truewind.errors:TruewindError",
    "features": "truewind.features",
    "run": "truewind.backtest.run:run",
    "stress": "truewind.research.stress:stress",
    "sweep": "truewind.research.sweeps:sweep",
    "validate": "truewind.research.validate:validate",
    "walkforward": "truewind.research.walkforward:walkforward",
}

__all__ = [
    "Lake",
    "Result",
    "Strategy",
    "TruewindError",
    "__version__",
    "features",
    "run",
    "stress",
    "sweep",
    "validate",
    "walkforward",
]

__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
