"""The files of each adapter."""

from __future__ import annotations

from pathlib import Path

from relayline.journal.access.stored_keys import Run
from relayline.journal.files.chunks import FolderChunks, TableChunks
from relayline.journal.files.file_port import Files
from relayline.journal.files.file_seals import FileSeals
from relayline.journal.files.stored_files import StoredFiles
from relayline.journal.tenants.tenant_keys import NoRing, Ring
from relayline.journal.tenants.vault import Vault

END = "-files"
"""Of the folder's name, which else is that of the journal's file; no file tool shows it."""


def files_in_folder(run: Run, journal: Path, vault: Vault, ring: Ring | None) -> Files:
    """Files whose pieces are in a folder beside that journal."""
    chunks = FolderChunks(journal.with_name(journal.name + END))
    return StoredFiles(run, chunks, FileSeals(vault, ring or NoRing()))


def files_in_table(run: Run, vault: Vault, ring: Ring | None) -> Files:
    """Files whose pieces are in a table of the database."""
    return StoredFiles(run, TableChunks(run), FileSeals(vault, ring or NoRing()))
