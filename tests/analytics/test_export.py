"""Exports: tables as CSV that a spreadsheet reads as meant, the whole document as JSON."""

import csv
import datetime as dt
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import blocks
from truewind.analytics import export
from truewind.analytics.document import Block, Column, HeatMap, Lines, Table

WHEN = dt.datetime(2024, 1, 31, 13, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_a_table_is_written_in_full_precision_with_its_units() -> None:
    """Units in the heading, moments in UTC, what is not defined as an empty cell."""
    columns = (
        *(Column(label="Symbol"), Column(label="Opened", kind="moment"), Column(label="Return", kind="fraction")),
        *(Column(label="Held", kind="hours"), Column(label="P&L", kind="money"), Column(label="n", kind="count")),
    )
    rows = (("BTCUSDT", WHEN, 0.1 + 0.2, 1.5, np.float64(1e-9), 3), (None, None, math.nan, math.inf, None, np.int64(4)))
    found = export.as_csv(blocks.document(Table(name="trades", columns=columns, rows=rows)))
    assert found.keys() == {"trades.csv"}
    assert rows_of(found["trades.csv"]) == [
        ["Symbol", "Opened", "Return [fraction]", "Held [hours]", "P&L", "n"],
        ["BTCUSDT", "2024-01-31T12:30:00Z", "0.30000000000000004", "1.5", "1e-09", "3"],
        ["", "", "", "", "", "4"],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")'])
def test_text_that_a_spreadsheet_would_run_is_marked_as_text(text: str) -> None:
    """Text only: a negative number stays a number."""
    columns = (Column(label="Reason"), Column(label="P&L", kind="money"))
    found = export.as_csv(blocks.document(Table(name="t", columns=columns, rows=((text, -2.5),))))
    assert rows_of(found["t.csv"])[1] == [f"'{text}", "-2.5"]


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False, allow_infinity=False)), max_size=8))
def test_cells_come_back_as_they_were(rows: list[tuple[str, float]]) -> None:
    """Whatever separators, quotes and line ends are in the text; numbers to the last bit."""
    columns = (Column(label="Name"), Column(label="Worth", kind="money"))
    read = rows_of(export.as_csv(blocks.document(Table(name="t", columns=columns, rows=tuple(rows))))["t.csv"])[1:]
    assert [(name.removeprefix("'") if name[1:].startswith(export._FORMULA) else name) for name, _ in read] == [
        name for name, _ in rows
    ]
    assert [float(worth) for _, worth in read] == [worth for _, worth in rows]


def test_tables_of_one_name_and_names_that_are_no_file_names() -> None:
    def table(name: str) -> Table:
        return Table(name=name, columns=(Column(label=name),), rows=())

    given_names = ("costs", "costs", "../../etc/passwd", "by hour", "…")
    found = export.as_csv(blocks.document(*map(table, given_names)))
    assert list(found) == ["costs.csv", "costs-2.csv", "etc-passwd.csv", "by-hour.csv", "all.csv"]


def test_the_json_holds_every_field_of_every_block() -> None:
    """Names of blocks and fields are those of analytics.document; NaN is null; the schema is numbered."""
    document = blocks.every_block()
    told = json.loads(export.as_json(document), parse_constant=pytest.fail)
    assert (told["schema"], told["name"], told["passed"], told["warnings"]) == (export.SCHEMA, "A run", False, 1)
    (section,) = told["sections"]
    assert len(section["blocks"]) == len(document.sections[0].blocks)
    for written, block in zip(section["blocks"], document.sections[0].blocks, strict=True):
        assert written["block"] == type(block).__name__
        assert written.keys() == {"block", *block.__struct_fields__}
    assert {type(block) for block in document.sections[0].blocks} == set(export._BLOCKS)
    cells = next(block for block in section["blocks"] if block["block"] == "Candles")
    assert cells["candles"]["BTCUSDT"]["ts"][0] == "2024-01-01T00:00:00Z"
    tiles = next(block for block in section["blocks"] if block["block"] == "Tiles")["tiles"]
    assert [tile["value"] for tile in tiles] == [-0.1234, None, None]


@pytest.mark.parametrize(
    ("block", "field", "value"),
    [
        (HeatMap(title="t", rows=("a",), columns=("b", "c"), values=np.array([[1.0], [np.nan]]).T, kind="ratio"),
         "values", [[1.0, None]]),
        (Lines(title="t", series=(blocks.series(np.arange(6.0)[::2]),), kind="money", x=np.arange(6.0)[::2]),
         "x", [0.0, 2.0, 4.0]),
        (Lines(title="t", series=(), kind="money", ts_us=np.array([1_704_067_200_000_000])),
         "ts_us", [1_704_067_200_000_000]),
        (Table(name="t", columns=(), rows=((np.float64("nan"), np.int64(3), np.bool_(True)),)),
         "rows", [[None, 3, True]]),
    ],
)  # fmt: skip
def test_arrays_become_lists_however_they_lie(block: Block, field: str, value: object) -> None:
    told = json.loads(export.as_json(blocks.document(block)))
    assert told["sections"][0]["blocks"][0][field] == value


def test_files_are_written_where_they_belong_and_old_tables_go(tmp_path: Path) -> None:
    """All forms at once; a table of before that is no more is removed, other files are left alone."""
    (tmp_path / "csv").mkdir()
    for name in ("csv/gone.csv", "csv/notes.txt", "summary.json"):
        (tmp_path / name).write_text("mine")
    found = export.write(tmp_path, blocks.every_block(), ("html", "pdf", "csv", "json"))
    assert found == {
        "html": tmp_path / "report.html",
        "pdf": tmp_path / "report.pdf",
        "json": tmp_path / "report.json",
        "csv": tmp_path / "csv",
    }
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    own = {"csv/notes.txt", "summary.json"}
    assert names == {"report.html", "report.pdf", "report.json", "csv/costs.csv", "csv/kinds.csv"} | own
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_document_without_blocks() -> None:
    document = blocks.document()
    assert export.as_csv(document) == {}
    assert json.loads(export.as_json(document))["sections"] == [{"id": "all", "title": "Everything", "blocks": []}]
