"""A token in a store is readable only with the client secret."""

import pytest

from backupify_async._shared.sealing import TokenSeal
from backupify_async._shared.store import BadRecord

TOKEN = "eyJhbGciOiJIUzI1NiJ9.the-token.é"


def seal(
    secret: str = "secret", origin: str = "https://api.example.com", client_id: str = "ops", place: str = "k"
) -> TokenSeal:
    return TokenSeal(secret, origin=origin, client_id=client_id, place=place)


class TestASealedToken:
    def test_is_opened_by_a_member_with_the_same_credentials(self) -> None:
        assert seal().open(seal().seal(TOKEN)) == TOKEN

    def test_has_other_bytes_each_time(self) -> None:
        assert seal().seal(TOKEN) != seal().seal(TOKEN)

    def test_shows_nothing_of_the_token_or_the_secret(self) -> None:
        sealed = seal().seal(TOKEN)
        assert b"token" not in sealed
        assert b"secret" not in sealed

    @pytest.mark.parametrize(
        "other",
        [
            seal(secret="another"),
            seal(origin="https://other.example.com"),
            seal(client_id="web"),
            seal(place="another"),
        ],
        ids=["secret", "API", "client id", "place"],
    )
    def test_is_not_opened_with_another(self, other: TokenSeal) -> None:
        with pytest.raises(BadRecord, match="sealed with another client secret, or was changed"):
            other.open(seal().seal(TOKEN))

    def test_is_not_opened_once_a_bit_of_it_was_changed(self) -> None:
        sealed = seal().seal(TOKEN)
        for index in range(len(sealed)):
            changed = bytearray(sealed)
            changed[index] ^= 1
            with pytest.raises(BadRecord):
                seal().open(bytes(changed))

    @pytest.mark.parametrize("sealed", [b"", b"short", b"\0" * 12, b"\0" * 28])
    def test_is_not_opened_where_it_is_none(self, sealed: bytes) -> None:
        with pytest.raises(BadRecord) as caught:
            seal().open(sealed)
        assert caught.value.__context__ is None

    def test_is_not_shown_by_the_seal(self) -> None:
        assert "secret" not in repr(seal())
