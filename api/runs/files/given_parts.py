"""Looks up the files that parts name, and has the run name them."""

from __future__ import annotations

from collections.abc import Sequence

from relayline.api.errors import InvalidField
from relayline.catalog.media import MAX_TEXT_BYTES, is_text, taken_by, takes_url
from relayline.contracts.commands import SendMessage
from relayline.contracts.files.parts import FilePart, Part, files_in
from relayline.contracts.runs import RunInput
from relayline.journal.files.file_port import StoredFile
from relayline.journal.table import Storage, Tenant


class GivenParts:
    """Completes the parts of inputs and messages.

    From then on the files live as long as the run. Only files of the asking tenant are found.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def of_run(self, tenant: Tenant, run: RunInput) -> RunInput:
        """The run with what is known of its files.

        Raises:
            InvalidField: there is no such file, or the run's model does not take it.
            JournalUnavailable: the storage did not answer.
        """
        if not run.parts:
            return run
        parts = await self._completed(tenant, run.run_id, run.parts, (run.agent.model, "input"))
        return run.model_copy(update={"parts": parts})

    async def of_message(self, tenant: Tenant, run_id: str, message: SendMessage) -> SendMessage:
        """The message with what is known of its files.

        Raises:
            InvalidField, JournalUnavailable: as `of_run`.
        """
        if not message.parts:
            return message
        listed = await self._storage.listed(tenant, run_id)
        model = message.spec.model if message.spec else (listed.row.model or "" if listed else "")
        parts = await self._completed(tenant, run_id, message.parts, (model, "content"))
        return message.model_copy(update={"parts": parts})

    async def _completed(
        self, tenant: Tenant, run_id: str, parts: Sequence[Part], asked: tuple[str, str]
    ) -> tuple[Part, ...]:
        model, field = asked
        ids = {part.file_id for part in files_in(parts) if part.file_id}
        found = {it: file for it in ids if (file := await self._storage.files.find(tenant, it))}
        complete = [
            _complete(part, found.get(part.file_id), (model, f"{field}.{index}"))
            if isinstance(part, FilePart)
            else part
            for index, part in enumerate(parts)
        ]
        named = await self._storage.files.name(tenant, run_id, [*ids]) if ids else {}
        for index, part in enumerate(complete):
            if isinstance(part, FilePart) and part.file_id and part.file_id not in named:
                raise _unknown(part.file_id, f"{field}.{index}")  # it has just expired
        return tuple(complete)


def _complete(part: FilePart, file: StoredFile | None, asked: tuple[str, str]) -> FilePart:
    """The part with what is known of its file.

    Raises:
        InvalidField: there is none, or the model does not take it.
    """
    model, field = asked
    if part.url:
        if not taken_by(model) and not takes_url(model, part.type) and part.type == "image":
            raise _not_taken(model, "images", field)
        return part
    if file is None:
        raise _unknown(part.file_id, field)
    if part.type == "image" and not file.type.startswith("image/"):
        raise InvalidField(
            f"{field}.type: {file.file_id} is no image but {file.type}; name it as `file`",
            slug="file-type",
            field=f"{field}.type",
        )
    if is_text(file.type) and file.size > MAX_TEXT_BYTES:
        raise InvalidField(
            f"{field}: a text of {file.size} bytes; models are given at most {MAX_TEXT_BYTES}",
            slug="file-too-large",
            field=field,
            limit=MAX_TEXT_BYTES,
        )
    if not is_text(file.type) and file.type not in taken_by(model):
        raise _not_taken(model, file.type, field)
    known = {"name": file.name, "media_type": file.type, "size": file.size, "sha256": file.sha256}
    return part.model_copy(update=known)


def _unknown(file_id: str, field: str) -> InvalidField:
    return InvalidField(
        f"{field}.file_id: no file {file_id!r}; unnamed ones expire after 24 hours",
        slug="unknown-file",
        field=f"{field}.file_id",
    )


def _not_taken(model: str, what: str, field: str) -> InvalidField:
    taken = sorted(taken_by(model))
    also = f"; it takes text and {', '.join(taken)}" if taken else "; it takes text only"
    return InvalidField(
        f"{field}: {model} does not take {what}{also}",
        slug="part-not-taken",
        field=field,
        known=[*taken],
    )
