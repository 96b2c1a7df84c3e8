"""Features of order books, calculated by hand on a small book, and by their formulas on random ones."""

import numpy as np
import pytest

from truewind.features import columns
from truewind.features.book import level_names
from truewind.features.checks import sample_bars

NAN = float("nan")
# Three levels: bids 4 @ 99, 6 @ 98, 10 @ 96; asks 1 @ 101, 3 @ 102, 16 @ 104. The mid is 100.
LADDER = [(99.0, 4.0, 101.0, 1.0), (98.0, 6.0, 102.0, 3.0), (96.0, 10.0, 104.0, 16.0)]
NAMES = [name for level in (1, 2, 3) for name in level_names(level)]
BOOK = {name: np.array([value]) for name, value in zip(NAMES, [x for level in LADDER for x in level], strict=True)}


def values(spec: str, rows: dict) -> list[float]:
    """The outputs of the last row."""
    return [float(column[-1]) for column in columns([spec], rows).values()]


def test_names_of_levels() -> None:
    assert level_names(1) == ("bid", "bid_quantity", "ask", "ask_quantity")
    assert level_names(3) == ("bid_3", "bid_quantity_3", "ask_3", "ask_quantity_3")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("spread", [2.0]),
        ("relative_spread", [0.02]),
        ("mid_price", [100.0]),
        ("weighted_mid", [(99.0 * 1 + 101.0 * 4) / 5]),
        ("book_imbalance(1)", [3 / 5]),
        ("book_imbalance(2)", [(10 - 4) / 14]),
        ("book_imbalance(3)", [0.0]),
        ("book_pressure(1)", [3 / 5]),  # at equal distances it is the imbalance
        ("book_pressure(3)", [(4 + 6 / 2 + 10 / 4 - 1 - 3 / 2 - 16 / 4) / (4 + 3 + 2.5 + 1 + 1.5 + 4)]),
        ("depth_within(50, 3)", [0.0, 0.0]),  # half a per cent: nothing
        ("depth_within(100, 3)", [4.0, 1.0]),
        ("depth_within(250, 3)", [10.0, 4.0]),
        ("depth_within(1000, 2)", [10.0, 4.0]),
        ("depth_within(1000, 3)", [20.0, 20.0]),
        # distances 1, 2 and 4 %; displayed up to there 4, 10, 20 and 1, 4, 20
        (
            "book_slope(3)",
            [(0.04 + 0.2 + 0.8) / (1e-4 + 4e-4 + 16e-4), (0.01 + 0.08 + 0.8) / (1e-4 + 4e-4 + 16e-4)],
        ),
        ("price_to_trade(1, 3)", [101.0, 99.0]),
        ("price_to_trade(5, 3)", [(101 + 3 * 102 + 104) / 5, (4 * 99 + 98) / 5]),
        ("price_to_trade(5, 2)", [NAN, (4 * 99 + 98) / 5]),  # two levels of asks are not enough
        ("price_to_trade(20, 3)", [(101 + 306 + 16 * 104) / 20, (396 + 588 + 960) / 20]),
        ("price_to_trade(20.5, 3)", [NAN, NAN]),
    ],
)
def test_by_hand(spec: str, expected: list[float]) -> None:
    np.testing.assert_allclose(values(spec, BOOK), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("book_imbalance(3)", [(20 - 4) / 24]),
        ("book_pressure(3)", [(9.5 - 2.5) / 12.0]),
        ("depth_within(1000, 3)", [20.0, 4.0]),
        ("book_slope(3)", [1.04 / 21e-4, 0.09 / 5e-4]),
        ("price_to_trade(4, 3)", [(101 + 306) / 4, 99.0]),
        ("price_to_trade(5, 3)", [NAN, 494 / 5]),
    ],
)
def test_a_level_that_is_missing_displays_nothing(spec: str, expected: list[float]) -> None:
    thin = BOOK | {"ask_3": np.array([NAN]), "ask_quantity_3": np.array([NAN])}
    np.testing.assert_allclose(values(spec, thin), expected, rtol=1e-12)
    assert np.isnan(values(spec, BOOK | {"bid_quantity": np.array([NAN])})).all()  # the best one must be there


@pytest.mark.parametrize(
    "spec", ["weighted_mid", "micro_price", "book_imbalance(2)", "book_pressure(3)", "book_slope(3)"]
)
def test_an_empty_book_has_no_value(spec: str) -> None:
    empty = BOOK | {name: np.zeros(1) for name in NAMES if "quantity" in name}
    assert np.isnan(values(spec, empty)).all()


def test_order_flow_by_hand() -> None:
    """Quantities change at standing prices: + 3 bid, + 2 asked. The bid rises: all 5 there. It falls: all 5 leave. The
    ask falls: − 6. It rises: + 6."""
    rows = {
        "bid": np.array([99.0, 99.0, 100.0, 99.0, 99.0, 99.0]),
        "bid_quantity": np.array([4.0, 7.0, 5.0, 2.0, 2.0, 2.0]),
        "ask": np.array([102.0, 102.0, 102.0, 102.0, 101.0, 102.0]),
        "ask_quantity": np.array([1.0, 3.0, 3.0, 3.0, 6.0, 8.0]),
    }
    events = [3.0 - 2.0, 5.0, -5.0, -6.0, 6.0]
    np.testing.assert_allclose(columns(["ofi"], rows)["ofi_1_1"], [NAN, *events])
    np.testing.assert_allclose(columns(["ofi(3)"], rows)["ofi_3_1"], [NAN, NAN, NAN, 1.0, -6.0, -5.0])
    second = {f"{name}_2": column for name, column in rows.items()}
    np.testing.assert_allclose(columns(["ofi(1, 2)"], second)["ofi_1_2"], [NAN, *events])


def test_order_flow_by_its_formula() -> None:
    """The paper's sum, in numpy, on a random book."""
    rows = sample_bars(500, level_names(1))
    b, qb, a, qa = rows.values()
    e = (
        (b[1:] >= b[:-1]) * qb[1:]
        - (b[1:] <= b[:-1]) * qb[:-1]
        - (a[1:] <= a[:-1]) * qa[1:]
        + (a[1:] >= a[:-1]) * qa[:-1]
    )
    found = columns(["ofi(20)"], rows)["ofi_20_1"]
    np.testing.assert_allclose(found[20:], np.convolve(e, np.ones(20), "valid"), rtol=1e-9, atol=1e-9)


def slow_micro_price(rows: dict[str, np.ndarray], buckets: int, moves: int, prior: float) -> list[float]:
    """The docstring's words, with lists: of every row the move that came next, seen from both sides, fading."""
    visits: list[tuple[int, float, int]] = []  # bucket, next move, how many moves ago it came
    waiting: list[int] = []
    previous, found = None, []
    for bid, bid_quantity, ask, ask_quantity in zip(*rows.values(), strict=True):
        mid, share = (bid + ask) / 2, bid_quantity / (bid_quantity + ask_quantity)
        if previous is not None and mid != previous:
            visits = [(bucket, move, ago + 1) for bucket, move, ago in visits]
            visits += [(bucket, mid - previous, 0) for bucket in waiting]
            waiting = []
        previous = mid
        bucket = min(int(share * buckets), buckets - 1)
        waiting.append(bucket)
        moved, seen = prior * (ask - bid) * (share - 0.5), prior
        for one, move, ago in visits:
            weight = (1 - 1 / moves) ** ago
            for side, signed in ((one, move), (buckets - 1 - one, -move)):
                if side == bucket:
                    moved, seen = moved + weight * signed, seen + weight
        found.append(mid + moved / seen)
    return found


@pytest.mark.parametrize(("buckets", "moves"), [(10, 1_000), (5, 20), (2, 3)])
def test_micro_price_by_its_definition(buckets: int, moves: int) -> None:
    rows = sample_bars(300, level_names(1))
    found = columns([f"micro_price({buckets}, {moves})"], rows)
    np.testing.assert_allclose(next(iter(found.values())), slow_micro_price(rows, buckets, moves, 100.0), rtol=1e-12)


def test_micro_price_learns_what_imbalance_is_worth() -> None:
    """A market whose mid next moves by +1 tick after a heavy bid and by −1 after a heavy ask: the adjustment, at first
    that of the weighted mid, comes to one tick; where imbalance says nothing it comes to none."""
    draw = np.random.default_rng(8)
    heavy = draw.integers(0, 2, 20_000) * 2 - 1
    for speaks, worth in ((True, 0.01), (False, 0.0)):
        steps = heavy[:-1] if speaks else draw.integers(0, 2, 19_999) * 2 - 1
        mid = 100.0 + 0.01 * np.concatenate([[0], np.cumsum(steps)])
        rows = {
            "bid": mid - 0.05,
            "bid_quantity": 5.0 + 4.0 * heavy,
            "ask": mid + 0.05,
            "ask_quantity": 5.0 - 4.0 * heavy,
        }
        adjustment = (columns(["micro_price(10, 5000)"], rows)["micro_price_10_5000"] - mid) * heavy
        assert adjustment[0] == pytest.approx(0.1 * 0.4)  # spread · (share − 1/2)
        assert adjustment[-1_000:].mean() == pytest.approx(worth, abs=2e-3)
