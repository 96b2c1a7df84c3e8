"""What every source of history promises, held against each fetch that a test makes of any of them."""

import polars as pl

from truewind.market.history.provider import Chunk, DataProvider
from truewind.storage.schema import TS, SeriesKey

BESIDE = {"close_time", "__row__"}  # what rows may carry that the lake does not keep


async def fetched(provider: DataProvider, key: SeriesKey, start_us: int, end_us: int) -> list[Chunk]:
    """All chunks of [start_us, end_us), each of which keeps the promises of `DataProvider.fetch`."""
    assert provider.offer(key) is not None, f"{provider.name} does not offer {key}: {provider.why_not(key)}"
    chunks = [chunk async for chunk in provider.fetch(key, start_us, end_us)]
    reached = start_us
    for chunk in chunks:
        assert reached <= chunk.start_us < chunk.end_us <= end_us, "chunks follow each other, within what was asked for"
        reached = chunk.end_us
        assert chunk.source, "a person can look it up"
        _check_rows(key, chunk)
    return chunks


def _check_rows(key: SeriesKey, chunk: Chunk) -> None:
    kind = key.about
    assert set(chunk.rows.columns) - BESIDE <= set(kind.columns), "columns of the lake's kind, and no others"
    if chunk.rows.is_empty():
        return
    assert {name for name, _ in kind.required} <= {*chunk.rows.columns, *BESIDE}
    assert chunk.rows.schema["ts"] == TS
    times = chunk.rows["ts"].to_physical().drop_nulls()
    inside = times.is_between(chunk.start_us, chunk.end_us, closed="left")
    assert inside.all(), f"{pl.Series(times).filter(~inside).to_list()[:3]} are not in the chunk's time"
