"""Specs are read as written, and refused with the remedy."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import FeatureError
from truewind.features import history, parse_spec, parse_specs, warmup
from truewind.features.momentum import RSI
from truewind.features.trend import EMA, SMA


@pytest.mark.parametrize(
    ("text", "feature", "column"),
    [
        ("sma(20)", SMA(20), "sma_20"),
        (" sma ( 7 ) ", SMA(7), "sma_7"),
        ("rsi", RSI(14), "rsi_14"),
        ("rsi()", RSI(14), "rsi_14"),
        ("ema(length=9)", EMA(9), "ema_9"),
        ("ema(20, high)", EMA(20, source="high"), "ema_20_high"),
        ("sma(20, source=volume)", SMA(20, "volume"), "sma_20_volume"),
        ("ema(20, close)", EMA(20), "ema_20"),
        ("sma(100000)", SMA(100_000), "sma_100000"),
    ],
)
def test_a_spec_is_the_feature_that_it_names(text: str, feature: object, column: str) -> None:
    assert parse_spec(text) == feature
    assert parse_spec(text).columns == (column,)


@given(st.sampled_from(["sma", "ema", "highest"]), st.integers(1, 100_000), st.sampled_from(["", ", volume", ", open"]))
def test_a_printed_feature_is_its_spec(name: str, length: int, source: str) -> None:
    """What `repr` gives is read back as the same feature."""
    spec = f"{name}({length}{source})"
    assert repr(parse_spec(spec)) == spec
    assert parse_spec(repr(parse_spec(spec))) == parse_spec(spec)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("smaa(20)", "Did you mean 'sma'?"),
        ("nothing_like_it", "Known: a"),
        ("sma(0)", "length = 0 is not a whole number from 1 to 100000"),
        ("sma(100001)", "from 1 to 100000"),
        ("rsi(1)", "length = 1 is not a whole number from 2"),
        ("sma(2.5)", "length = 2.5 is not a whole number"),
        ("sma(nan)", "not a whole number"),
        ("sma(inf)", "not a whole number"),
        ("sma(lenght=5)", "Did you mean 'length'?"),
        ("sma(5, length=6)", "length is given twice"),
        ("sma(length=5, length=6)", "'length' is given twice"),
        ("sma(length=high)", "length = 'high' is not a whole number"),
        ("sma(5, 6)", "takes 1 parameters: length; 2 were given"),
        ("atr(14, high)", "atr reads high, low, close; 1 other sources were given"),
        ("sma(5, source=7)", "source = 7 is neither a column nor a feature"),
        ("sma(20", "is not a feature spec"),
        ("", "is not a feature spec"),
        ("sma(20) + 1", "is not a feature spec"),
        ("sma(,)", "neither a number nor a column"),
        ("no.such.module:Thing(3)", "No module named"),
        ("truewind.features.trend:SMAA", "Did you mean 'SMA'?"),
        ("math:pi", "math has no feature 'pi'"),
    ],
)
def test_a_wrong_spec_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(FeatureError) as caught:
        parse_spec(text)
    assert said in str(caught.value)


def test_a_list_of_specs_has_each_feature_once_in_order() -> None:
    assert parse_specs(["rsi(14)", "sma(20)", "rsi", SMA(20)]) == (RSI(14), SMA(20))
    with pytest.raises(FeatureError, match="is one spec"):
        parse_specs("sma(20)")


def test_warm_up_is_that_of_the_slowest() -> None:
    """SMA(20) lacks 19 rows, RSI(14) needs 14 changes; no features need none."""
    assert warmup(["sma(20)", "rsi(14)"]) == 19
    assert warmup(["rsi(30)", "sma(20)"]) == 30
    assert warmup([]) == 0


def test_history_is_what_a_fresh_start_needs() -> None:
    """By hand: (1 − 2/21)^rows < 1e-9 after 208 rows of EMA(20), (1 − 1/14)^rows after 280 of RSI(14)."""
    assert history(["sma(20)"]) == 19
    assert history(["ema(20)"]) == 19 + 208
    assert history(["ema(20, rsi(14))"]) == 19 + 208 + 14 + 280
    assert history(["sma(20)", "obv"]) is None
    assert history(["sma(3, obv)"]) is None
    assert history(["sma(2)@1h"], "15m") == 10  # two bars of four rows, the first of which may have begun before
    assert history([]) == 0


def test_a_users_feature_is_named_by_its_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes parameters like a built-in one; two features that share a column name are refused."""
    (tmp_path / "users_own.py").write_text(
        "from truewind.features.trend import EMA\n\n\nclass Mine(EMA):\n    name = 'ema'\n\n\nclass Bad:\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        mine = parse_spec("users_own:Mine(5)")
        assert repr(mine) == "users_own:Mine(5)"
        assert mine.columns == ("ema_5",)
        assert mine != EMA(5)
        with pytest.raises(FeatureError, match="would both be the column 'ema_5'"):
            parse_specs(["ema(5)", "users_own:Mine(5)"])
        with pytest.raises(FeatureError, match="has no feature 'Bad'"):
            parse_spec("users_own:Bad")
    finally:
        sys.modules.pop("users_own", None)
