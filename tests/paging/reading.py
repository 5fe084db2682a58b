"""Read a list, and keep what came before its error."""

from backupify_async import BackupifyError
from tests.support.pages import Pages, numbers


async def read(pages: Pages) -> tuple[list[int | str], BaseException | None]:
    """The ids that were handed out before the end, and the error that ended the list."""
    found: list[int | str] = []
    try:
        async for backup in pages.paginator():
            found += [backup.id]
    except BackupifyError as error:
        return found, error
    return found, None


async def read_backwards(pages: Pages) -> tuple[list[int | str], BaseException | None]:
    """Like `read`, page by page from the end of the list."""
    found: list[int | str] = []
    try:
        async for page in pages.paginator().pages_backwards():
            found += numbers(page.items)
    except BackupifyError as error:
        return found, error
    return found, None
