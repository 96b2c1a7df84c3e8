"""What the exchange answers: JSON, or a refusal with one of the venue's codes.

Sources: `errors.md` in binance-spot-api-docs and the error codes of USD-M futures.
"""

from typing import Any

import msgspec
import orjson

from truewind.venues.binance.errors import VenueError


class RefusedError(Exception):
    """The venue's answer to a request that it does not grant.

    status: of HTTP; headers: added to the reply; data: what of it was done, where it has several parts.
    """

    def __init__(
        self, code: int, message: str, status: int = 400, headers: dict[str, str] | None = None, data: Any = None
    ) -> None:
        super().__init__(message)
        self.data = data
        self.error = VenueError(code, message)
        self.status = status
        self.headers = headers or {}


class Reply(msgspec.Struct, frozen=True):
    """Bytes of JSON, ready to be sent."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = {}


def reply(value: Any) -> Reply:
    """`value` as JSON; a Reply stays what it is."""
    return value if isinstance(value, Reply) else Reply(orjson.dumps(value))


def refusal(refused: RefusedError) -> Reply:
    body: dict[str, Any] = dict(refused.error.as_dict())
    if refused.data is not None:
        body["data"] = refused.data
    return Reply(orjson.dumps(body), refused.status, refused.headers)


def too_many_parameters(read: int, sent: int) -> RefusedError:
    return RefusedError(
        -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}' parameter(s)."
    )


def missing(name: str) -> RefusedError:
    return RefusedError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def empty(name: str) -> RefusedError:
    return RefusedError(-1105, f"Parameter '{name}' was empty.")


def illegal(name: str, pattern: str) -> RefusedError:
    return RefusedError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def invalid(name: str) -> RefusedError:
    return RefusedError(-1130, f"Data sent for parameter '{name}' is not valid.")


def bad_symbol() -> RefusedError:
    return RefusedError(-1121, "Invalid symbol.")


def bad_interval() -> RefusedError:
    return RefusedError(-1120, "Invalid interval.")


def bad_combination() -> RefusedError:
    return RefusedError(-1128, "Combination of optional parameters invalid.")


def too_long(hours: int) -> RefusedError:
    return RefusedError(-1127, f"More than {hours} hours between startTime and endTime.")


def bad_key() -> RefusedError:
    return RefusedError(-2014, "API-key format invalid.", 401)


def no_key() -> RefusedError:
    return RefusedError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
