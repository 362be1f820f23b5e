"""``python -m lineread``: the command line."""

import sys

from lineread.cli import main

sys.exit(main())
