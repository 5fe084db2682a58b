"""Seals a token, so that it can be read in a store only with the client secret. Needs the extra `shared`.

AES-256-GCM with a random nonce. The key is derived from the client secret by HKDF-SHA256 (RFC 5869), for
one API and one client id; the associated data binds what is sealed to its place in the store. Whoever can
write to the store can still put back an older token: the API rejects it, and it is renewed.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backupify_async._shared.store import BadRecord

_VERSION = b"backupify_async token 1"
_NONCE = 12  # bytes
_KEY = 32


class TokenSeal:
    """Seals tokens, and opens what members with the same credentials have sealed.

    Args:
        secret: The client secret.
        origin: The API, such as "https://api.example.com".
        client_id: The client id.
        place: The store's key, to which a sealed token is bound.
    """

    def __init__(self, secret: str, *, origin: str, client_id: str, place: str) -> None:
        info = b"\0".join((_VERSION, origin.encode(), client_id.encode()))
        self._cipher = AESGCM(HKDF(SHA256(), _KEY, None, info).derive(secret.encode()))
        self._place = b"\0".join((_VERSION, place.encode()))

    def seal(self, token: str) -> bytes:
        """The token, sealed: other bytes each time."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, token.encode(), self._place)

    def open(self, sealed: bytes) -> str:
        """The inverse of `seal`.

        Raises:
            BadRecord: It was sealed with other credentials or for another place, or was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._place).decode()
        except (InvalidTag, ValueError):
            problem = "its token was sealed with another client secret, or was changed"
        raise BadRecord(problem)
