"""`get_active` for each shape of body that a server can send."""

import pytest

from backupify_async import DecodeError
from tests.support.clients import client_of
from tests.support.raw_servers import by_method, http


class TestGetActive:
    @pytest.mark.parametrize("body", ['[{"id":7}]', '{"backups":[{"id":7}]}', '{"backup":{"id":7}}'])
    async def test_reads_a_list_of_one_backup(self, body: str) -> None:
        async with by_method(http(200, body.encode()), b"") as url, client_of(url) as client:
            active = await client.backups.get_active(1)
        assert active is not None
        assert active.id == 7

    @pytest.mark.parametrize("body", ['[{"id":7},{"id":8}]', '{"backups":[{"id":7},{"id":8}]}', "[7]"])
    async def test_does_not_guess_in_any_other_list(self, body: str) -> None:
        async with by_method(http(200, body.encode()), b"") as url, client_of(url) as client:
            with pytest.raises(DecodeError):
                await client.backups.get_active(1)
