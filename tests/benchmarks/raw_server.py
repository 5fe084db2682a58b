"""The cheapest server that a benchmark can have: each request gets the same answer, whatever it asks.

A process of its own, so that its work is not counted as the client's: `python -m tests.benchmarks.raw_server`
prints its port.
"""

import asyncio

BODY = (
    b'{"id":1007,"backup_instance_id":42,"status":"running","created_at":"2026-11-23T10:00:00.000Z",'
    b'"started_at":"2026-11-23T10:00:01.000Z","completed_at":null,"updated_at":"2026-11-23T10:00:01.000Z",'
    b'"bytes_transferred":123456789,"service":"google_workspace","triggered_by":"api"}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class OneAnswer(asyncio.Protocol):
    """Writes the answer for each end of a request's head; requests here have no body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.unread = b""

    def data_received(self, data: bytes) -> None:
        *heads, self.unread = (self.unread + data).split(b"\r\n\r\n")
        self.transport.write(ANSWER * len(heads))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(OneAnswer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
