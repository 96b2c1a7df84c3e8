"""Features

Batch: whole columns of a million bars, arrays in and arrays out, beside TA-Lib's compiled functions on the same
arrays. Stream: one `update` a bar over 50,000 bars that exist already, beside talipp's `add`, which keeps its state
as ours does; "all four" is one `update` of a stream with four features against four `add`. Same work means that the
last values agree to a part in 10⁹. Our kernels run the same resumable step in batch, stream and live, bit for bit;
TA-Lib's have no state to resume.
"""

import math
import sys
from collections.abc import Iterator

from harness import Answer, Missing, Row, ask, main, row, run, size_name

UNITS = {"batch": "values", "stream": "updates"}


def rows(quick: bool) -> Iterator[Row]:
    yield from beside("batch", "ta_lib", *((2_000, 1) if quick else (1_000_000, 9)))
    yield from beside("stream", "talipp", *((2_000, 1) if quick else (50_000, 5)))


def beside(mode: str, peer: str, n: int, repeats: int) -> Iterator[Row]:
    """A row for each feature of a mode; every library measures all of its features in one process."""
    ours = run(sys.executable, "ours_features.py", mode, n, repeats)
    theirs = ask(peer, f"peers/{peer}_features.py", n, repeats)
    for name, answer in ours.items():
        found = theirs if isinstance(theirs, Missing) else theirs.get(name, Missing(f"{peer} has no {name}"))
        yield row(f"{mode} {name}, {size_name(n)} bars", UNITS[mode], answer, {peer: found}, agrees_with(answer))


def agrees_with(ours: Answer):
    return lambda answer: math.isclose(answer["last"], ours["last"], rel_tol=1e-9)


if __name__ == "__main__":
    main(rows, __doc__)
