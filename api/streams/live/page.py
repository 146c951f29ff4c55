"""One live page: what it follows, and the frames that it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relayline.api.streams.feed import Channel
from relayline.api.streams.live.boards import Boards, Shown
from relayline.api.streams.subscriber import Subscriber
from relayline.api.streams.viewer import Viewer
from relayline.projections.selection import Selection

_NO_ID, _LOST_ID, _DATA = b"event: ", b"id:\n", b"data: "


class LivePage(Subscriber):
    """Sends each change of its boards, and every event of its runs, in the order of each run."""

    def __init__(self, boards: Boards, cursors: Mapping[str, int]) -> None:
        """Create a page that follows nothing yet.

        Args:
            boards: Where the page leaves at its end.
            cursors: The cursor of each run that it follows.
        """
        super().__init__()
        self.shown: Sequence[Shown] = ()
        self.runs: list[Viewer] = []
        self._boards = boards
        self._cursors = dict(cursors)

    async def next_chunk(self) -> bytes | None:
        """All frames that are ready; None when a board has failed, so that the client returns."""
        if any(shown.board.failed for shown in self.shown):
            return None
        frames = [shown.frame() for shown in self.shown]
        for run in tuple(self.runs):
            chunk = await run.next_chunk()
            if chunk is None:
                self.runs.remove(run)
                run.leave()
            else:
                frames += [self._frame(run, text) for text in chunk.split(b"\n\n")[:-1]]
        return b"".join(frames)

    def leave(self) -> None:
        """Follow nothing any more."""
        self._boards.leave(self)
        for run in self.runs:
            run.leave()

    def _frame(self, run: Viewer, frame: bytes) -> bytes:
        """A frame of the run's own stream as one of this page; its id has the cursors of all runs.

        Notices have none, as in the run's own stream; that of lost events sets the cursor to 0.
        """
        head, _, data = frame.partition(_DATA)
        if head.startswith(_NO_ID):
            return b"event: run.event\ndata: %s\n\n" % data
        lost = head.startswith(_LOST_ID)
        seq = 0 if lost else int(head[4 : head.index(b"\n")])
        self._cursors[run.channel.run_id] = seq
        joined = ",".join(f"{run_id}:{seq}" for run_id, seq in self._cursors.items()).encode()
        return b"id: %s\nevent: run.event\ndata: %s\n\n" % (joined, data)


class FollowedRun(Viewer):
    """A run on a page: wakes the page in its own place."""

    def __init__(
        self, page: LivePage, channel: Channel, position: int, selection: Selection | None
    ) -> None:
        self._live = page
        super().__init__(channel, position, selection)

    def wake(self) -> None:
        """Wake the page."""
        self._live.wake()
