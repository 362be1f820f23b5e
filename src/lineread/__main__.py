"""``python -m lineread``: the command line."""

from lineread.cli import script

script()
