"""A test kit for agents: runs them in this process, with scripted models and faked tools.

A run is the real workflow with its real activities and journal, on a Temporal server that lives in
memory for as long as the `AgentRunner`. Nothing is left behind.
"""

from relayline.testing.runner import AgentRunner
from relayline.testing.script import Answer, Script, ScriptEnded, call, fail, say, think
from relayline.testing.under_test import Refused, RunUnderTest, StillRunning

__all__ = [
    "AgentRunner",
    "Answer",
    "Refused",
    "RunUnderTest",
    "Script",
    "ScriptEnded",
    "StillRunning",
    "call",
    "fail",
    "say",
    "think",
]
