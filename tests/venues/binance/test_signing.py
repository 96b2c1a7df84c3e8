"""Keys sign the bytes that are sent, and nobody gets to see them."""

import base64
import json
import logging
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import ConfigError
from truewind.venues.binance.signing import HmacKey, PairKey, Secret, is_signed, signed, signing_key, taken_apart


def pems(private: object) -> tuple[Secret, Secret]:
    """PEMs of a private key and of its public half."""
    own = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Secret(own), Secret(public)


def test_ed25519_signs_as_the_rfc_says() -> None:
    """RFC 8032, section 7.1, test 2: the message of one byte 0x72."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    expected = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    private, public = pems(Ed25519PrivateKey.from_private_bytes(seed))
    signature = signing_key(private).sign(b"\x72")
    assert base64.b64decode(signature).hex() == expected
    assert signing_key(public).verify(b"\x72", signature)


@pytest.mark.parametrize("make", [Ed25519PrivateKey.generate, lambda: generate_private_key(65537, 2048)])
def test_what_a_private_key_signed_its_public_half_verifies(make) -> None:
    private, public = (signing_key(pem) for pem in pems(make()))
    request = signed(b"symbol=BTCUSDT&timestamp=1", private)
    assert is_signed(request, b"", public)
    assert is_signed(b"", request, public)
    assert not is_signed(request.replace(b"BTC", b"ETH"), b"", public)
    with pytest.raises(ConfigError, match="public key cannot sign"):
        public.sign(b"")


@given(st.binary(max_size=60), st.binary(max_size=60), st.data())
def test_no_byte_of_a_signed_request_can_be_changed(query: bytes, body: bytes, data: st.DataObject) -> None:
    key = HmacKey(Secret("s3cret"))
    payload, _ = taken_apart(query, body)
    tail = b"&signature=" + key.sign(payload).encode()
    assert is_signed(query, body + tail, key)
    if payload:
        at = data.draw(st.integers(0, len(query + body) - 1))
        changed = bytearray(query + body)
        changed[at] ^= 1
        first, second = bytes(changed[: len(query)]), bytes(changed[len(query) :])
        assert taken_apart(first, second).payload == payload or not is_signed(first, second + tail, key)


@pytest.mark.parametrize("signature", ["", "é", "=", "AAAA", "0" * 64])
def test_odd_signatures_are_refused_not_raised(signature: str) -> None:
    assert not HmacKey(Secret("a")).verify(b"x", signature)
    assert not PairKey(pems(Ed25519PrivateKey.generate())[1]).verify(b"x", signature)


def test_a_secret_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hush")
    logging.getLogger("truewind").warning("key %s %r", secret, [secret])
    shown = f"{secret} {secret!r} {secret:>20} {caplog.text} {HmacKey(secret)!r}"
    assert "hush" not in shown
    for attempt in (lambda: pickle.dumps(secret), lambda: json.dumps(secret)):
        with pytest.raises(TypeError) as caught:
            attempt()
        assert "hush" not in str(caught.value)


def test_an_unreadable_pem_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        signing_key(Secret("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----"))
    assert "hush" not in str(caught.value.as_dict())
