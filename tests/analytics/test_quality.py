"""Data quality tells what was read and what is missing, and gathers warnings that many symbols share."""

import msgspec
import pytest

from truewind.analytics.document import Table, Text
from truewind.analytics.sections import quality


def one(symbol="A", kind="bars", timeframe="1h", venue="binance", rows=900, missing=0, refused=None, why=None):
    return {
        "kind": kind, "venue": venue, "symbol": symbol, "timeframe": timeframe, "rows": rows,
        "start": "2024-01-01 00:00:00", "end": "2024-02-01 00:00:00", "gaps": int(missing > 0), "missing": missing,
        "why": why or {}, "quarantined": refused or {}, "content_hash": "x",
    }  # fmt: skip


class Run(msgspec.Struct):
    """What the section looks at of a report."""

    warnings: list
    summary: dict
    data: dict | None = None


def run(*series, warnings=(), year=365, undefined=()):
    return Run(list(warnings), {"days_per_year": year, "not_defined": list(undefined)}, {"series": list(series)})


def of(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def test_complete_series_are_said_to_be():
    found = quality.section(run(one(), one("B")))
    assert of(found, Text)[0].sentences == ("2 series were read. None has a gap.",)
    assert of(found, Text)[1].sentences == ("None.",)


def test_the_share_that_is_missing_is_of_all_rows_that_there_should_be():
    """By hand: 100 of 1,000 lack in one series, none of 1,000 in the other: 10 % and 5 %. Funding is not counted."""
    lacking = one(missing=100, why={"venue down": 60, "missing": 40}, refused={"'high' is null": 3})
    found = quality.section(run(lacking, one("B", rows=1000), one("A", "funding", "", rows=500)))
    assert of(found, Text)[0].sentences == (
        "3 series were read. 1 of them lacks rows, 5.0 % of all. 3 rows were refused by checks and are in quarantine.",
    )
    rows = of(found, Table)[0].rows
    assert rows[0][4:] == (1, 100, pytest.approx(0.1), "venue down 60, missing 40", 3)
    assert rows[2][4:] == (None, None, None, None, 0)


def test_a_market_with_sessions_is_not_reproached_for_its_nights():
    found = quality.section(run(one(missing=700), year=252))
    assert "closed" in of(found, Text)[0].sentences[0]
    assert of(found, Table)[0].rows[0][4:7] == (None, None, None)


def test_a_made_up_market_is_pointed_out():
    (said,) = [
        block
        for block in quality.section(run(one(venue="synthetic"))).blocks
        if getattr(block, "tone", "") == "warning"
    ]
    assert "made up" in said.sentences[0]


def test_a_run_without_a_lake_has_its_warnings_all_the_same():
    bare = Run(["A: tick inferred"], {"days_per_year": 365, "not_defined": [{"metric": "sharpe", "reason": "why"}]})
    said, missing = quality.section(bare).blocks
    assert said.sentences == ("A: tick inferred",)
    assert missing.sentences == ("Sharpe: not defined, because why",)


def test_warnings_that_many_symbols_share_are_said_once():
    told = [f"{name}: tick 0.{i} was inferred on 2024-01-0{i}" for i, name in enumerate("ABCDEFG", 1)]
    told += ["B: something else", "35 orders were denied (limit), the first at 2024-04-01 04:00"]
    told += ["9 orders were denied (limit), the first at 2024-04-02 04:00", "7 orders were denied (x), the first at 3"]
    found = quality.section(run(warnings=told))
    (said,) = of(found, Text)
    assert said.sentences[0] == f"{told[0]} (likewise B, C, D, E and 2 more)"
    assert said.sentences[1:] == tuple(told[7:])
    (every,) = of(found, Table)
    assert [row[0] for row in every.rows] == told
    assert every.folded


def test_two_alike_are_said_one_by_one():
    told = ["A: tick 1 inferred", "B: tick 2 inferred"]
    assert of(quality.section(run(warnings=told)), Text)[0].sentences == tuple(told)
