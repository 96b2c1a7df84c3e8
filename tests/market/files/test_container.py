"""Containers are told by their bytes, and damaged ones are refused in words."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from truewind.errors import FormatError, MissingFileError
from truewind.market.files.container import Encoding, find_files, members

TEXT = b"a,b\n1,2\n"


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def opened(path: Path, data: bytes):
    path.write_bytes(data)
    return list(members(path))


@pytest.mark.parametrize("name", ["a.csv", "a.zip", "a.feather", "no_ending"])
def test_the_bytes_and_not_the_ending_say_what_a_file_is(tmp_path, name):
    assert [(m.data, m.encoding) for m in opened(tmp_path / name, TEXT)] == [(TEXT, Encoding.TEXT)]
    assert [m.data for m in opened(tmp_path / name, gzip.compress(TEXT))] == [TEXT]
    assert [(m.name, m.data) for m in opened(tmp_path / name, zipped(x=TEXT))] == [("x", TEXT)]


def test_every_file_of_a_zip_is_opened_and_labelled_with_both_names(tmp_path):
    found = opened(tmp_path / "b.zip", zipped(**{"1h/BTC.csv": TEXT, "1h/ETH.csv": gzip.compress(TEXT)}))
    assert [m.label for m in found] == ["b.zip/1h/BTC.csv", "b.zip/1h/ETH.csv"]
    assert [m.data for m in found] == [TEXT, TEXT]
    assert not any(m.alone for m in found)
    assert found[0].names == ("BTC.csv", "1h", "b.zip")
    assert found[0].folders[0] == tmp_path.name


def test_a_truncated_zip_is_refused(tmp_path):
    whole = zipped(x=TEXT * 100)
    with pytest.raises(FormatError, match="truncated zip"):
        opened(tmp_path / "cut.zip", whole[: len(whole) // 2])


def test_a_zip_whose_content_does_not_match_its_checksum_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x", TEXT)
    with pytest.raises(FormatError, match="damaged"):
        opened(tmp_path / "bad.zip", buffer.getvalue().replace(b"1,2", b"1,3"))


def test_a_zip_without_files_is_refused(tmp_path):
    with pytest.raises(FormatError, match="without files"):
        opened(tmp_path / "void.zip", zipped())


def test_a_truncated_gzip_is_refused(tmp_path):
    with pytest.raises(FormatError, match="truncated gzip"):
        opened(tmp_path / "cut.csv.gz", gzip.compress(TEXT * 100)[:-12])


@pytest.mark.parametrize("data", [b"", b"  \n\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused(tmp_path, data):
    with pytest.raises(FormatError, match="empty"):
        opened(tmp_path / "void.csv", data)


def test_a_cut_parquet_or_feather_file_is_refused(tmp_path):
    with pytest.raises(FormatError, match="truncated Parquet"):
        opened(tmp_path / "cut.parquet", b"PAR1" + b"x" * 50)
    with pytest.raises(FormatError, match="truncated feather"):
        opened(tmp_path / "cut.feather", b"ARROW1\x00\x00" + b"x" * 50)


def test_binary_data_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(FormatError, match="neither text"):
        opened(tmp_path / "picture.csv", b"\x89PNG\x00\x00\x00\x01")


def test_folders_are_searched_without_hidden_files_and_checksums_and_each_file_once(tmp_path):
    for name in ("b.csv", "sub/a.csv", ".hidden/c.csv", "sub/.d.csv", "b.zip.CHECKSUM"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(TEXT)
    found = find_files([tmp_path, tmp_path / "b.csv"])
    assert [p.name for p in found] == ["b.csv", "a.csv"]


def test_a_path_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        find_files([tmp_path / "nowhere"])


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        list(members(tmp_path))  # a folder
