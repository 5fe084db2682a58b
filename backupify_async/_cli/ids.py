"""Where the ids of a sweep come from: the command line, a file, or the server."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

import attrs

from backupify_async._cli.exit_codes import Exit, ExitCode, NoIds, code_of, reason
from backupify_async._cli.id_files import STDIN, ChangedFile, is_plain, read_lines, spool, text_on
from backupify_async._cli.text import bare, count, is_unseen
from backupify_async._cli.threads import in_thread
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.ids import InstanceId, identifier

_NUMBER = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_PER_PAGE = 100  # a server may give fewer; all ids are wanted, so the more at once the better


def no_instances() -> NoIds:
    """What ends a command of which --all means none: a job that backs up nothing is not well."""
    return NoIds(ExitCode.SOME_FAILED, "--all: the server lists no instances for these credentials")


class Ids(Protocol):
    """Where ids come from."""

    @property
    def total(self) -> int | None:
        """How many there are, as far as that is known by now."""
        ...

    @property
    def where(self) -> str:
        """Where they stand: "on the command line"."""
        ...

    def read(self, client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids, read as they are wanted.

        Raises:
            Exit: They cannot be read, or one of them is none.
        """
        ...

    async def number(self, client: BackupifyClient, /) -> int | None:
        """How many there are, where that can be known before the sweep begins.

        Raises:
            Exit: They cannot be read, or one of them is none.
            BackupifyError: The server does not say.
        """
        ...

    def describe(self, number: int | None, /) -> str:
        """What they are, for a question: "3 instances"."""
        ...


def choose(given: tuple[str, ...], ids_file: str | None, *, everything: bool) -> Ids:
    """The one source of ids that was named.

    Raises:
        Exit: None was, or two; or one cannot be used.
    """
    named = [given != (), ids_file is not None, everything]
    if sum(named) != 1:
        problem = "no instances" if not any(named) else "instances named in two ways"
        raise Exit(ExitCode.USAGE, f"{problem}: give ids, or --ids-file FILE, or --all")
    if everything:
        return AllIds()
    if ids_file is not None:
        return _file_ids(ids_file)
    return GivenIds(tuple(_given_id(text) for text in given))


def read_id(text: str) -> InstanceId:
    """An id as a person writes it: an int where it is written as one, so that JSON has it as the server does.

    Raises:
        ValueError: It cannot be an id, or holds what nobody sees: any but a plain space.
    """
    instance_id: InstanceId = int(text) if _NUMBER.fullmatch(text) else text
    identifier(instance_id)
    if any(is_unseen(character) for character in text if character != " "):
        raise ValueError(f"an id must not hold characters that cannot be seen: {text!r}")
    return instance_id


def _given_id(text: str) -> InstanceId:
    try:
        return read_id(bare(text))
    except ValueError as error:
        raise Exit(ExitCode.USAGE, f"no instance id: {error}") from None


def _file_ids(path: str) -> "FileIds":
    if path == STDIN:
        return FileIds(path, rereadable=False)
    try:
        if Path(path).is_dir():
            raise Exit(ExitCode.USAGE, f"--ids-file: {path} is a directory")
        return FileIds(path, rereadable=is_plain(path))
    except (FileNotFoundError, NotADirectoryError):
        raise Exit(ExitCode.USAGE, f"--ids-file: {path} does not exist") from None
    except OSError as error:
        raise Exit(ExitCode.USAGE, f"--ids-file: {path}: {error.strerror}") from None
    except ValueError as error:  # it holds a NUL
        raise Exit(ExitCode.USAGE, f"--ids-file: {path!r}: {error}") from None


@attrs.frozen
class GivenIds:
    """Ids of the command line."""

    ids: tuple[InstanceId, ...]

    where = "on the command line"

    @property
    def total(self) -> int | None:
        """How many they are."""
        return len(self.ids)

    async def read(self, _client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids."""
        for instance_id in self.ids:
            yield instance_id

    async def number(self, _client: BackupifyClient, /) -> int | None:
        """How many they are."""
        return len(self.ids)

    def describe(self, _number: int | None, /) -> str:
        """How many they are, in words."""
        return count(len(self.ids), "instance")


@attrs.define
class AllIds:
    """All instances that the credentials may see, page by page.

    Attributes:
        total: How many they are, as the page says that was read last.
    """

    total: int | None = None
    where = "of --all"

    async def read(self, client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids, in the server's order.

        Raises:
            Exit: The list breaks off; `NoIds` where there is none.
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
                code_of(error),
                f"the list of all instances broke off: {reason(error)}; those that follow are left out",
            ) from error
        if empty:
            raise no_instances()

    async def number(self, client: BackupifyClient, /) -> int | None:
        """How many the server says that there are.

        Raises:
            BackupifyError: It does not answer.
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
        """All, and how many they are."""
        return "all instances" if number is None else f"all {count(number, 'instance')}"


@attrs.define
class FileIds:
    """Ids in a file, or in what comes by stdin: one a line, with blank lines and `#` comments between.

    Attributes:
        path: Where it is, or "-".
        rereadable: Whether it can be read twice, by another process too: it is no stdin and no pipe.
        total: How many ids it has, once they were counted.
        known: The mark that it must have, so that nothing else is read; None for any.
        spooled: Where it was copied to, to be read a second time; a file without a name, that is open.
    """

    path: str
    rereadable: bool
    total: int | None = None
    known: str | None = None
    spooled: int | None = attrs.field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """What to call it."""
        return "stdin" if self.path == STDIN else self.path

    @property
    def where(self) -> str:
        """As `Ids.where`."""
        return f"in {self.name}"

    async def read(self, _client: BackupifyClient, /) -> AsyncGenerator[InstanceId, None]:
        """The ids, read as they are wanted, off the event loop.

        Raises:
            Exit: It cannot be read, is not what it was, or a line is no id, which is named; `NoIds` where it
                has none.
        """
        number, empty = 0, True
        try:
            async for line in read_lines(self.path if self.spooled is None else self.spooled, self.known):
                number += 1
                text = text_on(line, first=number == 1)
                if text:
                    yield _id_on_a_line(text)
                    empty = False
        except ChangedFile:
            raise self.changed() from None
        except OSError as error:
            raise Exit(ExitCode.USAGE, f"{self.name}: {error.strerror}") from None
        except ValueError as error:
            raise Exit(
                ExitCode.USAGE,
                f"{self.name}, line {number}: {error}; neither this line nor any behind it was read",
            ) from None
        if empty:
            raise NoIds(ExitCode.USAGE, f"no ids in {self.name}")

    async def number(self, client: BackupifyClient, /) -> int | None:
        """How many there are: read once before the sweep, which also finds a bad line before it begins.

        What can be read only once is copied for that, to its end, into a file that goes with this process.
        """
        if not self.rereadable and self.spooled is None:
            try:
                self.spooled = await in_thread("ids", spool, self.path)
            except OSError as error:
                said = f"{self.name}, copied to be checked: {error.strerror}"
                raise Exit(ExitCode.USAGE, said) from None
        total = 0
        async for _ in self.read(client):
            total += 1
        self.total = total
        return total

    def changed(self) -> Exit:
        """What ends a sweep of which these are no longer the ids."""
        return Exit(
            ExitCode.USAGE,
            f"{self.name} is not what this sweep began with ({self.known}): put that back, and resume; "
            "for what is there now, begin a new sweep with a new journal",
        )

    def describe(self, number: int | None, /) -> str:
        """How many, as far as that is known, and from where."""
        known = "the instances" if number is None else count(number, "instance")
        return f"{known} named in {self.name}" + (" (how many, it does not say)" if number is None else "")


def _id_on_a_line(text: str) -> InstanceId:
    if len(text.split()) != 1:
        raise ValueError(f"one id a line, not {text!r}")
    return read_id(text)
