"""Streams

Aggregate trades from a server process on the same machine, frames made beforehand, over one WebSocket: from the socket
to the reader's hands. Ours are typed events with exact times, in order, duplicates dropped and holes looked for;
python-binance gives dicts of text, ccxt.pro its unified trades. Latency is from the server's write to the event in the
reader's hands, of messages that come at a steady rate. Memory is what a process holds after a while at that rate
(`python bench/ours_streams.py soak 3600 5000` for an hour).
"""

import sys
from collections.abc import Iterator

from harness import Answer, Missing, Row, main, row, run, size_name

RATE = 5_000


def peer(script: str, *arguments: object) -> Answer | Missing:
    """A peer that is among the project's own tools for development, so that no other environment is needed."""
    try:
        return run(sys.executable, script, *arguments)
    except Missing as missing:
        return missing


def rows(quick: bool) -> Iterator[Row]:
    n, few, repeats, seconds = (2_000, 500, 1, 1) if quick else (1_000_000, 100_000, 5, 120)

    def whole(answer: Answer) -> bool:
        return answer["last"] == answer["n"] - 1

    ours = run(sys.executable, "ours_streams.py", "speed", n, repeats)
    peers = {
        "python-binance": peer("peers/python_binance_streams.py", few, repeats),
        "ccxt.pro": peer("peers/ccxt_streams.py", few, repeats),
    }
    yield row(f"socket to reader, {size_name(n)} trades", "messages", ours, peers, whole)
    late = run(sys.executable, "ours_streams.py", "latency", RATE * max(1, seconds // 12), RATE)
    yield row(f"latency at {size_name(RATE)} messages/s", "messages", late, {})
    held = run(sys.executable, "ours_streams.py", "soak", seconds, RATE)
    yield row(f"memory after {seconds} s at {size_name(RATE)} messages/s", "messages", held, {})


if __name__ == "__main__":
    main(rows, __doc__)
