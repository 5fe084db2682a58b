"""Secrets in the spellings that servers use, and in exceptions of a user's credentials."""

import html
import json
import traceback
import urllib.parse
from collections.abc import Callable

import pytest

from backupify_async import AuthenticationError, PermissionDenied
from tests.support.clients import TOKEN, client_of
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.raw_servers import ONCE, by_method, http
from tests.support.scripted import PING, Script, Vault


def each(spell: Callable[[str], str]) -> str:
    """The token, with each character that is neither letter nor digit spelt by `spell`."""
    return "".join(sign if sign.isalnum() else spell(sign) for sign in TOKEN)


SPELLINGS = {
    "plain": TOKEN,
    "JSON": each(lambda sign: f"\\u{ord(sign):04x}"),
    "JSON, upper case": each(lambda sign: f"\\u{ord(sign):04X}"),
    "URL": urllib.parse.quote(TOKEN, safe=""),
    "URL, lower case": each(lambda sign: f"%{ord(sign):02x}" if sign in "+/=" else sign),
    "HTML": TOKEN.replace("/", "&#x2F;").replace("+", "&#43;").replace("=", "&#x3D;"),
    "HTML, lower case": TOKEN.replace("/", "&#x2f;").replace("+", "&#x2b;").replace("=", "&#x3d;"),
    "HTML, decimal": TOKEN.replace("/", "&#47;").replace("+", "&#43;").replace("=", "&#61;"),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_a_token_is_concealed_in_any_spelling(spelling: str) -> None:
    body = f"no: {spelling}."
    async with by_method(http(403, body.encode()), b"") as url, client_of(url, retry=ONCE) as client:
        with pytest.raises(PermissionDenied) as caught:
            await client.backups.get(1, 1)
    assert caught.value.excerpt == "no: [secret]."


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_each_spelling_is_one_of_the_token(spelling: str) -> None:
    plain = html.unescape(urllib.parse.unquote(json.loads(f'"{spelling}"')))
    assert plain == TOKEN


class TestTheTextOfAVaultsException:
    async def test_is_not_in_our_exception_or_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        vault = Vault(RuntimeError("GET https://vault.example/?key=OPEN-SESAME failed"))
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            with pytest.raises(AuthenticationError, match="RuntimeError") as caught:
                await session.send(PING)
        shown = "".join(traceback.format_exception(caught.value))
        assert "AuthenticationError" in shown
        assert "OPEN-SESAME" not in shown + str(caught.value) + repr(caught.value) + caplog.text

    async def test_is_not_in_the_context_of_an_error_that_is_raised_again(self) -> None:
        vault = Vault(RuntimeError("OPEN-SESAME"))
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            for _ in range(2):
                with pytest.raises(AuthenticationError) as caught:
                    await session.send(PING)
                assert "OPEN-SESAME" not in "".join(traceback.format_exception(caught.value))
