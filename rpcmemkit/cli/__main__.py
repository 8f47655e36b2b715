"""``python -m rpcmemkit.cli``."""

import sys

from rpcmemkit.cli import main

sys.exit(main())
