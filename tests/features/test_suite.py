"""Every registered feature passes the shared suite, and any cutting of any data gives the same bits."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.features import Stream, columns, describe, parse_spec
from truewind.features.base import REGISTRY, Feature
from truewind.features.checks import CHECKS, check_feature, first_difference, sample_bars

FAMILIES = (
    "trend",
    "momentum",
    "volatility",
    "volume",
    "price",
    "derivatives",
    "structure",
    "time",
    "trades",
    "across",
    "book",
)
# Cross-sections have no stream of their own: test_pipeline holds them to the same promises.
NAMES = sorted(name for name, kind in REGISTRY.items() if not kind.across)
EVERY = [repr(REGISTRY[name]()) for name in NAMES]


LENGTHS = {
    name: {key: declared for key, declared in REGISTRY[name].parameters.items() if declared.kind is int}
    for name in NAMES
}


def smallest(name: str, more: int = 0) -> str:
    """The feature with every length `more` above its lower bound, where loops and blocks are shortest."""
    lengths = [f"{key}={min(declared.low + more, declared.high)}" for key, declared in LENGTHS[name].items()]
    return f"{name}({', '.join(lengths)})" if lengths else name


UNUSUAL = (
    "sma(7, volume)",
    "ema(3, high)",
    "rsi(5, open)",
    "macd(26, 12, 9)",
    "ultimate(28, 7, 14)",
    "crossover(50, 20)",
    "stochastic(5, 1, 1)",
    "keltner(5, 20, 1.5)",
    "bollinger(7, 1.5, volume)",
    "ichimoku(26, 9, 5)",
    "sar(0.3, 0.1)",
    "volatility_regime(3, 40, 0, 1)",
)


@pytest.mark.parametrize("spec", [*EVERY, *map(smallest, NAMES), *UNUSUAL])
def test_the_feature_passes_the_shared_suite(spec: str) -> None:
    result = check_feature(spec)
    assert result.ok, result


@pytest.mark.parametrize("file", ["genetrader/BTC_USDT-1h.feather", "market-swarm/DOGE_USDT_USDT-1m-futures.feather"])
def test_all_features_pass_the_shared_suite_on_recorded_bars(shared: Path, file: str) -> None:
    bars = pl.read_ipc(shared / file).head(400).drop("date")
    made_up = sample_bars(400, tuple({name for spec in EVERY for name in parse_spec(spec).reads} - set(bars.columns)))
    bars = bars.with_columns(**made_up)  # what was not recorded, times included
    for spec in EVERY:
        result = check_feature(spec, bars)
        assert result.ok, result


@pytest.mark.parametrize("spec", EVERY)
def test_the_feature_gives_values_on_a_made_up_market(spec: str) -> None:
    """Every output does, also of features that await something."""
    feature = parse_spec(spec)
    found = columns([feature], sample_bars(max(400, 3 * feature.warmup + 100), feature.reads))
    assert all(np.isfinite(values).any() for values in found.values())


LONGEST = [REGISTRY[name](**{key: declared.high for key, declared in LENGTHS[name].items()}) for name in NAMES]


@pytest.mark.parametrize("feature", [feature for feature in LONGEST if feature.warmup > 50], ids=repr)
def test_the_feature_gives_nothing_on_a_window_longer_than_the_data(feature: Feature) -> None:
    """Nothing but NaN comes out, in batch and stream alike."""
    found = columns([feature], sample_bars(50, feature.reads))
    assert all(np.isnan(values).all() for values in found.values())


awkward = st.one_of(
    st.floats(0.5, 200.0), st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e99, 5e-324, 100.0])
)
READ = sorted({name for spec in EVERY for name in parse_spec(spec).reads})
DRAWN = 7  # columns that are drawn; what features read beyond them are the same again
rows = st.lists(st.tuples(*[awkward] * DRAWN), max_size=40)


@given(rows, st.lists(st.integers(0, 40), max_size=5))
def test_any_chunks_of_any_data_give_the_bits_of_the_whole_and_no_infinity(
    data: list[tuple[float, ...]], cuts: list[int]
) -> None:
    """Holds for all features at once, with saved and loaded state between the chunks."""
    bars = {name: np.array([row[i % DRAWN] for row in data], float) for i, name in enumerate(READ)}
    specs = [smallest(name, 2) for name in NAMES]
    whole = columns(specs, bars)
    parts = []
    stream = Stream(specs)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        parts.append(stream.extend({name: values[start:end] for name, values in bars.items()}))
        saved = stream.save()
        stream = Stream(specs)
        stream.load(saved)
    joined = {name: np.concatenate([part[name] for part in parts])[: len(data)] for name in whole}
    assert first_difference(whole, joined, "chunks") is None
    assert not any(np.isinf(values).any() for values in whole.values())


def test_every_feature_says_what_it_is() -> None:
    """The list that users see has a summary, units and a family for each, and specs that parse to the same feature."""
    for one in describe():
        assert one["summary"].endswith(".")
        assert one["units"]
        assert one["family"] in FAMILIES
        assert repr(parse_spec(one["spec"])) == one["spec"]
        assert one["outputs"] == list(parse_spec(one["name"]).columns)
    assert len(describe()) == len(REGISTRY)


@examples(8)
@given(st.integers(0, 10**6))
def test_the_declared_laws_hold_in_any_market(seed: int) -> None:
    """All prices times eight, and all prices plus a thousand, in markets that are drawn."""
    for spec in EVERY:
        feature = parse_spec(spec)
        market = sample_bars(max(150, 2 * feature.warmup + 60), feature.reads, seed)
        for law in ("scale", "shift"):
            if getattr(feature, law) is not None:
                assert next(CHECKS[law](feature, market), None) is None, (spec, law)
