"""Export: a document in the forms that people keep, send and calculate with: HTML, PDF, CSV and JSON.

CSV: a file a Table, named after it. Numbers stand in full precision and in the unit of their column, which the heading
names where it is not plain: `Return [fraction]`. Moments are ISO 8601 in UTC; what is not defined is an empty cell.
Text that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV Injection").

JSON: `{"schema": 1, "name": …, "sections": [{"id", "title", "blocks": [{"block": "Table", …}, …]}, …]}`: the fields of
`analytics.document`, arrays as lists, moments as text or int µs UTC as they are there, NaN and infinity as null.
"""

import csv
import datetime as dt
import io
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import numpy as np
import orjson
import polars as pl

from truewind.analytics import document as parts
from truewind.analytics.document import Column, Document, Table
from truewind.storage.blobs import open_blobs

Format = Literal["html", "pdf", "csv", "json"]

SCHEMA = 1  # of the JSON; grows when a field changes its meaning or goes
_BLOCKS = get_args(parts.Block)
_UNITS = {"fraction": "fraction", "days": "days", "hours": "hours", "bps": "bps"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet reads as the beginning of a formula


def write(
    folder: Path, document: Document, formats: Collection[Format], *, name: str = "report", tables: str = "csv"
) -> dict[str, Path]:
    """Write the document into `folder` as `report.html`, `report.pdf`, `report.json` and `csv/*.csv`; where each is.

    name: of the files, without an ending. tables: of the folder of the CSV files.
    CSV files of before that are no longer among the tables are removed.
    Raises ConfigError if a PDF is wanted and matplotlib is missing, StorageError if the disk refuses.
    """
    made: dict[str, bytes] = {}
    if "html" in formats:
        from truewind.analytics.page import page

        made[f"{name}.html"] = page(document).encode()
    if "pdf" in formats:
        from truewind.analytics import pdf

        made[f"{name}.pdf"] = pdf.render(document)
    if "json" in formats:
        made[f"{name}.json"] = as_json(document)
    blobs = open_blobs(folder)
    sheets = as_csv(document) if "csv" in formats else {}
    for file, data in (made | {f"{tables}/{file}": data for file, data in sheets.items()}).items():
        blobs.write(file, data)
    found = {file.rpartition(".")[2]: folder / file for file in made}
    if "csv" in formats:
        for entry in blobs.entries(tables):
            if entry.name.endswith(".csv") and entry.name not in sheets:
                blobs.remove(f"{tables}/{entry.name}")
        found["csv"] = folder / tables
    return found


def as_csv(document: Document) -> dict[str, bytes]:
    """The document's tables by the name of their file, UTF-8. Of two that share a name the second is `name-2.csv`."""
    found: dict[str, bytes] = {}
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", block.name).strip("-.") or section.id
                name, number = f"{stem}.csv", 2
                while name in found:
                    name, number = f"{stem}-{number}.csv", number + 1
                found[name] = _csv(block)
    return found


def _csv(table: Table) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target)  # RFC 4180: lines end with CR LF, and text that holds either is quoted
    writer.writerow([_safe(_heading(column)) for column in table.columns])
    for row in table.rows:
        writer.writerow([_cell(value) for value in row])
    return target.getvalue().encode()


def _heading(column: Column) -> str:
    unit = _UNITS.get(column.kind)
    return f"{column.label} [{unit}]" if unit else column.label


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float | np.floating) and not math.isfinite(value)):
        return ""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, bool | int | float) else _safe(str(value))


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_json(document: Document) -> bytes:
    """The whole document; see the head of this file for its form."""
    told = {"schema": SCHEMA, **msgspec.structs.asdict(document)}
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(told, default=_plain, option=options) + b"\n"


def _plain(value: Any) -> Any:
    """What orjson does not know by itself."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value)
        return {"block": type(value).__name__, **fields} if isinstance(value, _BLOCKS) else fields
    if isinstance(value, pl.DataFrame):
        return value.to_dict(as_series=False)
    if isinstance(value, np.ndarray):  # one that does not lie in one piece
        return np.ascontiguousarray(value) if value.dtype.kind in "fiub" else value.tolist()
    return str(value)
