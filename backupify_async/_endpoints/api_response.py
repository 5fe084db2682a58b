"""The response to a call of any operation."""

from collections.abc import Mapping
from typing import Any, NoReturn

from backupify_async._codec.decode import decode_present, parse_body
from backupify_async._codec.readers import ModelT
from backupify_async._transport.transport import Response


class APIResponse:
    """The response to `client.request`: a 2xx, or a status of `answers`."""

    def __init__(self, response: Response) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names are case-insensitive."""
        return self._response.headers

    @property
    def request_id(self) -> str | None:
        """The id by which the server's operators find the request in their logs, or None."""
        return self._response.request_id

    @property
    def body(self) -> bytes:
        """The body, decompressed."""
        return self._response.body

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            DecodeError: It is not JSON.
        """
        return parse_body(self._response)

    def read_as(self, model: type[ModelT]) -> ModelT:
        """The object in the body, bare or in an envelope, as an attrs class.

        A field without a default must be there. Any other field keeps its default where its value is missing
        or of another type. What the class does not know goes to its `extra`, if it has one.

        Args:
            model: The attrs class, one of this package or your own.

        Raises:
            DecodeError: The body holds no such object.
            TypeError: The class cannot be read.
        """
        return decode_present(self._response, model)

    def __repr__(self) -> str:
        return f"APIResponse(status={self.status})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an APIResponse cannot be pickled: keep its json() or body")
