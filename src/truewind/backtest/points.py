"""Points in the space of a strategy's parameters: every bound, with companions that it is accepted with, and chance."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from truewind.strategies.parameters import Parameter

PASSED, FAILED, NOTE = "passed", "failed", "note"
Verdict = tuple[str, str]  # one of these, and what was found

_POINTS = 12  # random ones
_ATTEMPTS = 40  # to find companions


def points(
    declared: Sequence[Parameter], given: Mapping[str, Any], accepted: Callable[[dict[str, Any]], bool]
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """What is tried, with all parameters; None where no companions were found with which it is accepted.

    given: the parameters to begin with. accepted: whether a strategy takes these.
    """
    chance = random.Random(42)

    def drawn() -> dict[str, Any]:
        return dict(given) | {p.name: chance.choice(values) for p in declared if (values := p.spread(101))}

    def companions(parameter: Parameter) -> Iterator[dict[str, Any]]:
        """The given parameters, then all others at their least or greatest, then drawn."""
        yield dict(given)
        for end in (0, -1):
            yield dict(given) | {p.name: p.edges()[end] for p in declared if p != parameter and p.edges()}
        yield from (drawn() for _ in range(_ATTEMPTS))

    for parameter in declared:
        for value in parameter.edges():
            tries = (others | {parameter.name: value} for others in companions(parameter))
            yield f"{parameter.name}={value}", next(filter(accepted, tries), None)
    for number in range(_POINTS):
        found = next(filter(accepted, (drawn() for _ in range(_ATTEMPTS))), None)
        if found is not None:
            yield f"random point {number}", found


def tried(
    declared: Sequence[Parameter],
    given: Mapping[str, Any],
    accepted: Callable[[dict[str, Any]], bool],
    run: Callable[[dict[str, Any]], str],
) -> Verdict:
    """The verdict on the bounds of parameters. run: what a run with these parameters raised, "" if nothing."""
    if not declared:
        return PASSED, "it has no parameters"
    count = 0
    for what, params in points(declared, given, accepted):
        if params is None:
            return FAILED, f"{what} is refused whatever the other parameters are"
        try:
            error = run(params)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        if error:
            return FAILED, f"at {what} ({', '.join(f'{k}={v}' for k, v in params.items())}): {error}"
        count += 1
    unbounded = [p.name for p in declared if p.type in ("int", "float", "floats") and not p.bounds.finite]
    if unbounded:
        return FAILED, f"without bounds on both sides (Field(ge=…, le=…)): {', '.join(unbounded)}"
    return PASSED, f"{count} points of {len(declared)} parameters, their bounds among them"
