"""A worker process's part in starting runs: a Temporal worker for batches and schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig

from relayline.activities.batches import BatchActivities
from relayline.activities.submissions import SubmissionActivities
from relayline.api.runs.admission.quotas import RunQuotas
from relayline.api.runs.files.given_parts import GivenParts
from relayline.api.runs.receivers import NamedReceivers
from relayline.api.runs.schedules import ScheduledSubmission
from relayline.api.runs.sources import sources_of
from relayline.api.runs.submission import Submission
from relayline.api.serving.metrics import Metrics
from relayline.api.signing.parts import Signing
from relayline.catalog.agents import Catalog
from relayline.contracts.access.quotas import parse_quotas
from relayline.contracts.submissions.batches import SUBMISSIONS_QUEUE
from relayline.journal.table import Storage
from relayline.runtime.secret import load_secrets
from relayline.runtime.settings import Settings
from relayline.side_worker import Duty, side_worker
from relayline.wiring import build_validator, receiver_rules
from relayline.workflows.submissions.batch import Batch
from relayline.workflows.submissions.submit import Submit

SLOTS = 8
"""Activities of batches that one worker runs at a time; as many workflow tasks."""


def submitter(
    client: Client,
    storage: Storage,
    settings: Settings,
    catalog: Catalog,
    deployment: WorkerDeploymentConfig | None = None,
) -> Worker:
    """A worker for batches and schedules; not yet started.

    Args:
        client: Of the Temporal that has the runs.
        storage: The journal of the runs.
        settings: With the limits of a request.
        catalog: Today's, which the runs of schedules are checked against.
        deployment: The build of the worker; None without versioning.
    """
    sources = sources_of(client, storage, page_url=settings.page_url)
    gateway, views = sources.gateway, sources.views
    signing = Signing.of(load_secrets(settings, make=bool(settings.auth_modes)))
    batches = BatchActivities(storage, gateway, proofs=signing.proofs)
    validator = build_validator(settings, catalog.agents)
    receivers = NamedReceivers(storage.webhooks, receiver_rules(settings))
    quotas = RunQuotas(storage, parse_quotas(settings.quotas))
    ids, metrics = signing.ids, Metrics()
    parts = GivenParts(storage)
    admitting = (receivers, quotas, ids, parts)
    submission = Submission(validator, storage, gateway, views, metrics, *admitting)
    scheduled = SubmissionActivities(storage, ScheduledSubmission(submission, ids).submit)
    activities: list[Callable[..., Any]] = [
        batches.start_chunk,
        batches.cancel_chunk,
        scheduled.submit_run,
        scheduled.see_end,
    ]
    duty = Duty(SUBMISSIONS_QUEUE, [Batch, Submit], activities, SLOTS)
    return side_worker(client, duty, deployment)
