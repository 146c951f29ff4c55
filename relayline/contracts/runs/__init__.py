"""A run: its input, its state as others see it, and its result."""

from __future__ import annotations

from relayline.contracts.runs.figures import (
    FIRST_STEP,
    MEMO_PROGRESS,
    MEMO_REQUEST,
    SEARCH_AGENT,
    SEARCH_STATUS,
    SEARCH_TENANT,
    Carried,
    KeptFigures,
    RunFigures,
    RunMemo,
    RunProgress,
    Standing,
    WorkFigures,
)
from relayline.contracts.runs.model_choice import ModelChoice, ModelSettings
from relayline.contracts.runs.output import OutputType
from relayline.contracts.runs.past import EditedResult, ForkedFrom, Past, ResultEdit, Said
from relayline.contracts.runs.run_input import (
    DEFAULT_TENANT,
    MIDDLE_PRIORITY,
    MODELS_QUEUE,
    RUN_ID_PATTERN,
    TASK_QUEUE,
    ParentCall,
    RunInput,
    RunRequestMemo,
    RunResult,
)
from relayline.contracts.runs.spec import (
    AgentSpec,
    ApprovalRule,
    Limits,
    ToolSpec,
)
from relayline.contracts.runs.status import (
    TERMINAL,
    Phase,
    RunError,
    RunStatus,
    TurnStatus,
    Waiting,
)

__all__ = [
    "DEFAULT_TENANT",
    "FIRST_STEP",
    "MEMO_PROGRESS",
    "MEMO_REQUEST",
    "MIDDLE_PRIORITY",
    "MODELS_QUEUE",
    "RUN_ID_PATTERN",
    "SEARCH_AGENT",
    "SEARCH_STATUS",
    "SEARCH_TENANT",
    "TASK_QUEUE",
    "TERMINAL",
    "AgentSpec",
    "ApprovalRule",
    "Carried",
    "EditedResult",
    "ForkedFrom",
    "KeptFigures",
    "Limits",
    "ModelChoice",
    "ModelSettings",
    "OutputType",
    "ParentCall",
    "Past",
    "Phase",
    "ResultEdit",
    "RunError",
    "RunFigures",
    "RunInput",
    "RunMemo",
    "RunProgress",
    "RunRequestMemo",
    "RunResult",
    "RunStatus",
    "Said",
    "Standing",
    "ToolSpec",
    "TurnStatus",
    "Waiting",
    "WorkFigures",
]
