"""Every error of the tree: its bases, text, fields, pickle and copy."""

import copy
import inspect
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime

import attrs
import pytest

import backupify_async
from backupify_async import errors
from backupify_async._transport.error_responses import api_error_type
from backupify_async.errors import (
    AmbiguousRequest,
    AmbiguousTrigger,
    APIError,
    AuthenticationError,
    BackupifyError,
    BadRequest,
    ClientClosed,
    ClientDraining,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    DecodeError,
    DuplicateInstance,
    FanOutAborted,
    JournalError,
    MissingCredentials,
    NotFound,
    PaginationError,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    TransportError,
    Unauthorized,
    UnprocessableEntity,
    UnsafeLink,
    WaitFailed,
    WaitTimeout,
)
from backupify_async.models import Backup, SentTrigger, TriggerKind, TriggerResult

SENT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SENT = SentTrigger(42, SENT_AT)
API = ("GET", "/v1/ping", "r1", "sorry", 5.0, "enough")
SAYS = "GET /v1/ping answered {}: sorry (Retry-After: 5 s) (request r1); gave up: enough"

TREE: list[tuple[BackupifyError, tuple[type, ...], str]] = [
    (ConfigurationError("base_url: no"), (), "base_url: no"),
    (ConfigurationError("base_url: no", "force=True"), (), "base_url: no, or set force=True"),
    (MissingCredentials("no credentials"), (ConfigurationError,), "no credentials"),
    (ClientClosed("closed"), (), "closed"),
    (ClientDraining("draining"), (ClientClosed,), "draining"),
    (AuthenticationError("no token"), (), "no token"),
    (TransportError("lost"), (), "lost"),
    (
        ConnectionFailed("no route", sent=False, gave_up="enough"),
        (TransportError,),
        "no route; gave up: enough",
    ),
    (RequestTimeout("slow"), (TransportError,), "slow"),
    (RequestTimeout("slow", limit="total", seconds=2.5), (TransportError,), "slow"),
    (APIError(302, *API), (), SAYS.format(302)),
    (BadRequest(400, *API), (APIError,), SAYS.format(400)),
    (Unauthorized(401, *API), (APIError, AuthenticationError), SAYS.format(401)),
    (PermissionDenied(403, *API), (APIError,), SAYS.format(403)),
    (NotFound(404, *API), (APIError,), SAYS.format(404)),
    (Conflict(409, *API), (APIError,), SAYS.format(409)),
    (UnprocessableEntity(422, *API), (APIError,), SAYS.format(422)),
    (RateLimited(429, *API), (APIError,), SAYS.format(429)),
    (ServerError(500, *API), (APIError,), SAYS.format(500)),
    (NotFound(404, "GET", "/v1/ping"), (APIError,), "GET /v1/ping answered 404"),
    (DecodeError("no JSON", "/x", "text/html", "<p>"), (), "/x: no JSON (Content-Type text/html): '<p>'"),
    (DecodeError("no JSON", "/x"), (), "/x: no JSON (Content-Type missing): ''"),
    (PaginationError("circle"), (), "circle"),
    (UnsafeLink("elsewhere"), (PaginationError,), "elsewhere"),
    (
        AmbiguousRequest("POST", "/v1/customers", SENT_AT, RequestTimeout("slow")),
        (),
        "POST /v1/customers sent at 2026-01-02T03:04:05Z may or may not have been carried out: slow",
    ),
    (
        AmbiguousTrigger(SENT, RequestTimeout("slow")),
        (AmbiguousRequest,),
        "instance 42: the backup triggered at 2026-01-02T03:04:05Z may or may not have started: slow",
    ),
    (
        AmbiguousTrigger(SENT, RequestTimeout("slow"), "the list is empty", (Backup(7), Backup("x"))),
        (AmbiguousRequest,),
        (
            "instance 42: the backup triggered at 2026-01-02T03:04:05Z may or may not have started: slow; "
            "still unclear: the list is empty (seen: backup 7, backup x)"
        ),
    ),
    (
        AmbiguousTrigger(SENT, TransportError("lost"), "too late", interrupted_by=RequestTimeout("too late")),
        (AmbiguousRequest,),
        (
            "instance 42: the backup triggered at 2026-01-02T03:04:05Z may or may not have started: lost; "
            "still unclear: too late"
        ),
    ),
    (DuplicateInstance("a/b"), (), "instance a/b is in this sweep twice: no second backup was triggered"),
    (JournalError("x.sqlite is in use"), (), "x.sqlite is in use"),
    (
        WaitTimeout(42, 7, 60.0, Backup(7, status="running"), ConnectionFailed("no route")),
        (),
        "instance 42: backup 7 was not over after 60 s (last seen running); the last check failed: no route",
    ),
    (WaitTimeout(42, 7, 0.5), (), "instance 42: backup 7 was not over after 0.5 s (never seen)"),
    (
        WaitFailed(42, TriggerResult(TriggerKind.ALREADY_ACTIVE, Backup(7)), NotFound(404, "GET", "/x")),
        (),
        "instance 42: backup 7 (already active) is no longer waited for: GET /x answered 404",
    ),
    (
        WaitFailed(
            42,
            TriggerResult(TriggerKind.STARTED, Backup(7)),
            WaitTimeout(42, 7, 60.0, Backup(7, status="running")),
        ),
        (),
        "instance 42: backup 7 (started) was not over after 60 s (last seen running)",
    ),
    (
        WaitFailed(42, TriggerResult(TriggerKind.ADOPTED, Backup(7))),
        (),
        "instance 42: backup 7 (adopted) is no longer waited for",
    ),
    (
        FanOutAborted("too many failures", 3, 1, {1: [], 2: None, 3: "x"}, {4: NotFound(404, "GET", "/x")}),
        (),
        "stopped early: too many failures (3 succeeded, 1 failed so far)",
    ),
]
walk = pytest.mark.parametrize(
    ("error", "family", "text"),
    TREE,
    ids=[f"{type(error).__name__} {n}" for n, (error, _, _) in enumerate(TREE)],
)


def fields(error: BaseException) -> dict[str, object]:
    """The fields of an error; errors in it by type and text, because they are compared by identity."""
    return {name: plain(value) for name, value in vars(error).items()}


def plain(value: object) -> object:
    if isinstance(value, BaseException):
        return (type(value), str(value))
    return {key: plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def all_errors() -> Iterator[type[BackupifyError]]:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, BackupifyError):
            yield kind


def test_every_error_is_in_the_tree() -> None:
    assert {type(error) for error, _, _ in TREE} | {BackupifyError} == set(all_errors())


@walk
def test_its_bases_are_those_of_its_family(
    error: BackupifyError, family: tuple[type, ...], text: str
) -> None:
    assert isinstance(error, BackupifyError)
    assert set(type(error).__bases__) == set(family or (BackupifyError,))


@walk
def test_its_text_is_readable(error: BackupifyError, family: tuple[type, ...], text: str) -> None:
    assert str(error) == text
    assert "None" not in str(error)


@walk
def test_its_fields_are_its_arguments(error: BackupifyError, family: tuple[type, ...], text: str) -> None:
    twin = type(error)(*error.args)
    assert (str(twin), fields(twin)) == (text, fields(error))
    kind: type = type(error)
    names = [field.name for field in attrs.fields(kind)] if attrs.has(kind) else list(vars(error))
    assert names == list(fields(error))
    assert (len(names) or 1) == len(error.args)


@walk
def test_its_repr_names_it(error: BackupifyError, family: tuple[type, ...], text: str) -> None:
    assert repr(error).startswith(f"{type(error).__name__}(")


@walk
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_survives_pickle(
    error: BackupifyError, family: tuple[type, ...], text: str, protocol: int
) -> None:
    back = pickle.loads(pickle.dumps(error, protocol))
    assert (type(back), str(back), back.args and True) == (type(error), text, error.args and True)
    assert fields(back) == fields(error)


@walk
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_survives_copy(
    error: BackupifyError, family: tuple[type, ...], text: str, duplicate: "type[copy.Error]"
) -> None:
    twin = duplicate(error)
    assert twin is not error  # type: ignore[comparison-overlap]
    assert type(twin).__name__ == type(error).__name__
    assert (str(twin), fields(twin)) == (text, fields(error))


def test_a_later_change_survives_pickle_and_copy() -> None:
    error = NotFound(404, "GET", "/v1/ping")
    error.gave_up = "enough"
    assert pickle.loads(pickle.dumps(error)).gave_up == copy.copy(error).gave_up == "enough"


def test_errors_are_compared_by_identity() -> None:
    one, other = NotFound(404, "GET", "/x"), NotFound(404, "GET", "/x")
    assert len({one, other}) == 2
    with pytest.raises(NotFound) as caught:
        raise one
    assert caught.value is one


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, BadRequest), (401, Unauthorized), (403, PermissionDenied), (404, NotFound), (409, Conflict)),
        *((422, UnprocessableEntity), (429, RateLimited), (500, ServerError), (503, ServerError)),
        *(
            (599, ServerError),
            (301, APIError),
            (304, APIError),
            (402, APIError),
            (418, APIError),
            (499, APIError),
        ),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[APIError]) -> None:
    assert api_error_type(status) is kind


def test_the_tree_in_the_docstring_has_every_error() -> None:
    assert errors.__doc__ is not None
    drawn = {word.strip("│├└─ ").split(" ")[0] for word in errors.__doc__.splitlines() if "─" in word}
    assert drawn == {kind.__name__ for kind in all_errors()} - {"BackupifyError"}


def test_every_error_can_be_imported_from_the_package() -> None:
    assert [kind for kind in all_errors() if getattr(backupify_async, kind.__name__) is not kind] == []


EVIL = "x\r\nCRITICAL root \x1b[2J\x7f\x9b\u2028\u202e\ud800"


@pytest.mark.parametrize(
    "error",
    [
        AmbiguousTrigger(SentTrigger(EVIL, SENT_AT), TransportError("lost"), "", (Backup(EVIL),)),
        DuplicateInstance(EVIL),
        WaitTimeout(EVIL, EVIL, 5.0, Backup(EVIL, status=EVIL)),
        WaitFailed(EVIL, TriggerResult(TriggerKind.STARTED, Backup(EVIL))),
    ],
)
def test_ids_and_texts_of_the_server_are_escaped_in_messages(error: BackupifyError) -> None:
    assert str(error).isprintable()
    assert "x\\r\\nCRITICAL root \\x1b[2J\\x7f\\x9b\\u2028\\u202e\\ud800" in str(error)
