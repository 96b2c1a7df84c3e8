"""Order book

Level updates and trades of a made-up market. *One book*: levels into a book, nothing else. *Lane, no strategy*: with
the venue's book and the one that has been heard. *Market maker*: two post-only quotes looked after every 100 ms, 1 ms
latency each way, conservative queue, orders filling whole, as hftbacktest's own models have it; "same" compares orders,
fills and position with hftbacktest's.

What bounds the lane are its two books: a good half of its time goes to the venue's, where each row is also held against
our orders, the rest to the book that has been heard, as much as a book by itself; heard in a single batch instead of by
the minute it takes the same. The books' arrays and the closing proof take 2 ms a run. To the market maker an order
costs about 600 ns more, from the decision by way of the venue to its end.
"""

import sys
from collections.abc import Iterator

from harness import Answer, Missing, Row, ask, main, row, run, size_name

LEVELS, REPEATS = 2_000_000, 7
SAME = ("orders", "changes", "position")


def rows(quick: bool) -> Iterator[Row]:
    levels, repeats = (5_000, 1) if quick else (LEVELS, REPEATS)
    size = size_name(levels * 6 // 5)
    peer = "peers/hftbacktest_book.py"
    feed = ask("hftbacktest", peer, "feed", levels, repeats)
    for work, title in (("book", "one book"), ("feed", "lane, no strategy")):
        mine = run(sys.executable, "ours_book.py", work, levels, repeats)
        yield row(f"{title}, {size} events", "events", mine, {"hftbacktest": feed})
    mine = run(sys.executable, "ours_book.py", "maker", levels, repeats)
    theirs = ask("hftbacktest", peer, "maker", levels, repeats)
    yield row(f"market maker, {size} events", "events", mine, {"hftbacktest": theirs}, same_as(mine, theirs))


def same_as(mine: Answer, theirs: Answer | Missing):
    """Whether an answer tells of the same orders, fills and position as both engines must have."""
    if isinstance(theirs, Missing):
        return None
    return lambda answer: all(answer[name] == mine[name] == theirs[name] for name in SAME)


if __name__ == "__main__":
    main(rows, __doc__)
