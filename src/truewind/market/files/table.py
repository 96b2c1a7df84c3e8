"""Raw tables: the rows of a file with nothing interpreted yet.

Text is read with every column as a string, so that the type of a column is decided by all of its rows: a volume
that is whole for a thousand rows and decimal afterwards is read right.
"""

import io

import msgspec
import polars as pl

from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member

ROW = "__row__"  # position in the file, from 1, the header not counted
_SEPARATORS = ",;\t|"


class RawTable(msgspec.Struct, frozen=True):
    """A file's rows, plus the column ROW. header: the file names its columns; without, they are column_1, column_2 …"""

    frame: pl.DataFrame
    header: bool
    label: str

    @property
    def columns(self) -> list[str]:
        return [name for name in self.frame.columns if name != ROW]


def read_table(member: Member) -> RawTable:
    """The rows of `member`. Raises FormatError if it cannot be parsed or has no rows."""
    try:
        if member.encoding is Encoding.PARQUET:
            frame, header = pl.read_parquet(io.BytesIO(member.data)), True
        elif member.encoding is Encoding.ARROW:
            frame, header = pl.read_ipc(io.BytesIO(member.data)), True
        else:
            frame, header = _read_text(member)
    except (pl.exceptions.PolarsError, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise FormatError(
            f"{member.label} cannot be read as {member.encoding}: {first_line}",
            remedy="Fetch it again, or mend the row",
            path=member.path,
        ) from None
    if frame.is_empty():
        raise FormatError(f"{member.label} has no rows", remedy="Fetch it again, or leave it out", path=member.path)
    return RawTable(frame=frame.with_row_index(ROW, offset=1), header=header, label=member.label)


def _read_text(member: Member) -> tuple[pl.DataFrame, bool]:
    try:
        text = member.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{member.label} is not UTF-8 text", remedy="Save it as UTF-8", path=member.path) from None
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    if first.lstrip().startswith(("{", "[")):
        raise FormatError(f"{member.label} is JSON", remedy="Give a CSV, Parquet or feather file", path=member.path)
    separator = max(_SEPARATORS, key=first.count)
    if separator not in first:
        raise FormatError(f"{member.label} has one column only", remedy="Give a table of columns", path=member.path)
    header = not any(_is_number(field) for field in first.split(separator))
    frame = pl.read_csv(
        io.BytesIO(text.encode()),
        has_header=header,
        separator=separator,
        comment_prefix="#",
        infer_schema=False,  # all strings
    )
    if not header:
        frame.columns = [f"column_{i}" for i in range(1, frame.width + 1)]
    return frame, header


def _is_number(field: str) -> bool:
    try:
        float(field.strip().strip('"'))
    except ValueError:
        return False
    return True
