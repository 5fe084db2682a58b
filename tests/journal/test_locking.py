"""The lock file of a journal."""

import os
from pathlib import Path

import pytest

from backupify_async import JournalError
from backupify_async._journal.locking import lock_of, take_lock


@pytest.mark.skipif(os.name == "nt", reason="a symbolic link needs a privilege on Windows")
def test_a_symbolic_link_with_its_name_is_not_followed(tmp_path: Path) -> None:
    """A link that another user made in a shared directory must not empty a file of this user."""
    precious, path = tmp_path / "precious", tmp_path / "sweep.journal"
    precious.write_text("keep me", "utf-8")
    lock_of(path).symlink_to(precious)
    with pytest.raises(JournalError, match="cannot be locked"):
        take_lock(path)
    assert precious.read_text("utf-8") == "keep me"
