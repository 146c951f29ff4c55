"""One of several API processes; started by `relayline.api.serving.processes`, not by hand."""

from __future__ import annotations

import sys
from functools import partial

from relayline.api.app import FORESEEN, serve_part
from relayline.api.serving.processes import Part
from relayline.wiring import run_process


def main() -> None:
    """Be the process that the command line describes."""
    run_process("api", partial(serve_part, part=Part.parse(sys.argv[1:])), *FORESEEN)


if __name__ == "__main__":
    main()
