"""How Temporal knows a worker's code: by the build it is part of, or by the code's own id."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from temporalio.worker import WorkerDeploymentConfig

import relayline

_DIGITS = 12


class Build(TypedDict, total=False):
    """One of two arguments of a worker."""

    deployment_config: WorkerDeploymentConfig
    build_id: str


def build_of(deployment: WorkerDeploymentConfig | None) -> Build:
    """The configured build; without one, `code_id`, so that Temporal's library makes no id up.

    Its own way is to compile the source of every loaded module.
    """
    if deployment:
        return Build(deployment_config=deployment)
    return Build(build_id=code_id())


@cache
def code_id() -> str:
    """`VERSION+DIGEST` of the installed relayline, e.g. `0.1.0+3f2a9c41d07b`.

    Two processes have the same id only if every module of `relayline` has the same text. The user's
    catalog and the libraries are not part of it. Temporal shows it in histories; it chooses no
    worker by it.
    """
    return f"{version('relayline')}+{_digest(Path(next(iter(relayline.__path__))))}"


def _digest(package: Path) -> str:
    """Of the names and texts of all modules; linked folders count as folders."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(package, followlinks=True):
        folders[:] = sorted(it for it in folders if it != "__pycache__")
        for name in sorted(files):
            if name.endswith(".py"):
                file = Path(folder, name)
                text = file.read_bytes()
                digest.update(f"{file.relative_to(package)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:_DIGITS]
