"""Calls of any operation of the API, also of one without a method of its own."""

from collections.abc import Collection
from functools import partial
from typing import Any, overload

from backupify_async._codec.decode import decode_list, decode_objects
from backupify_async._codec.readers import ModelT
from backupify_async._endpoints.any_request import any_request, list_request
from backupify_async._endpoints.api_response import APIResponse
from backupify_async._endpoints.form import Fields
from backupify_async._endpoints.path import triggered_instance
from backupify_async._paging.paginator import Paginator
from backupify_async._transport.call_state import CallState
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import Response
from backupify_async._triggers.drain import Drain, PendingTrigger
from backupify_async.errors import AmbiguousRequest


class AnyOperation:
    """What a client can do with operations that have no method of their own."""

    _session: Session
    _drain: Drain

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Fields | None = None,
        form: Fields | None = None,
        json: object = None,
        repeatable: bool | None = None,
        answers: Collection[int] = (),
        unsafe: bool = False,
        **ids: int | str,
    ) -> "APIResponse":
        """Call any operation of the API, with token, rate limit, retries and time-outs as everywhere.

            response = await client.request("GET", "/v1/customers/{customer_id}", customer_id=1)
            print(response.status, response.json()["name"])  # or response.read_as(YourModel)

        Args:
            method: The HTTP method.
            path: The path below the base URL. `{names}` are filled with ids, quoted.
            params: The query. Mappings nest with brackets, lists repeat (as in Rails); None is left out.
            form: The body as a form, likewise.
            json: The body as JSON, instead of a form.
            repeatable: Whether sending it twice does no more than sending it once. By default GET, HEAD,
                OPTIONS, PUT and DELETE are (RFC 9110 §9.2.2).
            answers: Statuses from 300 up that are returned and not raised.
            unsafe: Whether to send a trigger. `client.backups.trigger` never starts two backups; this can.
                After `drain()` it is not begun, either.
            **ids: The ids that the path names.

        Raises:
            TypeError, ValueError: An argument is invalid, the path leads to another origin, or the request is
                a trigger; nothing is sent.
            AmbiguousRequest: It is not repeatable, was sent, and got no clear response.
            ClientDraining: It is a trigger, and the client sends no more of them.
            BackupifyError: It failed; `backupify_async.errors` has the tree.
        """
        request = any_request(
            method,
            path,
            ids,
            params=params,
            form=form,
            json=json,
            repeatable=repeatable,
            answers=answers,
            unsafe=unsafe,
        )
        return await self._send(request, triggered_instance(request.method, request.path) if unsafe else None)

    async def _send(self, request: Request, triggered: str | None) -> "APIResponse":
        try:
            if triggered is not None:
                return APIResponse(await self._send_trigger(request, triggered))
            return APIResponse(await self._session.send(request))
        except DeliveryUnknown as unknown:
            sent_at, cause = unknown.sent_at, unknown.cause
        raise AmbiguousRequest(request.method, request.path, sent_at, cause) from cause

    async def _send_trigger(self, request: Request, instance: str) -> Response:
        """Send a trigger unless the client drains; the drain waits for its end once it was sent.

        Between two sendings it is still open where the first one may have started a backup.
        """

        def is_open() -> bool:
            return call.sent_at is not None or (request.repeatable and call.sendings > 0)

        async def before_send() -> None:
            if not is_open():
                self._drain.require_not_begun(instance)

        call = CallState(request, self._session.options, before_send)
        with PendingTrigger(self._drain, instance, is_open):
            return await self._session.carry(call)

    @overload
    def iterate(
        self,
        path: str,
        model: type[ModelT],
        *,
        params: Fields | None = None,
        per_page: int | None = None,
        prefetch: int = 0,
        **ids: int | str,
    ) -> Paginator[ModelT]: ...

    @overload
    def iterate(
        self,
        path: str,
        model: None = None,
        *,
        params: Fields | None = None,
        per_page: int | None = None,
        prefetch: int = 0,
        **ids: int | str,
    ) -> Paginator[dict[str, Any]]: ...

    def iterate(
        self,
        path: str,
        model: type[ModelT] | None = None,
        *,
        params: Fields | None = None,
        per_page: int | None = None,
        prefetch: int = 0,
        **ids: int | str,
    ) -> Paginator[ModelT] | Paginator[dict[str, Any]]:
        """Any list of the API, page by page over its Link headers.

            import attrs

            @attrs.frozen
            class Customer:  # of the fields in a response, those that you need
                id: int
                name: str | None = None

            async for customer in client.iterate("/v1/customers", Customer):
                print(customer.id, customer.name)

        Args:
            path: The path below the base URL. `{names}` are filled with ids, quoted.
            model: The attrs class of the items; without one they are raw JSON objects.
            params: The query, as for `request`.
            per_page: Items per page. The server may cap or ignore it.
            prefetch: How many pages to request ahead, concurrently, where the links number the pages.
            **ids: The ids that the path names.

        Raises:
            TypeError, ValueError: An argument is invalid; the message names it.
        """
        items = decode_objects if model is None else partial(decode_list, model=model)
        request = list_request(path, ids, params=params, per_page=per_page, decode=items)
        return Paginator(self._session.send, request, prefetch=prefetch)
