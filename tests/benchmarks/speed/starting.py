"""The cost of the import, and of all up to the first response, each in a new process."""

import os
import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks.speed.measuring import Figure
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_MOST_PAIRS = 15
_IMPORT = "from backupify_async import BackupifyClient"
_IMPORT_BARE = "import aiohttp, attrs, cattrs"
# Installed packages are compiled already; the first run compiles edited sources, and can write the result.
_ENVIRON = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
_CALL = """
import asyncio
from backupify_async import BackupifyClient, StaticToken
async def main():
    async with BackupifyClient(StaticToken("token"), base_url={base_url!r}) as client:
        assert await client.backups.get_active(42)
asyncio.run(main())
"""
_CALL_BARE = """
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(headers={{"Authorization": "Bearer token"}}) as session:
        async with session.get({base_url!r} + "/v1/backup_instances/42/backups/active") as response:
            assert await response.json()
asyncio.run(main())
"""


def rows(server: Server, size: Size) -> Iterator[Row]:
    """In CPU time, which does not depend on other processes."""
    _seconds(_IMPORT)
    imports = [_seconds(_IMPORT) / _seconds(_IMPORT_BARE) for _ in range(min(size.pairs, _MOST_PAIRS))]
    yield Row(f"`{_IMPORT}` over `{_IMPORT_BARE}`", Figure.of(imports), 1.15, 1.05)
    ours, bare = (code.format(base_url=server.at()) for code in (_CALL, _CALL_BARE))
    calls = [_seconds(ours) / _seconds(bare) for _ in range(min(size.pairs, _MOST_PAIRS))]
    yield Row("a whole process with one call, over bare aiohttp's", Figure.of(calls))


def _seconds(code: str) -> float:
    """CPU seconds that a process spends on some code, without the start of the interpreter."""
    timed = f"import time\nbegan = time.process_time()\n{code}\nprint(time.process_time() - began)"
    command = [sys.executable, "-c", timed]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_ENVIRON)
    return float(done.stdout)
