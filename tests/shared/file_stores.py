"""What the tests of the file store share."""

import asyncio
import os
import stat
import sys
from pathlib import Path

ROOT = os.geteuid() == 0
USER = 65_534  # nobody, where root runs the tests


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


async def in_another_process(code: str, directory: Path, user: int | None = None) -> tuple[int, str]:
    """Run code with a store that is open as `store`; the exit code and what it printed."""
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from backupify_async._shared.file_store import FileStore\n"
        "from tests.shared.stores import KEY, increment\n"
        "if len(sys.argv) > 2:\n"
        "    os.setgroups([])\n"
        "    os.setgid(int(sys.argv[2]))\n"
        "    os.setuid(int(sys.argv[2]))\n"
        "async def main():\n"
        "    store = FileStore(Path(sys.argv[1]), KEY)\n"
        "    await store.open(lambda: None)\n"
        f"    {code}\n"
        "asyncio.run(main())\n"
    )
    arguments = [sys.executable, "-c", program, str(directory), *([] if user is None else [str(user)])]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + err).decode()
