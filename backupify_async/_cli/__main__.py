"""`python -m backupify_async._cli`."""

import sys

from backupify_async._cli import main

if __name__ == "__main__":
    sys.exit(main())
