"""Links of a list that is requested without a token."""

import pytest

from backupify_async import BackupifyClient, StaticToken
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond

pytestmark = pytest.mark.looptime

TENANT = "a-tenant-of-some-length"


def two_pages(message: PreparedRequest) -> Response:
    if message.url.query.get("page") == "2":
        return respond(message, 200, [{"id": 2}])
    return respond(message, 200, [{"id": 1}], {"Link": f'<{message.url}?page=2&tenant={TENANT}>; rel="next"'})


async def test_a_link_with_the_value_of_a_header_is_followed() -> None:
    transport = FakeTransport(two_pages)
    client = BackupifyClient(StaticToken("token"), transport=transport, headers={"X-Tenant": TENANT})
    async with client:
        items = [item async for item in client.iterate("/v1/ping")]
        assert items == [{"id": 1}, {"id": 2}]
    assert ["Authorization" in message.headers for _, message in transport.sent] == [False, False]
