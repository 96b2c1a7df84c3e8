"""A stored series held against a source that is asked again: do they tell the same, row by row?"""

import asyncio

import polars as pl

from truewind.domain.clock import iso, parse_ts_us
from truewind.errors import EmptyRangeError
from truewind.market.cross import Comparison
from truewind.market.files.table import ROW
from truewind.market.history.provider import Chunk, DataProvider
from truewind.market.validate import validate
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey, row_key

_THEIRS = "__theirs"


def against(lake: Lake, provider: DataProvider, keys: list[SeriesKey], span_us: int) -> list[Comparison]:
    """The last `span_us` of each series that the source offers, compared for the times that it answers for.

    Values must be equal; a value that one side does not have says nothing. Rows that only one side has differ. Nothing
    is stored. Raises NetworkErrors, CorruptError.
    """
    return asyncio.run(_against(lake, provider, keys, span_us))


async def _against(lake: Lake, provider: DataProvider, keys: list[SeriesKey], span_us: int) -> list[Comparison]:
    found = []
    async with provider:
        for key in keys:
            if provider.offer(key) is None:
                continue
            end = lake.parts(key)[-1].end_us + max(key.step_us, 1)
            parts = [
                pair
                async for chunk in provider.fetch(key, end - span_us, end)
                if (pair := await asyncio.to_thread(_beside, lake, key, chunk)) is not None
            ]
            found.append(_compared(key, provider.name, parts))
    return found


def _beside(lake: Lake, key: SeriesKey, chunk: Chunk) -> pl.DataFrame | None:
    """Stored rows of a chunk's time beside its own, which are judged as they would be on their way into the lake."""
    rows = chunk.rows if ROW in chunk.rows.columns else chunk.rows.with_row_index(ROW, 1)
    theirs = validate(key, rows).rows if rows.height else None
    try:
        ours = lake.read(key, start_us=chunk.start_us, end_us=chunk.end_us)
    except EmptyRangeError:
        ours = None
    if ours is None or theirs is None:
        there = ours if theirs is None else theirs
        return None if there is None else there.select("ts", pl.lit(True).alias("differs"))
    keys = [name for name in row_key(key.about, theirs.columns) if name in ours.columns]
    shared = [name for name in theirs.columns if name in ours.columns and name not in (*keys, "ts_recv")]
    both = ours.with_columns(_ours=pl.lit(1)).join(
        theirs.with_columns(pl.lit(1).alias(_THEIRS)), on=keys, how="full", suffix=_THEIRS, coalesce=True
    )
    unequal = [(pl.col(name) != pl.col(f"{name}{_THEIRS}")).fill_null(False) for name in shared]
    alone = pl.col("_ours").is_null() | pl.col(_THEIRS).is_null()
    return both.select("ts", pl.any_horizontal(alone, *unequal).alias("differs"))


def _compared(key: SeriesKey, name: str, parts: list[pl.DataFrame]) -> Comparison:
    both = pl.concat(parts).sort("ts") if parts else pl.DataFrame(schema={"ts": pl.Int64, "differs": pl.Boolean})
    wrong = both.filter("differs")["ts"]
    if not both.height:
        return Comparison("source", key, name, 0, 0, worst="it answers for none of the last days")
    first, last = (parse_ts_us(wrong[0]), parse_ts_us(wrong[-1])) if len(wrong) else (None, None)
    since = f"since {iso(parse_ts_us(both['ts'][0]))}"
    return Comparison("source", key, name, both.height, len(wrong), first, last, since)
