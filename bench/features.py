"""Features

Batch: whole columns of a million bars, arrays in and arrays out, beside TA-Lib's compiled functions on the same
arrays. Stream: one `update` a bar over 50,000 bars that exist already, beside talipp's `add`, which keeps its state
as ours does; "all four" is one `update` of a stream with four features against four `add`; "a row of 100 states" is one
call that gives a hundred features, as a tuple (`update`) or as an array (`vector`). polars computes the same by
expressions, on all cores. Same work means that the last values agree to a part in 10⁹. Our kernels run the same
resumable step in batch, stream and live, bit for bit; TA-Lib's have no state to resume, and need no test a row whether
enough of them have been seen.

What bounds a stream is the way between Python and machine code, not the feature: of the 320 ns of a feature that reads
one number, the call itself takes 100, reading the bar's field and handing it over 45, the named tuple with its number
150. A stream that reads several numbers hands them over together, which takes 250 more, once for all of its features.
"""

import math
import statistics
import sys
from collections.abc import Iterator

from harness import Answer, Missing, Row, ask, main, row, run, size_name

UNITS = {"batch": "values", "stream": "updates"}


def rows(quick: bool) -> Iterator[Row]:
    yield from beside("batch", ("ta_lib", "polars"), *((2_000, 1) if quick else (1_000_000, 9)))
    yield from beside("stream", ("talipp",), *((2_000, 1) if quick else (50_000, 5)))


def beside(mode: str, peers: tuple[str, ...], n: int, repeats: int) -> Iterator[Row]:
    """A row for each feature of a mode; every library measures all of its features in one process. Of several peers the
    means of the ratios come last."""
    ours, made = run(sys.executable, "ours_features.py", mode, n, repeats), []
    theirs = {peer: ask(peer, f"peers/{peer}_features.py", n, repeats) for peer in peers}
    for name, answer in ours.items():
        found = {
            peer: told if isinstance(told, Missing) else told[name]
            for peer, told in theirs.items()
            if isinstance(told, Missing) or name in told
        }
        made.append(row(f"{mode} {name}, {size_name(n)} bars", UNITS[mode], answer, found, agrees_with(answer)))
    means = [mean for mean in (mean_ratio(peer, made) for peer in peers) if mean and len(peers) > 1]
    made[-1]["note"] = f"geometric mean of all batch ratios: {', '.join(means)}" if means else None
    yield from made


def mean_ratio(peer: str, made: list[Row]) -> str:
    """The geometric mean of our speed over a peer's, where it did the same work."""
    ratios = [
        beside["ratio"] for one in made for beside in one["peers"] if beside["peer"] == peer and beside["same_work"]
    ]
    return f"{peer} {statistics.geometric_mean(ratios):.2f}× over {len(ratios)}" if ratios else ""


def agrees_with(ours: Answer):
    return lambda answer: math.isclose(answer["last"], ours["last"], rel_tol=1e-9)


if __name__ == "__main__":
    main(rows, __doc__)
