"""Opens the page in the browser of whoever has started `relayline dev`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from threading import Thread

from relayline.runtime.hiding import without_secrets

_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


def open_page(url: str, tell: Callable[[str], None]) -> Thread:
    """Open it in the background, and tell people if that can't be done.

    The browser gets neither this terminal nor the secrets of its environment.
    """
    thread = Thread(target=_open, args=(url, tell), name="open the page", daemon=True)
    thread.start()
    return thread


def _open(url: str, tell: Callable[[str], None]) -> None:
    done = subprocess.run(  # noqa: S603  the command is ours, and there is no shell
        (sys.executable, "-P", "-c", _OPEN, url),
        env=without_secrets(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        tell(f"no browser was found to open {url}")
