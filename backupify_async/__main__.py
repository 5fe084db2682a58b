"""`python -m backupify_async`: the command line."""

import sys

from backupify_async._cli import main

if __name__ == "__main__":
    sys.exit(main())
