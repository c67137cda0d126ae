"""The command `syncer`."""

import sys

from syncer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
