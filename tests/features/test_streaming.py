"""A stream takes bars of any kind, one or many at a time, and never goes on from a wrong state."""

import copy
import gc
import pickle
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from truewind.domain.market import Bar
from truewind.errors import FeatureError
from truewind.features import Stream, columns, stream

SPECS = ["sma(3)", "atr(2)", "ema(2, volume)"]
CLOSES = [10.0, 11.0, 13.0, 12.0]


def bar(close: float) -> Bar:
    return Bar("BTCUSDT", 0, 60, 60, close, close + 1.0, close - 1.0, close, 5.0)


def test_bars_mappings_and_objects_give_the_same_row() -> None:
    """SMA(3) of 10, 11, 13, 12 is 34/3 and then 12, whatever carries the fields."""
    by_bar, by_mapping, by_object = (stream(SPECS) for _ in range(3))
    for close in CLOSES:
        fields = msgspec.structs.asdict(bar(close))
        rows = [by_bar.update(bar(close)), by_mapping.update(fields), by_object.update(SimpleNamespace(**fields))]
        assert all(np.array_equal(rows[0], row, equal_nan=True) for row in rows)
    assert rows[0].sma_3 == 12.0
    assert rows[0].ema_2_volume == 5.0
    assert rows[0]._fields == ("sma_3", "atr_2", "ema_2_volume")


def test_history_by_columns_and_then_bars_is_one_stream() -> None:
    """Live: warmed up by a chunk of history, then bar by bar; equal to all of it at once."""
    whole = columns(["sma(3)"], {"close": np.array(CLOSES)})["sma_3"]
    live = stream(["sma(3)"])
    assert live.warmup == 2
    first = live.extend({"close": CLOSES[:2]})["sma_3"]
    rest = [live.update(bar(close)).sma_3 for close in CLOSES[2:]]
    np.testing.assert_array_equal([*first, *rest], whole)


def test_reset_forgets_everything() -> None:
    used = stream(SPECS)
    fresh = used.save()
    for close in CLOSES:
        used.update(bar(close))
    assert used.save() != fresh
    used.reset()
    assert used.save() == fresh


def test_copies_go_their_own_way() -> None:
    """A copy or pickle carries the state, and shares no memory with its origin."""
    origin = stream(SPECS)
    for close in CLOSES[:3]:
        origin.update(bar(close))
    copies = [copy.copy(origin), copy.deepcopy(origin), pickle.loads(pickle.dumps(origin))]
    for one in copies:
        one.update(bar(500.0))
    assert origin.update(bar(12.0)).sma_3 == 12.0


def test_a_state_of_other_features_or_a_damaged_one_is_refused() -> None:
    saved = stream(["sma(3)", "rsi(14)"]).save()
    for other in (["sma(4)", "rsi(14)"], ["rsi(14)", "sma(3)"], ["sma(3)"], []):
        with pytest.raises(FeatureError, match="saved state is of sma\\(3\\), rsi\\(14\\)"):
            stream(other).load(saved)
    for damaged in (b"", saved[:-3], b"\x00" + saved, b"nonsense"):
        with pytest.raises(FeatureError, match="damaged"):
            stream(["sma(3)", "rsi(14)"]).load(damaged)


def test_a_missing_value_is_nan_and_leaves_no_trace() -> None:
    """None, NaN and infinity alike: the next row is what it would have been without the bar."""
    for blank in (None, float("nan"), float("inf"), -1e300):
        holed, whole = stream(["sma(2)"]), stream(["sma(2)"])
        for one in (holed, whole):
            one.update({"close": 10.0})
        assert np.isnan(holed.update({"close": blank}).sma_2)
        assert holed.update({"close": 12.0}) == whole.update({"close": 12.0}) == (11.0,)


def test_a_bar_without_the_field_or_with_text_in_it_is_refused_and_changes_nothing() -> None:
    one = stream(SPECS)
    before = one.save()
    with pytest.raises(FeatureError, match="The bar has no 'high'"):
        one.update({"close": 1.0, "low": 1.0, "volume": 1.0})
    with pytest.raises(FeatureError, match="The bar has no 'close'"):
        one.update(SimpleNamespace(price=1.0))
    with pytest.raises(FeatureError, match="The bar's low is 'cheap'"):
        one.update({"close": 1.0, "low": "cheap", "high": 1.0, "volume": 1.0})
    assert one.save() == before


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"clos": [1.0]}, r"sma\(2\) reads 'close', which is not there. Did you mean 'clos'?"),
        ({"close": ["a", "b"]}, "'close' does not hold numbers"),
        ({"close": [[1.0]]}, "has 2 dimensions"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict, said: str) -> None:
    with pytest.raises(FeatureError, match=said):
        columns(["sma(2)"], arrays)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(FeatureError, match="'low' has 2 rows, 'high' has 3"):
        columns(["atr(2)"], {"high": [1.0] * 3, "low": [1.0] * 2, "close": [1.0] * 3})


def test_integers_strides_and_other_dtypes_are_taken_as_numbers() -> None:
    """Every second of 0 … 9 as int32 and float32: the means of pairs, by hand."""
    for dtype in (np.int32, np.float32, np.float64):
        found = columns(["sma(2)"], {"close": np.arange(10, dtype=dtype)[::2]})["sma_2"]
        np.testing.assert_array_equal(found, [np.nan, 1.0, 3.0, 5.0, 7.0])


def test_the_input_is_never_written_to() -> None:
    """Read-only arrays are fine, and stay as they are."""
    close = np.array(CLOSES)
    close.setflags(write=False)
    columns(["sma(2)", "highest(2, close)", "rsi(2)"], {"close": close})
    assert close.tolist() == CLOSES


def test_no_features_are_no_columns() -> None:
    assert columns([], {}) == {}
    assert stream([]).update(bar(1.0)) == ()


def test_a_vector_is_the_row_as_an_array_of_its_own() -> None:
    by_row, by_vector = stream(SPECS), stream(SPECS)
    kept = [(by_row.update(bar(close)), by_vector.vector(bar(close))) for close in CLOSES]
    for row, vector in kept:
        np.testing.assert_array_equal(vector, row)
    with pytest.raises(FeatureError, match="The bar has no 'high'"):
        by_vector.vector({"close": 1.0})


@pytest.mark.parametrize("spec", ["sma(3)", "macd(3, 6, 2)", "atr(3)"])
def test_a_stream_of_one_feature_gives_what_columns_give(spec: str) -> None:
    """One number in, one out; one in, three out; three in, one out: each goes its own way through `update`."""
    bars = [bar(close) for close in CLOSES] * 3
    fields = {name: [getattr(one, name) for one in bars] for name in ("high", "low", "close")}
    whole = np.column_stack(list(columns([spec], fields).values()))
    np.testing.assert_array_equal(list(map(stream([spec]).update, bars)), whole)
    np.testing.assert_array_equal(list(map(stream([spec]).vector, bars)), whole)


def test_what_is_no_number_does_not_get_into_a_stream_of_one_feature() -> None:
    one = stream(["sma(2)"])
    one.update(bar(10.0))
    before = one.save()
    for wrong, said in (("cheap", "The bar's close is 'cheap'"), ([1.0], "The bar's close is")):
        with pytest.raises(FeatureError, match=said):
            one.update({"close": wrong})
    with pytest.raises(FeatureError, match="The bar has no 'close'"):
        one.update({"price": 1.0})
    assert one.save() == before
    assert one.update({"close": np.float64(12.0)}) == one.update({"close": 10}) == (11.0,)


def test_the_method_may_be_taken_before_the_first_bar() -> None:
    """Preparing happens once, whoever holds the method: the same object is called from then on."""
    one = Stream(SPECS)
    update, rows = one.update, [bar(close) for close in CLOSES]
    expected = list(map(stream(SPECS).update, rows))
    first = update(rows[0])
    prepared = vars(one)["update"]
    found = [first, *map(update, rows[1:])]
    assert vars(one)["update"] is prepared
    np.testing.assert_array_equal(found, expected)


def test_a_method_outlives_its_stream() -> None:
    """What is taken from a stream keeps the state alive: garbage of other streams does not get into it."""
    expected = list(map(stream(SPECS).update, map(bar, CLOSES)))
    for _ in range(200):
        update = stream(SPECS).update  # nobody holds the stream itself
        gc.collect(0)
        junk = [np.full(8, np.nan) for _ in range(20)]
        np.testing.assert_array_equal(list(map(update, map(bar, CLOSES))), expected)
        assert len(junk) == 20
