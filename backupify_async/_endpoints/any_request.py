"""Requests that a caller wrote, for operations without a method of their own. Pure."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson

from backupify_async._checks import check_count
from backupify_async._endpoints import form as form_encoding
from backupify_async._endpoints.path import fill_path, is_trigger
from backupify_async._transport.request import AUTHORIZATION, FORM, Request
from backupify_async._transport.transport import Response

_JSON = "application/json"
_METHOD = re.compile(r"[A-Z]+")
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110 section 9.2.2
_WITHOUT_TOKEN = frozenset({"/oauth/token", "/v1/ping"})  # as the API documents them
_BLOB = re.compile(r"/v1/backup_instances/[^/]+/endpoints/[^/]+/records/[^/]+/blob")


def any_request(
    method: str,
    path: str,
    ids: Mapping[str, int | str],
    *,
    params: form_encoding.Fields | None = None,
    form: form_encoding.Fields | None = None,
    json: object = None,
    repeatable: bool | None = None,
    answers: Collection[int] = (),
    unsafe: bool = False,
    decode: Callable[[Response], Any] | None = None,
) -> Request:
    """A request, checked before anything is sent.

    Args:
        method: The HTTP method.
        path: The path below the base URL, with `{names}` for ids.
        ids: The ids.
        params: The query.
        form: The body as a form.
        json: The body as JSON.
        repeatable: Whether sending it twice does no more than sending it once; None decides by the method.
        answers: Statuses that are returned and not raised.
        unsafe: Whether it may be a trigger.
        decode: Reads a 2xx.

    Raises:
        TypeError, ValueError: An argument is invalid; the message names it.
    """
    method = _checked_method(method)
    filled = fill_path(path, ids)
    if is_trigger(method, filled) and not unsafe:
        raise ValueError(
            f"{method} {filled} starts a backup: use client.backups.trigger(), which never starts two; "
            "unsafe=True sends it anyway"
        )
    body, content_type = _body(method, form, json)
    return Request(
        method,
        filled,
        "" if params is None else form_encoding.encode(params, "params"),
        repeatable=method in _REPEATABLE if repeatable is None else repeatable,
        answers=_checked_answers(answers),
        decode=decode,
        body=body,
        content_type=content_type,
        token_header=_token_header(filled),
    )


def list_request(
    path: str,
    ids: Mapping[str, int | str],
    *,
    params: form_encoding.Fields | None,
    per_page: int | None,
    decode: Callable[[Response], Any],
) -> Request:
    """The request for the first page of a list.

    Raises:
        TypeError, ValueError: An argument is invalid; the message names it.
    """
    if per_page is not None:
        check_count("per_page", per_page)
        params = {**(params or {}), "per_page": per_page}
    return any_request("GET", path, ids, params=params, decode=decode)


def _checked_method(method: str) -> str:
    if not isinstance(method, str):
        raise TypeError(f"the method must be a str, not {type(method).__name__}")
    upper = method.upper()
    if not _METHOD.fullmatch(upper) or upper in ("CONNECT", "TRACE"):
        raise ValueError(f"not a method of the API: {method!r}")
    return upper


def _checked_answers(answers: Collection[int]) -> frozenset[int]:
    if not isinstance(answers, Collection) or isinstance(answers, str):
        raise TypeError(f"answers: a collection of statuses, as in {{404}}, not {answers!r:.40}")
    for status in answers:
        if type(status) is not int:
            raise TypeError(f"answers: a status must be an int, not {status!r}")
        if not 300 <= status < 600 or status == 401:
            raise ValueError(f"answers: a status from 300 to 599 but 401, not {status}")
    return frozenset(answers)


def _body(method: str, form: form_encoding.Fields | None, json: object) -> tuple[bytes | None, str | None]:
    if form is None and json is None:
        return None, None
    if form is not None and json is not None:
        raise ValueError("a request has one body: form= or json=")
    if method in ("GET", "HEAD"):
        raise ValueError(f"a {method} has no body: use params=")
    if form is not None:
        return form_encoding.encode(form).encode(), FORM
    try:
        return orjson.dumps(json), _JSON
    except orjson.JSONEncodeError as error:
        raise TypeError(f"json: {error}") from None


def _token_header(path: str) -> str:
    if path in _WITHOUT_TOKEN:
        return ""
    return "Access-Token" if _BLOB.fullmatch(path) else AUTHORIZATION
