"""Settings: YAML into frozen typed models. Each model lives beside the thing it sets; this file is what they share.

Unknown keys are errors that name the right spelling. Secrets never stand in a file that is kept with a run:
they come from the environment or `.env`, as `SecretStr`, and print as stars.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from truewind.errors import ConfigError, MissingFileError, suggest

M = TypeVar("M", bound=BaseModel)


class Settings(BaseModel):
    """Base of every settings model: frozen, no unknown keys, defaults checked too."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Bounds(NamedTuple):
    """What a number may be: from `low` to `high`, both included but where `above` and `below` say otherwise."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    @property
    def finite(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def __str__(self) -> str:
        """As people write it: "2 … 500", "above 0, up to 20", "at least 1"; "" without bounds."""
        if self.finite and not (self.above or self.below):
            return f"{self.low:,.12g} … {self.high:,.12g}"
        parts = [f"{'above' if self.above else 'at least'} {self.low:,.12g}"] if math.isfinite(self.low) else []
        if math.isfinite(self.high):
            parts.append(f"{'below' if self.below else 'up to'} {self.high:,.12g}")
        return ", ".join(parts)


def bounds_of(field: FieldInfo) -> Bounds:
    """The bounds that a field was declared with by ge, gt, le and lt, those of a number that may be null too."""
    bounds = Bounds()
    for limit in (*field.metadata, *_metadata_in(field.annotation)):
        for name in ("ge", "gt"):
            if hasattr(limit, name):
                bounds = bounds._replace(low=float(getattr(limit, name)), above=name == "gt")
        for name in ("le", "lt"):
            if hasattr(limit, name):
                bounds = bounds._replace(high=float(getattr(limit, name)), below=name == "lt")
    return bounds


def _metadata_in(annotation: Any) -> Iterator[Any]:
    """What is declared of a number inside an annotation such as `Annotated[float, Field(gt=0)] | None`."""
    for argument in get_args(annotation):
        for declared in getattr(argument, "__metadata__", ()):
            yield from declared.metadata


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises MissingFileError or ConfigError with the line."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError(f"No config file {path}", remedy="Check the path", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", path=path) from None
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ConfigError(
            f"{place}: not valid YAML: {getattr(error, 'problem', error)}", remedy="Mend the line", path=path
        ) from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no settings", remedy="Start from a file in configs/", path=path)
    return data


def override(data: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`data` with "a.b=value" assignments applied; values are read as YAML. "a.0.b=value" is of a list's first item.

    Raises ConfigError.
    """
    changed: dict[str, Any] = _copied(data)
    for assignment in assignments:
        dotted, equals, text = assignment.partition("=")
        if not equals or not dotted.strip():
            raise ConfigError(f"'{assignment}' is no assignment", remedy="Write key=value, as in account.cash=5000")
        node: Any = changed
        *parents, last = dotted.strip().split(".")
        for name in parents:
            node = node.setdefault(name, {}) if isinstance(node, dict) else node[_place(node, name, dotted)]
            if not isinstance(node, dict | list):
                raise ConfigError(f"'{name}' in '{dotted}' is a value, not a group of settings")
        place = last if isinstance(node, dict) else _place(node, last, dotted)
        try:
            node[place] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"'{text}' in '{assignment}' is not valid YAML") from None
    return changed


def parse(model: type[M], data: Mapping[str, Any], source: str = "config") -> M:
    """`data` as `model`. Raises ConfigError that lists every mistake, with the closest known key."""
    try:
        return model.model_validate(dict(data))
    except pydantic.ValidationError as error:
        problems = [_explain(model, item) for item in error.errors()]
        remedies = [remedy for _, remedy in problems if remedy]
        raise ConfigError(
            f"{source}: " + "; ".join(text for text, _ in problems),
            remedy=" ".join(dict.fromkeys(remedies)) or None,
            source=source,
        ) from None


def dump(settings: BaseModel) -> dict[str, Any]:
    """Settings as plain values, secrets as stars: what is stored with a run and hashed."""
    return settings.model_dump(mode="json")


def to_yaml(settings: BaseModel) -> str:
    return str(yaml.safe_dump(dump(settings), sort_keys=False, allow_unicode=True))


def _copied(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _copied(value) for key, value in data.items()}
    return [_copied(value) for value in data] if isinstance(data, list) else data


def _place(items: Sequence[Any], name: str, dotted: str) -> int:
    """The place in a list that `name` says, counted from 0. Raises ConfigError."""
    if not name.isdigit() or int(name) >= len(items):
        raise ConfigError(f"'{name}' in '{dotted}' is no place in a list of {len(items)}", remedy="Count from 0")
    return int(name)


def _explain(model: type[BaseModel], item: Any) -> tuple[str, str | None]:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"unknown key '{place}'", suggest(str(item["loc"][-1]), _known_keys(model, item["loc"][:-1]))
    if item["type"] == "missing":
        return f"'{place}' is missing", f"Add {place}."
    message = item["msg"].removeprefix("Value error, ")
    about = _about(model, item["loc"])
    return f"'{place}'{about}: {message[:1].lower()}{message[1:]}", None


def _about(model: type[BaseModel], location: Sequence[Any]) -> str:
    """What the field at `location` is, in parentheses; "" for one without a description, and for a group of them."""
    owner = _model_at(model, location[:-1])
    field = owner.model_fields.get(str(location[-1])) if owner is not None and location else None
    if field is None or not field.description or _model_in(field.annotation):
        return ""
    bounds = str(bounds_of(field))
    return f" ({field.description}; {bounds})" if bounds else f" ({field.description})"


def _known_keys(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    owner = _model_at(model, location)
    return [] if owner is None else [field.alias or name for name, field in owner.model_fields.items()]


def _model_at(model: type[BaseModel], location: Sequence[Any]) -> type[BaseModel] | None:
    """The settings model that holds what stands at `location`."""
    current: Any = model
    for part in location:
        if not (isinstance(current, type) and issubclass(current, BaseModel)) or part not in current.model_fields:
            continue
        current = _model_in(current.model_fields[part].annotation)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _model_in(annotation: Any) -> Any:
    """The settings model inside an annotation such as `Risk | None` or `list[Leg]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
