"""Where the ids of a sweep come from: the command line, a file, or the server."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

import attrs

from backupify_async._cli.daemon_threads import in_daemon_thread
from backupify_async._cli.error_messages import reason
from backupify_async._cli.exit_codes import Exit, ExitCode, NoInstances, exit_code_of
from backupify_async._cli.id_files import STDIN, ChangedFile, is_rereadable, read_lines, spool
from backupify_async._cli.id_syntax import parse_id, parse_line, strip_invisible
from backupify_async._cli.plurals import count
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.ids import InstanceId

_PER_PAGE = 100  # a server may return fewer


def no_instances() -> NoInstances:
    """Ends a command where --all means no instance: a job that backs up nothing is a failure."""
    return NoInstances(ExitCode.SOME_FAILED, "--all: the server lists no instances for these credentials")


def choose_source(arguments: tuple[str, ...], ids_file: str | None, *, everything: bool) -> "IdSource":
    """The source of ids that the command line names.

    Raises:
        Exit: It names none, or more than one; or the source cannot be used.
    """
    named = [arguments != (), ids_file is not None, everything]
    if sum(named) != 1:
        problem = "no instances given" if not any(named) else "instances given in more than one way"
        raise Exit(ExitCode.USAGE, f"{problem}: use ids, --ids-file FILE or --all")
    if everything:
        return AllIds()
    if ids_file is not None:
        return _file_ids(ids_file)
    return ArgumentIds(tuple(_argument_id(text) for text in arguments))


def _argument_id(text: str) -> InstanceId:
    try:
        return parse_id(strip_invisible(text))
    except ValueError as error:
        raise Exit(ExitCode.USAGE, f"not an instance id: {error}") from None


def _file_ids(path: str) -> "FileIds":
    if path == STDIN:
        return FileIds(path, rereadable=False)
    try:
        if Path(path).is_dir():
            raise Exit(ExitCode.USAGE, f"--ids-file: {path} is a directory")
        return FileIds(path, rereadable=is_rereadable(path))
    except (FileNotFoundError, NotADirectoryError):
        raise Exit(ExitCode.USAGE, f"--ids-file: {path} does not exist") from None
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"--ids-file: {path}: {error.strerror}") from None
    except ValueError as error:  # it holds a NUL
        raise Exit(ExitCode.USAGE, f"--ids-file: {path!r}: {error}") from None


@attrs.frozen
class ArgumentIds:
    """Ids given on the command line."""

    ids: tuple[InstanceId, ...]

    location = "on the command line"

    @property
    def total(self) -> int | None:
        """The number of ids."""
        return len(self.ids)

    async def read(self, _client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids."""
        for instance_id in self.ids:
            yield instance_id

    async def count(self, _client: BackupifyClient, /) -> int | None:
        """The number of ids, where it can be known before the sweep begins."""
        return len(self.ids)

    def describe(self, _number: int | None, /) -> str:
        """For a question: "3 instances"."""
        return count(len(self.ids), "instance")


@attrs.define
class AllIds:
    """The ids of all instances that the credentials can access, page by page.

    Attributes:
        total: Their number, according to the page that was read last.
    """

    total: int | None = None
    location = "of --all"

    async def read(self, client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids, in the server's order.

        Raises:
            Exit: The list ends early; `NoInstances` where it is empty.
        """
        empty = True
        try:
            async for page in client.instances.list(per_page=_PER_PAGE).pages():
                self.total = page.total
                for instance in page.items:
                    empty = False
                    yield instance.id
        except BackupifyError as error:
            raise Exit(
                exit_code_of(error),
                f"the list of all instances ended early: {reason(error)}; later instances are missing",
            ) from error
        if empty:
            raise no_instances()

    async def count(self, client: BackupifyClient, /) -> int | None:
        """The number of instances according to the server.

        Raises:
            BackupifyError: The list cannot be read.
        """
        pages = client.instances.list(per_page=_PER_PAGE).pages()
        try:
            page = await anext(pages)
        finally:
            await pages.aclose()
        if page.total is not None:
            return max(page.total, len(page.items))
        return None if "next" in page.links else len(page.items)

    def describe(self, number: int | None, /) -> str:
        """For a question: "3 instances"."""
        return "all instances" if number is None else f"all {count(number, 'instance')}"


@attrs.define
class FileIds:
    """Ids in a file or on stdin: one per line; blank lines and `#` comments are ignored.

    Attributes:
        path: The path, or "-".
        rereadable: Whether another process can read the same ids there: not on stdin, nor from a pipe.
        total: The number of ids, once they were counted.
        expected: The fingerprint that the file must have, so that no other ids are read; None for any.
        spooled: The descriptor of an unnamed copy, for ids that can be read only once.
    """

    path: str
    rereadable: bool
    total: int | None = None
    expected: str | None = None
    spooled: int | None = attrs.field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """For messages: the path, or "stdin"."""
        return "stdin" if self.path == STDIN else self.path

    @property
    def location(self) -> str:
        """For messages: where the ids are."""
        return f"in {self.name}"

    async def read(self, _client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids, read lazily and off the event loop.

        Raises:
            Exit: The file cannot be read, was changed, or a line is not an id; `NoInstances` where it has
                none.
        """
        number, empty = 0, True
        source = self.path if self.spooled is None else self.spooled
        try:
            async for line in read_lines(source, self.expected):
                number += 1
                instance_id = parse_line(line, first=number == 1)
                if instance_id is not None:
                    yield instance_id
                    empty = False
        except ChangedFile:
            raise self.changed() from None
        except OSError as error:
            raise Exit(ExitCode.USAGE, f"{self.name}: {error.strerror}") from None
        except ValueError as error:
            raise Exit(
                ExitCode.USAGE, f"{self.name}, line {number}: {error}; stopped reading before this line"
            ) from None
        if empty:
            raise NoInstances(ExitCode.USAGE, f"no ids in {self.name}")

    async def count(self, client: BackupifyClient, /) -> int | None:
        """The number of ids. Reading them all beforehand also finds an invalid line before the sweep begins.

        Ids that can be read only once are copied to a temporary file, which is gone when this process ends.
        """
        if not self.rereadable and self.spooled is None:
            try:
                self.spooled = await in_daemon_thread("ids", spool, self.path)
            except OSError as error:
                problem = f"{self.name} cannot be copied to a temporary file: {error.strerror}"
                raise Exit(ExitCode.USAGE, problem) from None
        total = 0
        async for _ in self.read(client):
            total += 1
        self.total = total
        return total

    def changed(self) -> Exit:
        """Ends a sweep whose file of ids has other content than when the sweep began."""
        return Exit(
            ExitCode.USAGE,
            f"{self.name} is not what this sweep began with ({self.expected}): restore it and resume, "
            "or begin a new sweep with a new journal",
        )

    def describe(self, number: int | None, /) -> str:
        """For a question: "3 instances"."""
        if number is None:
            return f"the instances in {self.name} (number unknown)"
        return f"{count(number, 'instance')} named in {self.name}"


IdSource: TypeAlias = ArgumentIds | AllIds | FileIds
"""Each reads its ids lazily, and knows their number as far as it can be known before (`count`) or by now."""


class IdCursor:
    """Reads ids, and remembers the last one: a sweep that ends early reports those that it did not begin.

    Args:
        source: Where the ids come from.
    """

    def __init__(self, source: IdSource) -> None:
        self._source = source
        self._last: InstanceId | None = None
        self._read = 0
        self._ended = False

    async def read(self, client: BackupifyClient) -> AsyncGenerator[InstanceId, None]:
        """The ids, read lazily.

        Raises:
            Exit: They cannot be read, or one of them is invalid.
        """
        async with aclosing(self._source.read(client)) as ids:
            async for instance_id in ids:
                self._last = instance_id
                self._read += 1
                yield instance_id
        self._ended = True

    def remaining(self) -> str | None:
        """The ids that were not read, in words; None where all were."""
        total = self._source.total
        number = None if total is None or total < self._read else total - self._read
        if self._ended or number == 0:
            return None
        which = "any ids" if number is None else f"the {count(number, 'id')}"
        return f"{which}{f' after {self._last}' if self._read else ''} {self._source.location}"
