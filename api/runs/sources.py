"""What tells how runs stand, composed once for all who ask: the API, submitters, housekeepers."""

from __future__ import annotations

from typing import NamedTuple

from temporalio.client import Client

from relayline.api.runs.views import LinkMaker, Views
from relayline.api.temporal.attention import Attention
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import StuckRuns, WorkerProbe
from relayline.api.temporal.terminal import TerminalFacts
from relayline.api.temporal.workers import Workers
from relayline.journal.table import Storage


class Sources(NamedTuple):
    """The parts, on one Temporal and one storage."""

    gateway: Gateway
    workers: Workers
    probe: WorkerProbe
    terminal_facts: TerminalFacts
    stuck_runs: StuckRuns
    attention: Attention
    links: LinkMaker
    views: Views


def sources_of(
    client: Client, storage: Storage, temporal_ui: str = "", page_url: str = ""
) -> Sources:
    """Compose them; nothing is asked yet.

    Args:
        client: Of the Temporal that has the runs.
        storage: The journal of the runs, and their rows.
        temporal_ui: Address of Temporal's own pages, for links; empty: no links to them.
        page_url: Address of our page, for the link to it in Temporal's; empty: no link.
    """
    gateway, workers = Gateway(client, page_url), Workers(client)
    probe, ends = WorkerProbe(gateway), TerminalFacts(storage, gateway)
    stuck_runs = StuckRuns(gateway, probe, workers, storage)
    attention = Attention(storage, gateway, probe, stuck_runs)
    links = LinkMaker(temporal_ui, client.namespace)
    views = Views(storage, gateway, links, ends, stuck_runs)
    return Sources(gateway, workers, probe, ends, stuck_runs, attention, links, views)
