"""Stands in for a worker: leaves its environment and a note when it has drained."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

data_dir = Path(os.environ["RELAYLINE_DATA_DIR"])
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
fresh = data_dir / f"worker-env.{os.getpid()}"
fresh.write_text(json.dumps(dict(os.environ)))
fresh.replace(data_dir / "worker-env.json")  # there, and whole, from now on
signal.sigwait({signal.SIGTERM})
if "--stubborn" in sys.argv:
    (data_dir / "refused").touch()
    signal.sigwait({signal.SIGTERM})
(data_dir / "drained").touch()
