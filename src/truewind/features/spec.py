"""Specs: features written as text, `sma(20)`, `ema(20, high)`, `rsi`, `my.module:MyFeature(length=5)`.

    spec      = name | name "(" [argument {"," argument}] ")"
    argument  = number | column | parameter "=" number | "source" "=" column

What is left out takes its default. The name is a registered one or an import path.
"""

import importlib
import re
from collections.abc import Iterable, Sequence

from truewind.errors import FeatureError, suggest
from truewind.features.base import REGISTRY, Feature

_SPEC = re.compile(r"\s*([A-Za-z_][\w.]*(?::[A-Za-z_]\w*)?)\s*(?:\(([^()]*)\))?\s*")
_NAME = re.compile(r"[A-Za-z_]\w*")


def parse_spec(text: str | Feature) -> Feature:
    """The feature that `text` names. Raises FeatureError: no spec, unknown name, bad parameter."""
    if isinstance(text, Feature):
        return text
    found = _SPEC.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise FeatureError(f"{text!r} is not a feature spec", remedy="Write it like sma(20), rsi or ema(20, high)")
    positional: list[float | str] = []
    named: dict[str, float | str] = {}
    arguments = (found[2] or "").strip()
    for argument in arguments.split(",") if arguments else ():
        key, equals, value = argument.rpartition("=")
        if equals and key.strip() in named:
            raise FeatureError(f"{text}: '{key.strip()}' is given twice", feature=text)
        if equals:
            named[key.strip()] = _value(value, text)
        else:
            positional.append(_value(value, text))
    return _feature_class(found[1])(*positional, **named)  # type: ignore[arg-type]


def parse_specs(specs: Iterable[str | Feature]) -> tuple[Feature, ...]:
    """The features of `specs`, each once, in order. Raises FeatureError, also if two would share a column."""
    if isinstance(specs, str):
        raise FeatureError(f"'{specs}' is one spec", remedy=f'Give a list: ["{specs}"]')
    features = tuple(dict.fromkeys(parse_spec(spec) for spec in specs))
    owners: dict[str, Feature] = {}
    for feature in features:
        for column in feature.columns:
            if column in owners:
                raise FeatureError(f"{owners[column]} and {feature} would both be the column '{column}'")
            owners[column] = feature
    return features


def warmup(specs: Sequence[str | Feature]) -> int:
    """Rows at the start in which at least one of the features has no value yet."""
    return max((feature.warmup for feature in parse_specs(specs)), default=0)


def _value(text: str, spec: str) -> float | str:
    text = text.strip()
    if _NAME.fullmatch(text) and text.lower() not in ("nan", "inf", "infinity"):
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise FeatureError(f"{spec}: '{text}' is neither a number nor a column", feature=spec) from None


def _feature_class(name: str) -> type[Feature]:
    if ":" not in name:
        if name not in REGISTRY:
            raise FeatureError(f"Unknown feature '{name}'", remedy=suggest(name, REGISTRY), feature=name)
        return REGISTRY[name]
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise FeatureError(
            f"Feature '{name}': {error}",
            remedy="Check the import path and that its folder is on PYTHONPATH",
            feature=name,
        ) from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Feature)):
        features = [
            key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Feature)
        ]
        raise FeatureError(
            f"{module_name} has no feature '{class_name}'", remedy=suggest(class_name, features), feature=name
        )
    return found
