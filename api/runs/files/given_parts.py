"""Looks up the files that parts name, and has the run name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relayline.api.errors import InvalidField
from relayline.catalog.media import MAX_TEXT_BYTES, is_text, taken_by, takes_url
from relayline.contracts.commands import Redirect, Saying, SendMessage
from relayline.contracts.files.parts import FilePart, Part, files_in
from relayline.contracts.runs import RunInput
from relayline.journal.files.file_port import StoredFile
from relayline.journal.table import Storage, Tenant


class GivenParts:
    """Completes the parts of inputs, histories, messages and redirects.

    From then on the files live as long as the run. Only files of the asking tenant are found.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def of_run(self, tenant: Tenant, run: RunInput, field: str = "input") -> RunInput:
        """The run with what is known of its files, those of its history among them.

        Args:
            tenant: Whose files count.
            run: The run.
            field: Of the request, where the run's own parts stand.

        Raises:
            InvalidField: there is no such file, or the run's model does not take it.
            JournalUnavailable: the storage did not answer.
        """
        history = run.past.history if run.past else ()
        places = {f"history.{index}.content": said.parts for index, said in enumerate(history)}
        given = {name: parts for name, parts in {field: run.parts, **places}.items() if parts}
        if not given:
            return run
        found = await self._completed(tenant, run.run_id, run.agent.model, given)
        past = run.past
        if past and history:
            said = zip(history, places, strict=True)
            known = [it.model_copy(update={"parts": found.get(place, ())}) for it, place in said]
            past = past.model_copy(update={"history": tuple(known)})
        return run.model_copy(update={"parts": found.get(field, ()), "past": past})

    async def of_message(self, tenant: Tenant, run_id: str, message: Saying) -> Saying:
        """The message with what is known of its files.

        Raises:
            InvalidField, JournalUnavailable: as `of_run`.
        """
        if not message.parts:
            return message
        listed = await self._storage.listed(tenant, run_id)
        model = (listed.row.model if listed else None) or ""
        field = "message" if isinstance(message, Redirect) else "content"
        if isinstance(message, SendMessage) and message.spec:
            model = message.spec.model
        found = await self._completed(tenant, run_id, model, {field: message.parts})
        return message.model_copy(update={"parts": found[field]})

    async def _completed(
        self, tenant: Tenant, run_id: str, model: str, given: Mapping[str, Sequence[Part]]
    ) -> dict[str, tuple[Part, ...]]:
        """The parts with what is known of their files, by the fields in which they stand."""
        files = [part for parts in given.values() for part in files_in(parts) if part.file_id]
        ids = {part.file_id for part in files}
        found = {it: file for it in ids if (file := await self._storage.files.find(tenant, it))}
        complete = {
            field: tuple(
                _complete(part, found.get(part.file_id), (model, f"{field}.{index}"))
                if isinstance(part, FilePart)
                else part
                for index, part in enumerate(parts)
            )
            for field, parts in given.items()
        }
        named = await self._storage.files.name(tenant, run_id, [*ids]) if ids else {}
        for field, parts in complete.items():
            for index, part in enumerate(parts):
                if isinstance(part, FilePart) and part.file_id and part.file_id not in named:
                    raise _unknown(part.file_id, f"{field}.{index}")  # it has just expired
        return complete


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
