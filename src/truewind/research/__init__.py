"""Research: many runs instead of one, to learn what a strategy is worth and how much of that is chance."""

from typing import Any

__all__ = ["sweep"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `import truewind.research` stays light.
    if name == "sweep":
        from truewind.research.sweeps import sweep

        return sweep
    raise AttributeError(f"module 'truewind.research' has no attribute {name!r}")
