"""Specs: features written as text, `sma(20)`, `ema(20, high)`, `rsi`, `my.module:MyFeature(length=5)`.

    spec      = name [ "(" [argument {"," argument}] ")" ] [ "[" symbol "]" ] [ "@" timeframe ]
    argument  = number | source | parameter "=" number | "source" "=" source
    source    = column | spec [ "." output ]

What is left out takes its default. The name is a registered one or an import path. A bare word as a source is the
feature of that name, or else a column: `ema(9, rsi(14))`, `sma(20, typical)`, `sma(20, volume)`, `ema(5, macd(12, 26,
9).signal)`, `ema(20)@1h`, `returns(1)[BTCUSDT]`.
"""

import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from truewind.domain.timeframe import timeframe_us
from truewind.errors import FeatureError, suggest
from truewind.features.base import REGISTRY, Feature, Output, Source, ancestors

_HEAD = re.compile(r"\s*([A-Za-z_][\w.]*:[A-Za-z_]\w*|[A-Za-z_]\w*)\s*")
_TAIL = re.compile(r"\s*(?:\[([^\[\]]+)\])?\s*(?:@\s*(\w+))?\s*(?:\.([A-Za-z_]\w*))?\s*")
_COLUMN = re.compile(r"[A-Za-z_]\w*(\[[^\[\]]+\])?")


def parse_spec(text: str | Feature) -> Feature:
    """The feature that `text` names. Raises FeatureError: no spec, unknown name, bad parameter."""
    if isinstance(text, Feature):
        return text
    found = _parsed(text) if isinstance(text, str) else None
    if isinstance(found, Output):
        raise FeatureError(f"{text}: a feature is asked for with all its outputs", remedy=f"Write {found.feature!r}")
    if found is None:
        raise FeatureError(f"{text!r} is not a feature spec", remedy="Write it like sma(20), rsi or ema(20, high)")
    return found


def _parsed(text: str) -> Feature | Output | None:
    """A feature or one of its outputs; None if `text` is not written like one."""
    head = _HEAD.match(text)
    if head is None:
        return None
    rest, arguments = text[head.end() :], []
    if rest.startswith("("):
        end = _closing(rest)
        if end < 0:
            return None
        arguments, rest = _split(rest[1:end]), rest[end + 1 :]
    tail = _TAIL.fullmatch(rest)
    if tail is None:
        return None
    positional: list[float | Source] = []
    named: dict[str, float | Source] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key.strip() in named:
            raise FeatureError(f"{text}: '{key.strip()}' is given twice", remedy="Give it once", feature=text)
        if equals:
            named[key.strip()] = _value(value, text)
        else:
            positional.append(_value(argument, text))
    feature: Feature = _feature_class(head[1])(*positional, **named)  # type: ignore[arg-type]  # it refuses what is out of place
    symbol, timeframe, output = tail.groups()
    if symbol:
        feature = feature.of(symbol.strip())
    if timeframe:
        feature = feature.slower(timeframe)
    return feature[output] if output else feature


def _closing(text: str) -> int:
    """Where the bracket is closed with which `text` begins; -1 if nowhere."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return i
    return -1


def _split(text: str) -> list[str]:
    """`text` cut at the commas outside of brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts if text.strip() else []


def parse_specs(specs: Iterable[str | Feature]) -> tuple[Feature, ...]:
    """The features of `specs`, each once, in order. Raises FeatureError, also if two would share a column."""
    if isinstance(specs, str):
        raise FeatureError(f"'{specs}' is one spec", remedy=f'Give a list: ["{specs}"]')
    features = tuple(dict.fromkeys(parse_spec(spec) for spec in specs))
    owners: dict[str, Feature] = {}
    for feature in features:
        for column in feature.columns:
            if column in owners:
                raise FeatureError(
                    f"{owners[column]} and {feature} would both be the column '{column}'",
                    remedy="Leave one of them out",
                )
            owners[column] = feature
    return features


def warmup(specs: Sequence[str | Feature], timeframe: str = "") -> int:
    """Rows at the start in which at least one of the features has no value yet.

    timeframe: that of the rows; needed if a feature is on a longer one. Raises FeatureError if it is not given then.
    """
    return max((_rows(feature, timeframe, lambda one: one.warmup) for feature in parse_specs(specs)), default=0)


def history(specs: Sequence[str | Feature], timeframe: str = "") -> int | None:
    """Rows after which a fresh start gives what a long history gives, within 1e-9; None if one of the features needs
    all of it (see `Feature.settles`). timeframe: as in `warmup`."""
    features = parse_specs(specs)
    if any(one.settles is None for feature in features for one in (*ancestors(feature), feature)):
        return None
    return max((_rows(feature, timeframe, lambda one: one.settles or 0) for feature in features), default=0)


def _rows(feature: Feature, timeframe: str, rows_of: Callable[[Feature], int]) -> int:
    """The rows of a feature and of what it reads, one after the other."""
    sources = [source.feature for source in feature.sources if isinstance(source, Output)]
    inner = feature.timeframe or timeframe
    own = rows_of(feature) + max((_rows(source, inner, rows_of) for source in sources), default=0)
    if not feature.timeframe:
        return own
    ratio = slower_by(feature, timeframe)
    return (own + 1) * ratio - 1 + ratio - 1  # the first longer bar may have begun before the first row


def slower_by(feature: Feature, timeframe: str) -> int:
    """Rows of `timeframe` in a bar of the feature's. Raises FeatureError if it is no whole number of them."""
    if not timeframe:
        raise FeatureError(
            f"{feature!r} needs to know the timeframe of the rows",
            remedy='Give it: timeframe="1m"',
            feature=feature.name,
        )
    ratio, rest = divmod(timeframe_us(feature.timeframe), timeframe_us(timeframe))
    if rest or ratio < 2:
        raise FeatureError(
            f"{feature!r}: bars of {feature.timeframe} cannot be made of bars of {timeframe}",
            remedy="Choose a multiple of it, or leave out what stands after the @",
            feature=feature.name,
        )
    return ratio


def _value(text: str, spec: str) -> float | Source:
    text = text.strip()
    if _COLUMN.fullmatch(text) and text.lower() not in ("nan", "inf", "infinity") and text not in REGISTRY:
        return text
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    found = _parsed(text)
    if found is None:
        raise FeatureError(
            f"{spec}: '{text}' is neither a number nor a column nor a feature",
            remedy="See `truewind features list`",
            feature=spec,
        )
    return found


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
            remedy="Check the import path; commands find modules in the folder they are run from, Python on PYTHONPATH",
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
