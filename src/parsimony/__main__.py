"""``parsimony`` and ``python -m parsimony``: the command line, which can be stopped from the start.

Signals are listened to before anything heavy is imported.
"""

from __future__ import annotations

import os

try:
    from parsimony.stopping import run
except KeyboardInterrupt:
    os.write(2, b"error: interrupted; nothing was written yet: repeat the command\n")
    os._exit(130)

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 wrong usage or input."""
    run(_command_line)


def _command_line() -> None:
    from parsimony.cli import app

    app()


if __name__ == "__main__":
    main()
