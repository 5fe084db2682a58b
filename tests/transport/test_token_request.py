"""Requesting a token, and reading the response."""

import asyncio
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import AuthenticationError, ClientCredentials, ConfigurationError, Token
from backupify_async._transport.token_request import read_token, request_token
from backupify_async._transport.transport import Response
from backupify_async.credentials import read_life
from tests.support.transport_values import make_response

ENDPOINT = "the token endpoint /v1/backup_instances/42/backups"


def read(body: bytes | object, status: int = 200) -> Token:
    return read_token(make_response(body, status))


class TestTheResponse:
    def test_a_token_can_hold_the_characters_of_base64(self) -> None:
        token = read({"access_token": "ab+/c==", "token_type": "bearer", "expires_in": 899})
        assert (token.value, token.expires_in) == ("ab+/c==", 899)

    @pytest.mark.parametrize(
        "body",
        [
            *(
                b"",
                b" ",
                b"<html>s3cret</html>",
                b'{"access_token": "abc',
                b"\xff\xfe",
                b"null",
                b"[]",
                b'"abc"',
            ),
            *(
                {},
                {"access_token": ""},
                {"access_token": None},
                {"access_token": 7},
                {"access_token": ["abc"]},
            ),
            *(
                {"access_token": "a\nb"},
                {"access_token": "a b"},
                {"access_token": "a\x00b"},
                {"token": "abc"},
            ),
        ],
    )
    def test_a_response_without_a_usable_token_is_reported_without_its_body(self, body: object) -> None:
        with pytest.raises(AuthenticationError, match="answered 200 without a usable access_token") as caught:
            read(body)
        assert str(caught.value).startswith(ENDPOINT)
        assert "s3cret" not in str(caught.value)
        assert "abc" not in str(caught.value)

    def test_a_bom_before_the_json_is_ignored(self) -> None:
        assert read(b'\xef\xbb\xbf{"access_token": "abc"}').value == "abc"

    @pytest.mark.parametrize("kind", ["bearer", "Bearer", "BEARER", "BearerToken", None, 7])
    def test_the_type_of_a_bearer_token_can_have_any_case_or_be_missing(self, kind: object) -> None:
        assert read({"access_token": "abc", "token_type": kind}).value == "abc"

    @pytest.mark.parametrize("kind", ["mac", "MAC", "DPoP", "N_A", ""])
    def test_another_type_of_token_is_refused_and_named(self, kind: str) -> None:
        with pytest.raises(AuthenticationError) as caught:
            read({"access_token": "abc", "token_type": kind})
        assert str(caught.value) == (
            f"{ENDPOINT} answered 200 with a token of type '{kind}': only bearer tokens can be used"
        )

    def test_an_odd_token_type_shows_neither_a_secret_nor_an_escape(self) -> None:
        with pytest.raises(AuthenticationError) as caught:
            read_token(
                make_response(
                    {"access_token": "abc", "token_type": "s3cret\x1b[2J" + "x" * 99}, 200, None, "s3cret"
                )
            )
        assert "s3cret" not in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422])
    def test_a_refusal_is_reported_without_its_body(self, status: int) -> None:
        with pytest.raises(AuthenticationError) as caught:
            read({"error": "s3cret", "access_token": "abc"}, status)
        expected = f"{ENDPOINT} answered {status}: check client id, client secret and base URL"
        assert str(caught.value) == expected

    def test_an_error_code_of_oauth_is_shown(self) -> None:
        with pytest.raises(AuthenticationError, match=r"answered 401 \(invalid_client\): check"):
            read({"error": "invalid_client", "error_description": "s3cret"}, 401)

    @pytest.mark.parametrize(
        "code", [{}, ["invalid_client"], None, "INVALID_CLIENT", "invalid_client s3cret"]
    )
    def test_any_other_error_code_is_not_shown(self, code: object) -> None:
        with pytest.raises(AuthenticationError, match=r"answered 401: check"):
            read({"error": code}, 401)


class TestTheLifeOfAToken:
    @pytest.mark.parametrize(
        ("expires_in", "seconds"),
        [(899, 899), ("899", 899), (" 899 ", 899), (0.5, 0.5), ("1e3", 1000), (1, 1)],
    )
    def test_a_positive_number_is_used(self, expires_in: object, seconds: float) -> None:
        assert read_life(expires_in) == seconds

    @pytest.mark.parametrize(
        "expires_in",
        [None, "", "soon", "nan", "inf", "-5", 0, -1, True, False, [899], {}, math.inf, math.nan, 10**400],
    )
    def test_anything_else_is_read_as_a_minute(self, expires_in: object) -> None:
        assert read_life(expires_in) == 60

    @given(st.text() | st.floats() | st.integers() | st.booleans() | st.none())
    def test_it_is_positive_and_finite_whatever_the_server_sends(self, expires_in: object) -> None:
        assert 0 < read_life(expires_in) < math.inf


async def never(_form: bytes, _secrets: tuple[str, ...]) -> Response:
    """Fail."""
    raise AssertionError("a form was sent without a secret")


class TestTheSecret:
    async def sent(self, secret: str | Path) -> tuple[bytes, tuple[str, ...]]:
        """The form that is sent, and the secrets that no error shows."""
        posted = []

        async def post(form: bytes, secrets: tuple[str, ...]) -> Response:
            posted.append((form, secrets))
            return make_response({"access_token": "abc"})

        await request_token(ClientCredentials("demo", secret), post, 60)
        return posted[0]

    async def test_is_form_encoded_and_shown_in_no_error(self) -> None:
        form, secrets = await self.sent("a b&c=+/")
        assert b"client_secret=a+b%26c%3D%2B%2F&" in form
        assert secrets == ("a b&c=+/",)

    async def test_in_a_file_is_read_for_each_token(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("one\n", "utf-8")
        assert (await self.sent(file))[1] == ("one",)
        file.write_text("  two", "utf-8")
        assert (await self.sent(file))[1] == ("two",)

    @pytest.mark.parametrize(
        "content", [b"\xef\xbb\xbfs3 cret\n", b"s3 cret\r\n", b"\t\xef\xbb\xbf s3 cret \r\n\r\n"]
    )
    async def test_in_a_file_is_stripped_of_white_space_and_a_bom(
        self, tmp_path: Path, content: bytes
    ) -> None:
        file = tmp_path / "secret"
        file.write_bytes(content)
        assert (await self.sent(file))[1] == ("s3 cret",)

    @pytest.mark.parametrize("content", [b"s3cret\0", "s3crét\n".encode(), b"s3\ncret\n", b"\x1cs3cret"])
    async def test_that_oauth_does_not_allow_is_not_shown_and_its_file_is_named(
        self, tmp_path: Path, content: bytes
    ) -> None:
        file = tmp_path / "secret"
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="contains a character outside of %x20-7E") as caught:
            await self.sent(file)
        assert str(caught.value).startswith(f"client secret in {file}: ")
        assert "s3" not in str(caught.value).replace(str(file), "")

    @pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf\r\n"])
    async def test_in_an_empty_file_is_an_error_that_names_the_file(
        self, tmp_path: Path, content: bytes
    ) -> None:
        file = tmp_path / "secret"
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="is empty") as caught:
            await self.sent(file)
        assert str(file) in str(caught.value)

    async def test_in_a_missing_file_is_an_error_that_names_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"cannot read .*nowhere: No such file or directory"):
            await self.sent(tmp_path / "nowhere")

    async def test_on_a_disk_that_hangs_is_an_error_that_names_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def hang(*_: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr("asyncio.to_thread", hang)
        credentials = ClientCredentials("demo", tmp_path)
        with pytest.raises(ConfigurationError, match=r": it took longer than attempt=0\.01 s$"):
            await request_token(credentials, never, 0.01)

    async def test_in_a_directory_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="Is a directory"):
            await self.sent(tmp_path)

    async def test_in_a_file_that_is_not_utf_8_is_an_error_without_the_content(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_bytes(b"s3cret\xff")
        with pytest.raises(ConfigurationError, match="it is not UTF-8") as caught:
            await self.sent(file)
        assert caught.value.__context__ is None  # that would hold the bytes

    async def test_with_a_lone_surrogate_is_a_configuration_error(self) -> None:
        with pytest.raises(ConfigurationError):
            await self.sent("s3cret\udcff")
