"""Records: small tables about the data, part by part."""

import polars as pl
import pytest

from truewind.errors import ConfigError, CorruptError
from truewind.storage.lake import Lake


def test_parts_lie_below_each_other(tmp_path) -> None:
    """By name; a part of the same name is replaced, another column is null where it is not known."""
    lake = Lake(tmp_path)
    assert lake.records("runs").is_empty()
    lake.put_record("runs", "b", pl.DataFrame({"id": ["b"], "rows": [2]}))
    lake.put_record("runs", "a", pl.DataFrame({"id": ["old"], "rows": [1]}))
    lake.put_record("runs", "a", pl.DataFrame({"id": ["a"], "rows": [1], "error": ["disk"]}))
    assert lake.records("runs").rows() == [("a", 1, "disk"), ("b", 2, None)]
    assert lake.records("others").is_empty()
    assert lake.series() == []


def test_what_a_killed_writer_left_is_not_read(tmp_path) -> None:
    lake = Lake(tmp_path)
    lake.put_record("runs", "a", pl.DataFrame({"id": ["a"]}))
    (tmp_path / "meta" / "runs" / ".tmp-1-1").write_bytes(b"half")
    assert lake.records("runs").height == 1


@pytest.mark.parametrize("part", ["", "../a", "a/b", ".a", "a" * 101, "é"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, part: str) -> None:
    lake = Lake(tmp_path / "lake")
    for name in (("runs", part), (part, "a")):
        with pytest.raises(ConfigError, match="is no name of a record"):
            lake.put_record(*name, pl.DataFrame({"id": ["a"]}))
    assert not (tmp_path / "lake").exists()


def test_a_damaged_part_is_named(tmp_path) -> None:
    lake = Lake(tmp_path)
    lake.put_record("runs", "a", pl.DataFrame({"id": ["a"]}))
    (tmp_path / "meta" / "runs" / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptError, match=r"a\.parquet cannot be read"):
        lake.records("runs")
