"""WebSocket frames as a server writes them (RFC 6455, 5.2): unmasked, whole, not compressed.

Streams write frames of their own straight to the transport, many at once: a call a message would cost more than
making it.
"""

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_SHORT, _MIDDLE = 126, 65_536


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    size = len(payload)
    if size < _SHORT:
        return bytes((0x80 | opcode, size)) + payload
    if size < _MIDDLE:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def payload_of(whole: bytes) -> bytes:
    """What a frame of `frame` carries."""
    size = whole[1]
    return whole[2 if size < _SHORT else 4 if size == _SHORT else 10 :]


def closing(code: int, reason: str = "") -> bytes:
    return frame(code.to_bytes(2, "big") + reason.encode()[:120], CLOSE)
