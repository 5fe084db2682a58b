"""`python -m backupify_async.cli`."""

import sys

from backupify_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
