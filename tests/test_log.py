"""Logs: JSON by category, rotation without loss, and no secret on any disk."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from log_handlers import remove_all
from profiles import examples
from truewind import log
from truewind.errors import ConfigError

SECRET = "Zq9-s3cr3t-9qZ"
NAMES = ["api_key", "apiKey", "API-KEY", "secret", "binance_api_secret", "token", "access_token", "password"]
NAMES += ["signature", "X-MBX-APIKEY", "Authorization", "private_key", "passphrase"]


class Settings(msgspec.Struct):
    api_secret: Any
    note: str = ""


class Pair(NamedTuple):
    token: Any
    other: int


class Model(BaseModel):
    password: str
    more: dict[str, Any] = {}


@dataclass
class Login:
    user: str
    passphrase: str


@pytest.fixture(autouse=True)
def _undo_setup() -> Iterator[None]:
    """Every test leaves Python's logging as it found it."""
    yield
    remove_all()


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# Places in which a secret may stand: under a telling name, in a SecretStr, in a record, in a text.
hidden = st.one_of(
    st.sampled_from(NAMES).map(lambda name: {name: SECRET}),
    st.sampled_from(NAMES).map(lambda name: {name: [1, {"deep": SECRET}]}),
    st.sampled_from(NAMES).map(lambda name: {name.encode(): SECRET.encode()}),
    st.just(SecretStr(SECRET)),
    st.just(Settings(SECRET)),
    st.just(Settings({"x": SecretStr(SECRET)})),
    st.just(Pair(SECRET, 1)),
    st.just(Model(password=SECRET)),
    st.just(Login("me", SECRET)),
    st.sampled_from(NAMES).map(lambda name: f"GET https://x.io/v1?a=1&{name}={SECRET}&b=2"),
    st.sampled_from(NAMES).map(lambda name: json.dumps({"a": 1, name: SECRET})),
    st.sampled_from(NAMES).map(lambda name: repr({"a": 1, name: SECRET})),
    st.sampled_from(NAMES).map(lambda name: f"{name}: {SECRET}"),
    st.just(f"Authorization: Bearer {SECRET}"),
    st.just(f"postgresql://me:{SECRET}@db/x"),
    st.just(ValueError(f"bad request: api_key='{SECRET}'")),
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
keys = st.text(max_size=5) | st.integers()
nested = st.recursive(
    hidden,
    lambda inner: st.one_of(
        st.tuples(plain, inner),
        st.lists(inner | plain, max_size=3).map(tuple),
        st.dictionaries(keys, inner | plain, max_size=3),
        inner.map(lambda value: Settings("", note=[value])),
        inner.map(lambda value: Model(password="", more={"a": value})),
    ),
    max_leaves=8,
)


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=nested)
@example(value=[[[[[[[[[[[[[[[{"secret": SECRET}]]]]]]]]]]]]]]])
def test_a_secret_never_reaches_a_file_or_the_terminal(
    value: Any, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever holds the secret, however deep, neither the log file nor stderr shows it."""
    folder = tmp_path_factory.mktemp("logs")
    log.setup(folder)
    log.get("security").warning("connected", value=value)
    log.get("security").warning(str(value) if isinstance(value, str | Exception) else "event")
    text = (folder / "security.jsonl").read_text()
    assert len(text.splitlines()) == 2
    assert SECRET not in text
    assert SECRET not in capsys.readouterr().err


def test_a_secret_in_a_raised_error_is_masked(tmp_path: Path) -> None:
    """A traceback whose message holds a signed URL is kept without the signature."""
    log.setup(tmp_path)
    try:
        raise RuntimeError(f"HTTP 401 for https://api/order?symbol=A&signature={SECRET}")
    except RuntimeError:
        log.get("system").exception("request failed")
    (record,) = records(tmp_path / "system.jsonl")
    assert "HTTP 401" in record["exception"]
    assert "symbol=A" in record["exception"]
    assert SECRET not in record["exception"]


@given(value=plain | st.lists(plain) | st.dictionaries(st.text(alphabet="abxyz"), plain))
def test_harmless_values_survive(value: Any) -> None:
    """Redaction is idempotent, always JSON, and leaves numbers and unsuspicious text as they are."""
    once = log.redacted(value)
    assert log.redacted(once) == once
    assert json.loads(json.dumps(once)) == once
    if isinstance(value, int | None):
        assert once == value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (float("nan"), "nan"),
        (2**80, 2**80),
        ("\udc80", "\udc80"),
        ({"tick": {1}}, {"tick": [1]}),
        ("rows: 3, price=1.5", "rows: 3, price=1.5"),
    ],
)
def test_values_are_kept_as_plain_json(value: Any, kept: Any) -> None:
    """Numbers of numpy become numbers; what JSON has no word for becomes text; all of it can be written."""
    assert log.redacted(value) == kept
    assert json.loads(json.dumps(log.redacted(value))) == kept


def test_an_endless_value_ends() -> None:
    """A list that holds itself is cut off instead of looping for ever."""
    value: list[Any] = []
    value.append(value)
    assert "…" in str(log.redacted(value))


def test_a_record_says_when_what_and_where(tmp_path: Path) -> None:
    """Each line is JSON with a UTC time, the level, the category, the event and its fields; other files stay away."""
    log.setup(tmp_path)
    log.get("data").info("imported", rows=3, path=Path("a.csv"))
    (record,) = records(tmp_path / "data.jsonl")
    assert record.pop("timestamp").endswith("Z")
    assert record == {"level": "info", "category": "data", "event": "imported", "rows": 3, "path": "a.csv"}
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["data.jsonl"]


def test_only_warnings_reach_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People see warnings in one line; information goes to the file alone; stdout stays clean."""
    log.setup(tmp_path)
    log.get("data").info("quiet")
    log.get("data").warning("3 rows quarantined", symbol="BTCUSDT")
    shown = capsys.readouterr()
    assert shown.err == "warning data: 3 rows quarantined  symbol=BTCUSDT\n"
    assert shown.out == ""


def test_the_level_decides_what_is_kept(tmp_path: Path) -> None:
    """At level WARNING information is dropped; at DEBUG everything stays; the last setup wins."""
    log.setup(tmp_path / "a", "warning")
    log.get("signal").info("x")
    assert not (tmp_path / "a" / "signal.jsonl").exists()
    log.setup(tmp_path / "b", "DEBUG")
    log.get("signal").debug("x")
    assert len(records(tmp_path / "b" / "signal.jsonl")) == 1


def test_unknown_names_are_refused_with_the_right_one() -> None:
    """A misspelt category or level is an error that names the closest."""
    with pytest.raises(ConfigError, match="Did you mean 'signal'"):
        log.get("signals")
    with pytest.raises(ConfigError, match="Did you mean 'WARNING'"):
        log.setup("unused", "WARN1NG")


def test_rotated_files_are_archived_and_no_line_is_lost(tmp_path: Path) -> None:
    """Two processes that share a folder lose no line in rotation, and the old files are gzipped."""
    program = (
        "import sys; from truewind import log; log.MAX_BYTES, log.ARCHIVES = 3000, 1000\n"
        "log.setup(sys.argv[1]); logger = log.get('model')\n"
        "for n in range(120): logger.info('x' * 50, who=sys.argv[2], n=n)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), who]) for who in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    archives = list(tmp_path.glob("model.jsonl.*.gz"))
    assert len(archives) > 5
    texts = [gzip.decompress(path.read_bytes()).decode() for path in archives]
    texts.append((tmp_path / "model.jsonl").read_text())
    assert all(len(text) <= 3000 for text in texts)
    seen = sorted((row["who"], row["n"]) for text in texts for row in map(json.loads, text.splitlines()))
    assert seen == [(who, n) for who in "ab" for n in range(120)]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Logging to a path that is a file says so once on stderr and goes on."""
    (tmp_path / "logs").write_text("in the way")
    log.setup(tmp_path / "logs")
    log.get("data").info("one")
    log.get("data").info("two")
    shown = capsys.readouterr().err
    assert shown.count("cannot be written") == 1


def test_importing_configures_nothing() -> None:
    """`import truewind.log` loads no structlog and adds no handler; without setup no file appears."""
    program = (
        "import logging, sys, truewind.log\n"
        "assert 'structlog' not in sys.modules\n"
        "assert not logging.getLogger('truewind').handlers and not logging.getLogger().handlers\n"
        "truewind.log.get('data').info('nowhere')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
