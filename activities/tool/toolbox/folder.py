"""The folder that file tools can access: nothing outside it, no secrets, no links followed."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from relayline.catalog.tools import ToolError
from relayline.contracts.principals import TENANT_PATTERN
from relayline.contracts.runs import DEFAULT_TENANT

TENANTS = ".tenants"
"""Folder of the tenants' own folders in the files root."""
HIDDEN_NAMES = (
    *(".env*", "*.env", ".git", ".git-credentials", ".ssh", ".gnupg", ".aws", ".kube", ".docker"),
    *(".netrc", ".pgpass", ".npmrc", ".pypirc"),
    *("*.pem", "*.key", "*.ppk", "*.p12", "*.pfx", "*.jks"),
    *("id_rsa*", "id_ed25519*", "id_ecdsa*", "id_dsa*"),
    TENANTS,
)
"""Files and folders that file tools never see, in any case and at any depth."""
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Parts = tuple[str, ...]
"""A path relative to the root, without links and `..`."""
_Id = tuple[int, int]


class Entry(NamedTuple):
    """A visible name in a folder."""

    name: str
    is_folder: bool
    is_file: bool
    """True for a regular file; links, pipes and devices are neither."""


class Folder:
    """A folder that refuses paths leading out of it, and paths to secrets.

    Links inside the folder work as long as they lead to something visible inside it.
    """

    def __init__(self, root: Path, hidden: Iterable[Path] = (), *, by_tenant: bool = False) -> None:
        """Touch nothing yet.

        Args:
            root: The folder.
            hidden: Files and folders that are hidden, too, whatever they are called in it.
            by_tenant: Each tenant has a folder of its own in it.
        """
        self._given = root
        self._hidden = tuple(hidden)
        self._by_tenant = by_tenant

    def of(self, tenant: str) -> Folder:
        """The folder of that tenant, made if it is not there; the default one has this folder.

        No tenant sees the folder of another.

        Raises:
            ToolError: it has none, because a folder can't have its name.
            OSError: it can't be made.
        """
        if not self._by_tenant or tenant == DEFAULT_TENANT:
            return self
        if not re.fullmatch(TENANT_PATTERN, tenant):
            raise ToolError(f"the tenant {tenant[:100]!r} has no files", retryable=False)
        own = self.root / TENANTS / tenant
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Folder(own, self._hidden)

    @property
    def root(self) -> Path:
        """The absolute path of the folder, with symbolic links resolved."""
        return self._given.resolve()

    @contextmanager
    def view(self) -> Iterator[View]:
        """The folder, open.

        Raises:
            OSError: it can't be opened.
        """
        root = self.root
        root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield View(root, root_fd, self._hidden)
        finally:
            os.close(root_fd)


class View:
    """An open folder: every component is opened relative to its parent, and no link is followed.

    A path that changes between check and use therefore leads nowhere else.
    """

    def __init__(self, root: Path, root_fd: int, hidden: tuple[Path, ...]) -> None:
        self._root = root
        self._root_fd = root_fd
        self._hidden_places = hidden
        self._hidden = frozenset(_ids(hidden))

    def parts(self, path: str) -> Parts:
        """The path relative to the root, with links resolved.

        Raises:
            ToolError: the path is invalid, outside the folder, or hidden.
        """
        try:
            resolved = (self._root / path).resolve()
            resolved.exists()  # raises if the system does not accept the path
        except (OSError, RuntimeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            message = f"{path[:200]!r} can't be used as a path: {reason}"
            raise ToolError(message, retryable=False) from error
        if not resolved.is_relative_to(self._root):
            raise ToolError(
                f"{path!r} is outside the files root; give a path relative to it", retryable=False
            )
        parts = resolved.relative_to(self._root).parts
        if any(map(_hidden_name, (*parts, *Path(path).parts))) or self._leads_to_hidden(parts):
            raise ToolError(
                f"{path!r} is hidden: file tools see no keys, no .env and .git, and none of "
                "Relayline's own data",
                retryable=False,
            )
        return parts

    def stat(self, parts: Parts) -> os.stat_result:
        """What stands there, a link as itself.

        Raises:
            OSError: nothing does, or it is hidden.
        """
        if not parts:
            return os.fstat(self._root_fd)
        with self._parent(parts) as parent:
            return self._visible(os.stat(parts[-1], dir_fd=parent, follow_symlinks=False))

    @contextmanager
    def open(self, parts: Parts) -> Iterator[int]:
        """A descriptor of the regular file or the folder, for reading.

        Raises:
            OSError: there is neither, or it can't be opened, or it is hidden.
        """
        _check_kind(self.stat(parts))  # opening a pipe or a device may have an effect
        with self._parent(parts) as parent:
            opened = os.open(parts[-1] if parts else ".", _READ, dir_fd=parent)
        try:
            _check_kind(self._visible(os.fstat(opened)))
            yield opened
        finally:
            os.close(opened)

    def entries(self, parts: Parts) -> list[Entry]:
        """The visible names in the folder, sorted.

        Raises:
            OSError: it can't be read.
        """
        with self.open(parts) as folder, os.scandir(folder) as entries:
            return sorted(
                Entry(
                    entry.name,
                    entry.is_dir(follow_symlinks=False),
                    entry.is_file(follow_symlinks=False),
                )
                for entry in entries
                if not self._hides(entry)
            )

    def replace(self, parts: Parts, data: bytes, draft: str) -> None:
        """Write a regular file atomically, so that nobody ever sees half of it; keeps its mode.

        Args:
            parts: Where; missing folders are made.
            data: The new content.
            draft: A free name for the file until it is whole.

        Raises:
            OSError: it can't be written, or something else stands there.
        """
        if not parts:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with self._parent(parts, make=True) as parent:
            mode = self._mode(parts[-1], parent)
            opened = os.open(draft, _DRAFT, 0o666, dir_fd=parent)
            try:
                with os.fdopen(opened, "wb") as file:
                    if mode is not None:
                        os.fchmod(opened, mode)
                    file.write(data)
                os.replace(draft, parts[-1], src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                os.unlink(draft, dir_fd=parent)
                raise

    def _mode(self, name: str, parent: int) -> int | None:
        """The mode of the file, None if there is none yet."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _check_kind(self._visible(found))
        return stat.S_IMODE(found.st_mode)

    @contextmanager
    def _parent(self, parts: Parts, *, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder that has the last part."""
        opened = os.dup(self._root_fd)
        try:
            for part in parts[:-1]:
                if make:
                    _make_folder(part, opened)
                below = os.open(part, _PASS, dir_fd=opened)
                os.close(opened)
                opened = below
                self._visible(os.fstat(opened))
            yield opened
        finally:
            os.close(opened)

    def _leads_to_hidden(self, parts: Parts) -> bool:
        """True if the path, or what it leads through, is one of the hidden places."""
        places = (self._root.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1))
        return any(place in self._hidden for place in _ids(places))

    def _visible(self, found: os.stat_result) -> os.stat_result:
        """The same; a hidden place counts as absent, and so does another name of a file in it."""
        own = (found.st_dev, found.st_ino)
        if own in self._hidden or (_several_names(found) and own in self._hidden_files):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return found

    @cached_property
    def _hidden_files(self) -> frozenset[_Id]:
        """The files in the hidden places."""
        walks = (os.walk(place) for place in self._hidden_places)
        files = (
            Path(folder, name) for walk in walks for folder, _, names in walk for name in names
        )
        return frozenset(_ids(files))

    def _hides(self, entry: os.DirEntry[str]) -> bool:
        if _hidden_name(entry.name):
            return True
        try:
            self._visible(entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return True
        return False


def _hidden_name(name: str) -> bool:
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern) for pattern in HIDDEN_NAMES)


def _several_names(found: os.stat_result) -> bool:
    """True for a file with hard links."""
    return found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode)


def _ids(places: Iterable[Path]) -> Iterator[_Id]:
    """Device and inode of each place that exists."""
    for place in places:
        try:
            found = place.stat()
        except OSError:
            continue
        yield found.st_dev, found.st_ino


def _make_folder(name: str, parent: int) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return


def _check_kind(found: os.stat_result) -> None:
    """Refuse whatever is neither a regular file nor a folder."""
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise FileNotFoundError(errno.ENOENT, "it is not a regular file")
