"""Events of several symbols leave in the order in which they happened, as far as patience allows, and none twice."""

from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.market import Bar, Trade
from truewind.live.order import Orderer

SYMBOLS = ("B", "A")
FAR = 1 << 60


def bar(symbol: str, ts_event: int) -> Bar:
    return Bar(symbol, ts_event - 60, ts_event, ts_event, 1.0, 1.0, 1.0, 1.0, 1.0)


def trade(symbol: str, ts_event: int, number: int) -> Trade:
    return Trade(symbol, ts_event, ts_event, 1.0, 1.0, 1, number)


def place(event: Trade) -> tuple[int, int, int]:
    return event.ts_event, SYMBOLS.index(event.symbol), event.sequence


def test_a_bar_waits_for_the_other_symbol() -> None:
    orderer = Orderer(SYMBOLS, 100)
    orderer.add(bar("A", 60), 1000)
    assert orderer.ready(1050) == []
    assert orderer.due_us() == 1100
    orderer.add(bar("B", 60), 1060)
    assert [event.symbol for event in orderer.ready(1060)] == ["B", "A"]  # the session's order decides


def test_patience_ends_and_what_comes_later_is_left_out_or_let_in_behind() -> None:
    orderer = Orderer(SYMBOLS, 100)
    orderer.add(bar("A", 60), 1000)
    assert len(orderer.ready(1100)) == 1
    orderer.add(bar("B", 60), 1101)
    assert (orderer.ready(FAR), orderer.dropped) == ([], 1)
    orderer = Orderer(SYMBOLS, 100)
    orderer.add(trade("A", 60, 1), 1000)
    assert len(orderer.ready(1100)) == 1
    orderer.add(trade("B", 50, 7), 1101)
    found = orderer.ready(FAR)
    assert [(event.symbol, event.ts_event, event.sequence) for event in found] == [("B", 61, 7)]
    assert orderer.lifted == 1


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=2, max_size=2),
    st.randoms(use_true_random=False),
    st.integers(0, 40),
)
def test_all_trades_leave_once_and_in_order(times, draw, patience):
    """However the two symbols' trades are mixed; with patience enough none is moved in time."""
    told = [
        [trade(symbol, ts, number) for number, ts in enumerate(sorted(column))]
        for symbol, column in zip(SYMBOLS, times, strict=True)
    ]
    orderer, found, now = Orderer(SYMBOLS, patience), [], 0
    everything = [event for column in told for event in column]
    while any(told):
        orderer.add(draw.choice([column for column in told if column]).pop(0), now)
        now += draw.randint(0, 5)
        found += orderer.ready(now)
    found += orderer.rest()
    assert [place(event) for event in found] == sorted(place(event) for event in found)
    assert sorted((e.symbol, e.sequence) for e in found) == sorted((e.symbol, e.sequence) for e in everything)
    if orderer.lifted == 0:
        assert found == sorted(everything, key=place)
    assert orderer.lifted == 0 or patience <= now
