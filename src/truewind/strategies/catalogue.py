"""The built-in strategies by their short names: `strategies/<market>/<name>.py` has the strategy `<name>`."""

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any

from truewind.errors import ConfigError, suggest

MARKETS = ("crypto", "equities", "fx")


@cache
def names() -> dict[str, str]:
    """Module of each built-in strategy by short name, in order. Nothing of theirs is imported."""
    found = {}
    for market in MARKETS:
        try:
            package = importlib.import_module(f"truewind.strategies.{market}")
        except ModuleNotFoundError:
            continue
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                found[module.name] = f"{package.__name__}.{module.name}"
    return dict(sorted(found.items()))


def path_of(name: str) -> str:
    """ "package.module:Class" of the built-in strategy `name`. Raises ConfigError with the closest name."""
    known = names()
    if name not in known:
        raise ConfigError(f"There is no built-in strategy '{name}'", remedy=suggest(name, known))
    module = importlib.import_module(known[name])
    return f"{known[name]}:{strategy_in(module).__name__}"


def strategy_in(module: Any) -> type[Any]:
    """The one strategy class that a module defines. Raises ConfigError if there is none, or more than one."""
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__ and hasattr(value, "Params")
        and not inspect.isabstract(value)
    ]  # fmt: skip
    if len(found) != 1:
        listed = ", ".join(each.__name__ for each in found) or "none"
        raise ConfigError(
            f"{module.__name__} has {len(found)} strategies ({listed})", remedy="Name one of them: module:Class"
        )
    return found[0]
