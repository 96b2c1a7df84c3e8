"""Signing of requests as Binance wants it: HMAC-SHA256, RSA and Ed25519, over the very bytes that are sent.

Sources: binance-spot-api-docs, "Request Security" of `rest-api.md` and `web-socket-api.md`; "General Info" of the USD-M
futures documents. The payload is the query string followed by the body, without anything in between and without the
parameter `signature`; over the WebSocket API it is all parameters in alphabetical order. Signatures of HMAC are hex in
either case, those of keys base64.
"""

import base64
import hashlib
import hmac
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, Protocol
from urllib.parse import quote, unquote_to_bytes

from truewind.errors import ConfigError

_PEM = b"-----BEGIN "
_SIGNATURE = b"signature="


class Secret:
    """Text that nobody shows by accident: neither print, repr, format, pickle nor an error tells it."""

    __slots__ = ("_bytes",)

    def __init__(self, text: str | bytes) -> None:
        self._bytes = text.encode() if isinstance(text, str) else bytes(text)

    def reveal(self) -> bytes:
        """The secret itself, to be used and not kept."""
        return self._bytes

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes, other._bytes)

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class Signer(Protocol):
    """Makes signatures; `verify` tells whether one is of these bytes."""

    def sign(self, payload: bytes) -> str:
        """The signature as text, not yet percent-encoded."""
        ...

    def verify(self, payload: bytes, signature: str) -> bool: ...


class HmacKey:
    """A secret that both sides know."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def sign(self, payload: bytes) -> str:
        return hmac.new(self._secret.reveal(), payload, hashlib.sha256).hexdigest()

    def verify(self, payload: bytes, signature: str) -> bool:
        return hmac.compare_digest(self.sign(payload).encode(), signature.lower().encode())


class PairKey:
    """RSA (PKCS #1 v1.5 with SHA-256) or Ed25519. Of a public key `sign` raises ConfigError: it only verifies."""

    def __init__(self, pem: Secret, password: Secret | None = None) -> None:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

        text = pem.reveal()
        self._private: Any = None
        try:
            if b"PRIVATE" in text:
                self._private = load_pem_private_key(text, password.reveal() if password else None)
                self._public: Any = self._private.public_key()
            else:
                self._public = load_pem_public_key(text)
        except (ValueError, TypeError):  # the library's words may quote the key
            raise ConfigError(
                "The API key's PEM cannot be read", remedy="Give a PKCS #8 PEM, and its password if it has one"
            ) from None
        self._extra = self._algorithm()

    @property
    def is_ed25519(self) -> bool:
        return self._extra == ()

    def sign(self, payload: bytes) -> str:
        if self._private is None:
            raise ConfigError("A public key cannot sign", remedy="Give the private key")
        return base64.b64encode(self._private.sign(payload, *self._extra)).decode()

    def verify(self, payload: bytes, signature: str) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._public.verify(base64.b64decode(signature, validate=True), payload, *self._extra)
        except (InvalidSignature, Base64Error, ValueError):
            return False
        return True

    def _algorithm(self) -> tuple[Any, ...]:
        """What the library wants to know besides the payload."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self._public, Ed25519PublicKey):
            return ()
        if isinstance(self._public, RSAPublicKey):
            return PKCS1v15(), SHA256()
        raise ConfigError("The API key is neither RSA nor Ed25519", remedy="Make one of these at the venue")


def signing_key(secret: Secret, password: Secret | None = None) -> HmacKey | PairKey:
    """The key that `secret` is: a PEM is RSA or Ed25519, everything else an HMAC secret. Raises ConfigError."""
    if secret.reveal().lstrip().startswith(_PEM):
        return PairKey(secret, password)
    return HmacKey(secret)


def signed(payload: bytes, key: Signer) -> bytes:
    """`payload` (a query string or form body) with its signature as the last parameter."""
    return payload + (b"&" if payload else b"") + _SIGNATURE + quote(key.sign(payload), safe="").encode()


class Signed(NamedTuple):
    """What was signed, and the signature; None if there is none."""

    payload: bytes
    signature: str | None


def taken_apart(query: bytes, body: bytes = b"") -> Signed:
    """The bytes of a request that a signature is over, as they came in, and that signature."""
    signature: str | None = None
    parts = []
    for part in (query, body):
        kept = []
        for item in part.split(b"&"):
            if item.startswith(_SIGNATURE):
                signature = unquote_to_bytes(item[len(_SIGNATURE) :]).decode("latin-1")
            else:
                kept.append(item)
        parts.append(b"&".join(kept))
    return Signed(parts[0] + parts[1], signature)


def is_signed(query: bytes, body: bytes, key: Signer) -> bool:
    """Whether the request bears the signature of `key` over its own bytes."""
    payload, signature = taken_apart(query, body)
    return signature is not None and key.verify(payload, signature)


def socket_payload(params: Mapping[str, Any]) -> bytes:
    """What a request over the WebSocket API is signed by: its parameters by name, without `signature`."""
    return "&".join(f"{name}={_text(params[name])}" for name in sorted(params) if name != "signature").encode()


def _text(value: Any) -> str:
    """A JSON value as it stands in the payload."""
    return str(value).lower() if isinstance(value, bool) else str(value)
