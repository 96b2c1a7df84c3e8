"""Requests on a stream connection: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY.

Source: "Live Subscribing/Unsubscribing to streams" and its table of errors.
"""

from typing import TYPE_CHECKING, Any

import orjson

from truewind.exchange.connection import Connection

if TYPE_CHECKING:
    from truewind.exchange.streams import StreamHub

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class _BadRequestError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def answer(hub: "StreamHub", connection: Connection, text: str) -> bytes:
    """Do what a request says; the answer as JSON."""
    id_: Any = None
    try:
        request = _request(text)
        id_ = request.get("id")
        result = _do(hub, connection, request)
        return orjson.dumps({"result": result, "id": id_})
    except _BadRequestError as error:
        return orjson.dumps({"error": {"code": error.code, "msg": error.message}, "id": id_})


def _request(text: str) -> dict[str, Any]:
    try:
        request = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        raise _BadRequestError(3, f"Invalid JSON: expected value at line {line} column {column}") from None
    if not isinstance(request, dict) or "method" not in request:
        raise _BadRequestError(2, "Invalid request: missing field `method` at line 1 column 1")
    id_ = request.get("id")
    if id_ is not None and (
        isinstance(id_, bool) or not isinstance(id_, int | str) or (isinstance(id_, int) and id_ < 0)
    ):
        raise _BadRequestError(2, "Invalid request: request ID must be an unsigned integer")
    return request


def _do(hub: "StreamHub", connection: Connection, request: dict[str, Any]) -> Any:
    method, params = request["method"], request.get("params", [])
    if method not in _METHODS:
        expected = ", ".join(f"`{name}`" for name in _METHODS)
        raise _BadRequestError(2, f"Invalid request: unknown variant {method}, expected one of {expected}")
    if not isinstance(params, list):
        raise _BadRequestError(2, "Invalid request: invalid type, expected a sequence")
    if method == "LIST_SUBSCRIPTIONS":
        return list(connection.streams)
    if method.endswith("PROPERTY"):
        return _property(connection, method, params)
    if not params or not all(isinstance(name, str) for name in params):
        raise _BadRequestError(2, "Invalid request: stream names must be strings")
    if method == "UNSUBSCRIBE":
        for name in params:
            hub.unsubscribe(connection, name)
        return None
    if len(connection.streams.keys() | set(params)) > hub.limits.streams:
        raise _BadRequestError(2, f"Invalid request: too many streams, at most {hub.limits.streams}")
    wrong = [name for name in params if not hub.subscribe(connection, name)]
    if wrong:
        raise _BadRequestError(2, f"Invalid request: no such stream {', '.join(wrong)}")
    return None


def _property(connection: Connection, method: str, params: list[Any]) -> Any:
    if not params or not isinstance(params[0], str):
        raise _BadRequestError(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise _BadRequestError(0, "Unknown property")
    if method == "GET_PROPERTY":
        return connection.combined
    if len(params) != 2 or not isinstance(params[1], bool):
        raise _BadRequestError(1, "Invalid value type: expected Boolean")
    connection.combined = params[1]
    return None
