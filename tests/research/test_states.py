"""Fitting states: nothing after the span is seen, sides are what followed, and a run names what it decided by."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest

import truewind
from truewind.errors import ConfigError, EmptyRangeError
from truewind.market.importing import import_files
from truewind.research.states import StatesRecipe, fit_states, states_of
from truewind.storage.lake import Lake
from truewind.strategies.crypto.eth_cluster import OWN_MODEL

REPOSITORY = Path(__file__).resolve().parents[2]
RECIPE = REPOSITORY / "configs" / "fits" / "eth-cluster.yaml"
CONFIG = REPOSITORY / "configs" / "strategies" / "eth-cluster.yaml"
HOUR = 3_600_000_000
DATA = {"venue": "test", "symbols": ["ETHUSDT"], "timeframe": "1h", "start": "2024-01-01", "end": "2024-03-01"}


def recipe(**more):
    return StatesRecipe.model_validate({"data": DATA, "states": 2, "horizon": 1} | more)


def planted(rows=1_000, events=0):
    """Two kinds of bars that differ in all features: after the first the price rises by 1 %, after the second it falls
    by 0.5 %. `events` bars of a third kind lie far away, and rise by 5 %.
    """
    random = np.random.default_rng(1)
    kind = random.integers(0, 2, rows)
    kind[100 : 100 + events] = 2
    points = np.array([-1.0, 1.0, 30.0])[kind][:, None] + random.normal(0.0, 0.1, (rows, 5))
    growth = np.array([1.01, 0.995, 1.05])[kind]
    close = 100.0 * np.concatenate(([1.0], np.cumprod(growth)[:-1]))
    return np.arange(rows) * HOUR + 1_704_067_200_000_000, close, points


def test_sides_are_what_followed_in_training():
    """The rising kind is long, the falling short, with the returns that were planted."""
    found = states_of(recipe(hurdle=0.002), *planted(), "snapshot")
    assert [state.side for state in found.states] == [1, -1]
    assert [state.forward for state in found.states] == pytest.approx([0.01, -0.005], abs=1e-12)
    assert found.rows == sum(state.rows for state in found.states) == 999  # the last bar has no return after it
    assert [state.side for state in states_of(recipe(hurdle=0.006), *planted(), "").states] == [1, 0]


def test_a_state_of_one_event_is_not_traded():
    """However much it earned: fewer than a twentieth of the bars are in it."""
    few = states_of(recipe(states=3), *planted(events=30), "")
    many = states_of(recipe(states=3), *planted(events=80), "")
    assert (few.states[0].side, few.states[0].rows) == (0, 30)
    assert (many.states[0].side, many.states[0].rows) == (1, 80)


def test_missing_features_and_too_few_bars():
    """NaN rows are left out; what is left must be enough."""
    ts, close, points = planted()
    points[:900, 2] = np.nan
    assert states_of(recipe(), ts, close, points, "").rows == 99
    points[:970, 2] = np.nan
    with pytest.raises(EmptyRangeError, match="29 bars"):
        states_of(recipe(), ts, close, points, "")


def test_a_feature_that_never_changes_is_told():
    """It cannot be standardised."""
    ts, close, points = planted()
    points[:, 4] = 3.0
    with pytest.raises(ConfigError, match="activity never changes"):
        states_of(recipe(), ts, close, points, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": {**DATA, "end": None}},
        {"data": {**DATA, "symbols": ["ETHUSDT", "BTCUSDT"]}},
        {"data": {**DATA, "kind": "trades", "timeframe": ""}},
        {"states": 1},
        {"horizon": 0},
    ],
)  # fmt: skip
def test_impossible_recipes_are_refused(wrong):
    """No span, several symbols, no bars, one state."""
    with pytest.raises(ValueError, match=r"give both|one symbol|greater than"):
        recipe(**wrong)


@pytest.fixture(scope="module")
def recorded(shared, tmp_path_factory):
    """Binance spot ETHUSDT, hourly, January to September 2024."""
    lake = Lake(tmp_path_factory.mktemp("recorded") / "data")
    import_files(lake, [shared / "genetrader" / "ETH_USDT-1h.feather"])
    return lake


def test_the_recipe_gives_the_model_that_comes_along(recorded, tmp_path):
    """From the recorded bars, whose snapshot has the same id in any lake; the version of the code may differ."""
    fit_states(RECIPE, lake=recorded, out=tmp_path / "states.json")
    made, kept = orjson.loads((tmp_path / "states.json").read_bytes()), orjson.loads(OWN_MODEL.read_bytes())
    for numbers in ("mean", "deviation"):
        assert made.pop(numbers) == pytest.approx(kept.pop(numbers), rel=1e-9)
    for ours, theirs in zip(made.pop("states"), kept.pop("states"), strict=True):
        assert ours.pop("centre") == pytest.approx(theirs.pop("centre"), rel=1e-6, abs=1e-6)
        assert ours.pop("forward") == pytest.approx(theirs.pop("forward"), rel=1e-9)
        assert ours == theirs
    for changing in ("code_version", "hash"):
        made.pop(changing), kept.pop(changing)
    assert made == kept


def test_what_comes_after_the_span_changes_nothing(recorded, tmp_path):
    """A lake that ends with the training span gives the same states."""
    whole = fit_states(RECIPE, lake=recorded, out=tmp_path / "whole.json")
    key = next(info.key for info in recorded.series())
    table = recorded.read(key)
    short = Lake(tmp_path / "short")
    short.write(key, table.filter(pl.col("ts") < datetime(2024, 6, 1, tzinfo=UTC)))
    short.put_instrument(recorded.instrument("binance", "ETHUSDT"))
    part = fit_states(RECIPE, lake=short, out=tmp_path / "part.json")
    assert (part.states, part.mean, part.deviation) == (whole.states, whole.mean, whole.deviation)


def test_both_lanes_do_the_same_and_name_the_model(recorded, tmp_path):
    """On the recorded months after the span; result id, report and journal say by which states was decided."""
    results = {}
    for lane in ("event", "compiled"):
        found = truewind.run(
            CONFIG, overrides=[f"lane={lane}", "data.end=2024-07-15"], lake=recorded, runs=tmp_path / "runs"
        )
        results[lane] = [pl.read_parquet(found.run_dir / f"{table}.parquet") for table in ("fills", "orders", "equity")]
        about = orjson.loads((found.run_dir / "run.json").read_bytes())
        assert orjson.loads(OWN_MODEL.read_bytes())["hash"] in about["info"]["fitted"]
        assert not any("in-sample" in warning for warning in about["warnings"])
        assert "eth_cluster.json" in found.report.read_text()
    assert len(results["event"][0]) > 3
    for slow, fast in zip(results["event"], results["compiled"], strict=True):
        assert slow.equals(fast)


def test_another_model_is_another_result_and_the_training_span_is_told(recorded, tmp_path):
    """The path is the same, the content is not."""
    ids = []
    model = tmp_path / "states.json"
    for hurdle in (0.002, 0.006):
        text = RECIPE.read_text().replace("hurdle: 0.002", f"hurdle: {hurdle}")
        (tmp_path / "recipe.yaml").write_text(text)
        fit_states(tmp_path / "recipe.yaml", lake=recorded, out=model)
        span = ["data.start=2024-05-20", "data.end=2024-06-10", f"strategy.params.model={model}"]
        found = truewind.run(CONFIG, overrides=span, lake=recorded, runs=tmp_path / "runs")
        ids.append(found.result_id)
        warnings = orjson.loads((found.run_dir / "run.json").read_bytes())["warnings"]
        assert any("From 2024-05-20 00:00:00 to 2024-06-01 00:00:00 this run is in-sample" in each for each in warnings)
    assert ids[0] != ids[1]


def test_bars_of_another_length_are_refused(recorded, tmp_path):
    """The states' features count bars."""
    with pytest.raises(ConfigError, match="fitted on bars of 1h, not of 4h"):
        truewind.run(CONFIG, overrides=["data.timeframe=4h"], lake=recorded, runs=tmp_path / "runs")
