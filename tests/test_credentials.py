"""Credentials hold a secret, and never show it."""

import copy
import pickle
from pathlib import Path

import pytest

from backupify_async import ClientCredentials, ConfigurationError, StaticToken, Token, TokenSource

HOLDERS = [Token("s3cret", 899), StaticToken("s3cret"), ClientCredentials("demo", "s3cret")]
holders = pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)


@holders
class TestASecret:
    def test_it_is_not_in_repr_or_str(self, holder: object) -> None:
        assert "s3cret" not in f"{holder!r} {holder} {[holder]}"

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_refuses_pickle(self, holder: object, protocol: int) -> None:
        with pytest.raises(
            TypeError, match=f"^{type(holder).__name__} holds a secret and refuses to be"
        ) as caught:
            pickle.dumps(holder, protocol)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_it_refuses_copy(self, holder: object, duplicate: "type[copy.Error]") -> None:
        with pytest.raises(TypeError, match="refuses to be pickled or copied"):
            duplicate(holder)

    def test_it_cannot_be_changed(self, holder: object) -> None:
        with pytest.raises(AttributeError):
            holder.value = "other"  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Token, StaticToken])
class TestAToken:
    @pytest.mark.parametrize("value", ["", None, 7, b"abc"])
    def test_a_value_that_is_not_text_is_refused(self, kind: type[Token], value: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^token: must be a non-empty string$"):
            kind(value)

    @pytest.mark.parametrize(
        "value", ["s3cret\n", " s3cret", "s3 cret", "s3\x00cret", "s3\x7fcret", "s3\u2028", "\ufeffs3cret"]
    )
    def test_a_text_that_no_header_can_carry_is_refused_and_not_shown(
        self, kind: type[Token], value: str
    ) -> None:
        with pytest.raises(
            ConfigurationError, match="white space, control or invisible characters"
        ) as caught:
            kind(value)
        assert "s3" not in str(caught.value)

    @pytest.mark.parametrize("value", ["abc", "ab+/c==", "a.b-c_d~e"])
    def test_all_characters_of_a_token_are_accepted(self, kind: type[Token], value: str) -> None:
        assert kind(value).value == value

    def test_half_a_surrogate_pair_is_refused(self, kind: type[Token]) -> None:
        with pytest.raises(ConfigurationError):
            kind("s3cret\udcff")


class TestAStaticToken:
    async def test_it_gives_the_same_token_each_time(self) -> None:
        source = StaticToken("abc")
        assert isinstance(source, TokenSource)
        assert await source.token() == await source.token() == Token("abc", None)


class TestClientCredentials:
    @pytest.mark.parametrize("id_", ["", None, 7])
    def test_an_id_is_required(self, id_: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^client id: "):
            ClientCredentials(id_, "s3cret")

    @pytest.mark.parametrize("secret", ["", None, 7, b"s3cret"])
    def test_a_secret_is_required(self, secret: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^client secret: ") as caught:
            ClientCredentials("demo", secret)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "{}\r", "\ufeff{}", "\ufeff{}\r\n", "\n{}"])
    def test_a_line_end_or_a_bom_around_them_is_stripped(self, around: str) -> None:
        subject = ClientCredentials(around.format("demo"), around.format("s3 cret~"))
        assert (subject.id, subject.secret) == ("demo", "s3 cret~")

    @pytest.mark.parametrize(
        "text", ["s3\x00cret", "s3\ncret", "s3\tcret", "s3\x7fcret", "s3crét", "s3\ufeffcret", "s3cret\udcff"]
    )
    def test_characters_that_oauth_forbids_are_reported_and_not_shown(self, text: str) -> None:
        for name, values in (("client id", (text, "abc")), ("client secret", ("demo", text))):
            with pytest.raises(
                ConfigurationError, match=rf"^{name}: contains a character outside of"
            ) as caught:
                ClientCredentials(*values)
            assert "s3" not in str(caught.value)
            assert caught.value.__context__ is None

    @pytest.mark.parametrize("text", ["\n", "\ufeff\r\n", "  "])
    def test_a_secret_of_only_a_line_end_is_empty(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^client id: is empty$"):
            ClientCredentials(text, "abc")

    def test_a_path_is_not_read_before_it_is_needed(self) -> None:
        assert ClientCredentials("demo", Path("nowhere")).secret == Path("nowhere")

    def test_the_id_is_shown(self) -> None:
        assert "demo" in repr(ClientCredentials("demo", "s3cret"))
