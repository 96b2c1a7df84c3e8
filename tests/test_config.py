"""Settings: strict, frozen, and helpful when something is misspelt."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, field_validator

from truewind.config import Settings, dump, override, parse, read_yaml, to_yaml
from truewind.errors import ConfigError, MissingFileError

SECRET = "hunter2-Zq9"


class Account(Settings):
    cash: float = 10_000.0
    currency: str = "USDT"

    @field_validator("cash")
    @classmethod
    def _positive(cls, cash: float) -> float:
        if cash <= 0:
            raise ValueError("Cash must be positive")
        return cash


class Leg(Settings):
    symbol: str
    weight: float = 1.0


class Run(Settings):
    account: Account = Account()
    legs: tuple[Leg, ...] = ()
    fallback: Leg | None = None
    api_secret: SecretStr = SecretStr("")
    seed: int = 42


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"sede": 1}, r"unknown key 'sede'\. Did you mean 'seed'"),
        ({"account": {"csah": 1}}, r"unknown key 'account\.csah'\. Did you mean 'cash'"),
        ({"legs": [{"symbol": "A", "wieght": 2}]}, r"unknown key 'legs\.0\.wieght'\. Did you mean 'weight'"),
        ({"fallback": {"symbl": "A", "symbol": "A"}}, r"unknown key 'fallback\.symbl'\. Did you mean 'symbol'"),
        ({"legs": [{}]}, r"'legs\.0\.symbol' is missing\. Add legs\.0\.symbol"),
        ({"seed": "many"}, r"'seed': input should be a valid integer"),
        ({"account": {"cash": -1}}, r"'account\.cash': cash must be positive"),
        ({"account": {"cash": float("nan")}}, r"'account\.cash': input should be a finite number"),
        ({"sede": 1, "account": {"csah": 1}}, r"'account\.csah'.*'sede'|'sede'.*'account\.csah'"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(data: dict[str, Any], says: str) -> None:
    """Each mistake is told by its dotted place, with the right spelling where there is one."""
    with pytest.raises(ConfigError, match=says) as caught:
        parse(Run, data, "run.yaml")
    assert str(caught.value).startswith("run.yaml: ")


def test_settings_are_frozen() -> None:
    """What a run was set to cannot change while it runs."""
    run = parse(Run, {})
    with pytest.raises(ValueError, match="frozen"):
        run.seed = 1


paths = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3)
values = st.none() | st.booleans() | st.integers() | st.text("xyz ", max_size=5) | st.lists(st.integers(), max_size=3)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers()), paths, values)
def test_an_override_changes_its_own_place_only(data: dict[str, Any], path: list[str], value: Any) -> None:
    """`a.b=value` puts the value there, read as YAML; everything else and the original stay as they were."""
    before = dict(data)
    assignment = f"{'.'.join(path)}={yaml.safe_dump(value, default_flow_style=True)}"
    if path[0] in data and len(path) > 1:
        with pytest.raises(ConfigError, match="is a value, not a group"):
            override(data, [assignment])
        return
    changed = override(data, [assignment])
    assert data == before
    node: Any = changed
    for name in path:
        node = node[name]
    assert node == value
    assert {name: item for name, item in changed.items() if name != path[0]} == {
        name: item for name, item in data.items() if name != path[0]
    }


def test_overrides_reach_into_groups_without_touching_them() -> None:
    """A nested override leaves its siblings, and the last assignment wins."""
    data = {"account": {"cash": 1, "currency": "EUR"}}
    changed = override(data, ["account.cash=2", "account.cash=3", "seed = 7"])
    assert changed == {"account": {"cash": 3, "currency": "EUR"}, "seed": 7}
    assert data == {"account": {"cash": 1, "currency": "EUR"}}


@pytest.mark.parametrize(
    ("assignment", "quoted"),
    [
        ("seed", "seed"),
        ("=1", "=1"),
        (" =1", " =1"),
        ("seed=[1", "seed=[1"),
        ("account.cash.deep=1", "account.cash.deep"),
    ],
)
def test_a_broken_override_is_refused(assignment: str, quoted: str) -> None:
    """No equals sign, no name, broken YAML and a path through a value are errors that quote the assignment."""
    with pytest.raises(ConfigError, match=re.escape(quoted)):
        override({"account": {"cash": 1}}, [assignment])


def test_yaml_mistakes_name_the_line(tmp_path: Path) -> None:
    """Broken YAML is told with file and line."""
    path = tmp_path / "run.yaml"
    path.write_text("seed: 1\naccount:\n  cash: [1, 2\nlegs: 3\n")
    with pytest.raises(ConfigError, match=r"run\.yaml, line 4: not valid YAML"):
        read_yaml(path)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "42"])
def test_a_file_without_settings_is_refused(tmp_path: Path, text: str) -> None:
    """An empty file, a list or a word is no mapping of settings."""
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="holds no settings"):
        read_yaml(path)


def test_files_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is not text: each a clear error with the path."""
    with pytest.raises(MissingFileError, match=r"none\.yaml"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.yaml cannot be read"):
        read_yaml(tmp_path / "binary.yaml")


@given(st.text(alphabet=st.characters(codec="ascii"), min_size=5).filter(lambda text: "*" not in text))
def test_secrets_never_stand_in_a_dump(secret: str) -> None:
    """Whatever the secret, stored settings show stars in its place."""
    run = Run(api_secret=SecretStr(secret))
    assert dump(run)["api_secret"] == "**********"
    assert yaml.safe_load(to_yaml(run))["api_secret"] == "**********"
    assert secret not in repr(run.api_secret)


def test_a_mistake_beside_a_secret_does_not_show_it() -> None:
    """The error about a wrong value never quotes the value: it may be a secret in the wrong place."""
    with pytest.raises(ConfigError) as caught:
        parse(Run, {"seed": SECRET, "api_secrte": SECRET, "account": {"currency": [SECRET]}})
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.as_dict())


def test_settings_survive_yaml(tmp_path: Path) -> None:
    """Written as YAML and read again they are the same settings."""
    run = parse(Run, {"legs": [{"symbol": "ÄÖ", "weight": 0.1}], "fallback": {"symbol": "B"}})
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(run), encoding="utf-8")
    again = parse(Run, read_yaml(path) | {"api_secret": ""})
    assert again == run
