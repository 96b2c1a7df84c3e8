"""Cross-sectional momentum: the best are bought, the worst sold short, all others left alone."""

import math
import zipfile
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from truewind.backtest.run import run
from truewind.errors import ConfigError
from truewind.market.importing import import_files
from truewind.storage.lake import Lake
from truewind.strategies.crypto.cross_momentum import CrossMomentum


def bar(past, deviation=0.02, latest=0.0, member=1.0):
    return SimpleNamespace(past=past, deviation=deviation, latest=latest, member=member)


def section(**pasts):
    return {symbol: bar(past) for symbol, past in pasts.items()}


FIVE = {"A": 0.5, "B": 0.1, "C": 0.0, "D": -0.2, "E": 0.3}


@pytest.mark.parametrize(
    ("params", "weights"),
    [
        ({"share": 0.2}, {"A": 0.5, "D": -0.5}),
        ({"share": 0.4}, {"A": 0.25, "E": 0.25, "C": -0.25, "D": -0.25}),
        ({"share": 0.4, "short": False}, {"A": 0.5, "E": 0.5}),
        ({"share": 0.2, "gross": 3.0}, {"A": 1.5, "D": -1.5}),
        ({"share": 0.1}, None),  # half a symbol is none
    ],
)
def test_the_rules_by_hand(params, weights):
    """Of five symbols a fifth is one on each side."""
    assert CrossMomentum(**params).weights(section(**FIVE)) == weights


def test_the_wilder_half_gets_the_smaller_weight():
    """Deviations of 1 and 3 %: three quarters of the long half and a quarter."""
    bars = {"A": bar(0.5, 0.03), "B": bar(0.4, 0.01), "C": bar(0.1), "D": bar(0.0)}
    found = CrossMomentum(share=0.5, weighting="inverse_volatility").weights(bars)
    assert found == pytest.approx({"A": 0.125, "B": 0.375, "C": -0.25, "D": -0.25})


def test_the_latest_bars_may_be_left_out():
    """A rose by 50 % and by 50 % of that today: until yesterday by nothing, B by a tenth."""
    bars = {"A": bar(0.5, latest=0.5), "B": bar(0.1)}
    assert CrossMomentum(share=0.5, skip=1).weights(bars) == {"B": 0.5, "A": -0.5}
    assert CrossMomentum(share=0.5).weights(bars) == {"A": 0.5, "B": -0.5}


def test_who_is_no_member_or_has_no_history_is_not_ranked():
    """Left the universe, too young, or does not move at all."""
    odd = {"X": bar(9.0, member=0.0), "Y": bar(math.nan), "Z": bar(9.0, deviation=math.nan), "W": bar(9.0, 0.0)}
    assert CrossMomentum(share=0.2).weights(section(**FIVE) | odd) == {"A": 0.5, "D": -0.5}
    assert CrossMomentum().weights(odd) is None


numbers = st.one_of(st.floats(-0.99, 20.0), st.just(math.nan))


@example({"A": (1.0, 2e-313, True), "B": (0.0, 1.0, True)}, 0.5, False, "inverse_volatility")
@given(
    st.dictionaries(
        st.text("ABCDEFGH", min_size=1, max_size=2), st.tuples(numbers, numbers, st.booleans()), max_size=40
    ),
    st.floats(0.05, 0.5),
    st.booleans(),
    st.sampled_from(["equal", "inverse_volatility"]),
)
def test_two_equal_halves_of_the_best_and_the_worst(drawn, share, short, weighting):
    """Nobody is on both sides, the sides weigh the same, together `gross`, and who is bought has not risen less."""
    strategy = CrossMomentum(share=share, short=short, weighting=weighting, gross=1.5)
    bars = {symbol: bar(past, abs(risk), member=float(inside)) for symbol, (past, risk, inside) in drawn.items()}
    weights = strategy.weights(bars)
    if weights is None:
        return
    long, shorts = ({s: w for s, w in weights.items() if w * sign > 0.0} for sign in (1, -1))
    assert all(bars[symbol].member for symbol in weights)
    assert math.isclose(sum(long.values()), 0.75 if short else 1.5)
    assert math.isclose(-sum(shorts.values()), 0.75 if short else 0.0, abs_tol=1e-12)
    others = [
        b.past for s, b in bars.items() if s not in long and b.member and b.past == b.past and b.deviation > 1e-12
    ]
    assert not others or min(bars[symbol].past for symbol in long) >= max(others)


@pytest.mark.parametrize("params", [{"lookback": 5, "skip": 5}, {"share": 0.6}, {"weighting": "best"}])
def test_impossible_parameters_are_refused(params):
    """Nothing left to look back on, more than half on one side, or unknown."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        CrossMomentum(**params)


# ── on recorded bars ────────────────────────────────────────────────────────────────────────────────────────────────

SYMBOLS = ("ATOMUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETCUSDT", "ETHUSDT", "FILUSDT", "OPUSDT", "RUNEUSDT",
           "SOLUSDT", "SUIUSDT", "XRPUSDT")  # fmt: skip
CONFIG = {
    "name": "a dozen", "data": {"venue": "binance_usdm", "timeframe": "1d", "start": "2024-03-04", "end": "2024-09-02",
    "universe": {"top": 10, "every": "week", "kind": "perpetual"}},
    "strategy": {"path": "truewind.strategies.crypto.cross_momentum:CrossMomentum"},
    "account": {"cash": 100_000}, "risk": {"max_exposure": 0.3, "max_gross": 3.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def recorded(shared):
    """Daily bars of a dozen symbols as the archive has them."""
    with zipfile.ZipFile(shared / "gravestone/usdm_klines_1d.zip") as archive:
        return {symbol: pl.read_csv(archive.read(f"1d/{symbol}.csv"), infer_schema_length=None) for symbol in SYMBOLS}


def traded(bars, folder):
    """The orders of a run on `bars`."""
    folder.mkdir()
    path = folder / "usdm_klines_1d.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for symbol, table in bars.items():
            archive.writestr(f"1d/{symbol}.csv", table.write_csv())
    lake = Lake(folder / "lake")
    import_files(lake, [path], venue="binance_usdm")
    return run(CONFIG, lake=lake, runs=folder / "runs").orders


def test_it_buys_the_best_of_the_most_traded_of_recorded_bars(recorded, tmp_path):
    """On Monday 2024-05-06: of the ten with most quote volume in 30 days the two that rose most in 21 days, and the two
    that rose least, reckoned here from the archive's own rows."""
    monday = 1_714_953_600_000
    volume, past = {}, {}
    for symbol, table in recorded.items():
        known = table.filter(pl.col("close_time") < monday)
        volume[symbol] = known["quote_volume"].tail(30).sum()
        past[symbol] = known["close"][-1] / known["close"][-22] - 1.0
    ranked = sorted(sorted(volume, key=volume.get)[-10:], key=past.get)
    wanted = dict.fromkeys(ranked[-2:], 1) | dict.fromkeys(ranked[:2], -1)
    orders = traded(recorded, tmp_path / "run")
    until = orders.filter(pl.col("created").dt.epoch("ms") <= monday, pl.col("status") == "filled")
    held = until.group_by("symbol").agg((pl.col("side") * pl.col("filled")).sum().round(6)).rows()
    assert {symbol: (1 if units > 0 else -1) for symbol, units in held if units} == wanted


def test_what_comes_later_changes_no_order_before(recorded, tmp_path):
    """From July on every price is a multiple of itself (so that ticks stay); until then no order has another field."""
    july = 1_719_792_000_000
    prices = ("open", "high", "low", "close")
    later = pl.col("timestamp") >= july
    other = {
        symbol: table.with_columns(pl.when(later).then(pl.col(name) * (2 + i)).otherwise(name) for name in prices)
        for i, (symbol, table) in enumerate(recorded.items())
    }
    before = pl.col("created").dt.epoch("ms") <= july - 86_400_000
    one, two = (traded(bars, tmp_path / name) for name, bars in (("as it was", recorded), ("otherwise", other)))
    assert one.filter(before).equals(two.filter(before))
    assert 40 < one.filter(before).height < one.height
    assert not one.equals(two)
