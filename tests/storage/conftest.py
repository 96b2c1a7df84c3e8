"""Tables that the storage tests write, and the stores that they write to: a local folder, real servers of S3 and of
PostgreSQL.
"""

import fnmatch
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import s3 as servers
from databases import new_database, postgres_server

UTC_US = pl.Datetime("us", "UTC")


def _bars(times_us: list[int], **columns: list[float | None]) -> pl.DataFrame:
    n = len(times_us)
    values = {"open": [10.0] * n, "high": [12.0] * n, "low": [9.0] * n, "close": [11.0] * n, "volume": [1.5] * n}
    types = {"ts": pl.Int64} | dict.fromkeys((values | columns), pl.Float64)
    return pl.DataFrame({"ts": times_us, **(values | columns)}, schema=types).with_columns(pl.col("ts").cast(UTC_US))


@pytest.fixture(scope="session")
def bars() -> Callable[..., pl.DataFrame]:
    """bars([ts_us, …], close=[…]) → a bars table with these opens."""
    return _bars


class Store:
    """Where a lake lies, and its files behind the lake's back. `kind`: "local" or "s3"."""

    def __init__(self, kind: str, url: str, client: Any = None) -> None:
        self.kind, self.url, self._client = kind, url, client
        if client is not None:
            self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")

    def at(self, name: str) -> str:
        return f"{self.url}/{name}"

    def files(self, pattern: str = "*") -> list[str]:
        """Names of the files that match; `*` crosses folders."""
        if self._client is None:
            names = [str(path.relative_to(self.url)) for path in Path(self.url).rglob("*") if path.is_file()]
        else:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + "/"
            )
            names = [
                item["Key"].removeprefix(self._prefix + "/") for page in pages for item in page.get("Contents", [])
            ]
        return sorted(name for name in names if fnmatch.fnmatch(name, pattern))

    def only(self, pattern: str) -> str:
        (name,) = self.files(pattern)
        return name

    def location(self, name: str) -> str:
        return f"{self.url}/{name}"

    def get(self, name: str) -> bytes:
        if self._client is None:
            return (Path(self.url) / name).read_bytes()
        return bytes(self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")["Body"].read())

    def put(self, name: str, data: bytes) -> None:
        if self._client is None:
            path = Path(self.url) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        else:
            self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}", Body=data)

    def delete(self, name: str) -> None:
        if self._client is None:
            (Path(self.url) / name).unlink()
        else:
            self._client.delete_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")

    def contents(self) -> dict[str, bytes]:
        """All files but locks and markers of time, with their bytes."""
        return {name: self.get(name) for name in self.files() if not name.endswith(("_lock", ".retired"))}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Any]:
    """A client of a server that speaks S3, with the bucket `lakes`; the environment leads to it."""
    with servers.serving() as client:
        yield client


@pytest.fixture
def s3(s3_server: Any) -> Store:
    return Store("s3", f"s3://lakes/test-{next(_serial)}", s3_server)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """A lake's place that nothing was written to, on the local disk and on S3."""
    if request.param == "s3":
        found: Store = request.getfixturevalue("s3")
        return found
    return Store("local", str(request.getfixturevalue("tmp_path")))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, as TRUEWIND_DATABASE would name it."""
    if request.param == "sqlite":
        return str(tmp_path / "trials.db")
    return new_database(request.getfixturevalue("postgres"), f"test_{next(_serial)}")


_serial = itertools.count()
