"""What is asked and answered in the pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

Call = tuple[str, dict[str, Any]]


class Answer(NamedTuple):
    """What the model says in one step."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thought: str = ""
    busy: bool = False
    """The provider refuses the first attempt."""
    every_s: float = 0.02
    """Seconds from word to word."""


class Asked(NamedTuple):
    """A run of the pictures."""

    agent: str
    text: str
    metadata: dict[str, str]
    answers: tuple[Answer, ...]


ESPRESSO = Asked(
    "support",
    "My espresso machine arrived broken. I'd like my money back. (order A-20417)",
    {"region": "eu", "ticket": "ZD-48213", "channel": "email"},
    (
        Answer(
            "I look up the **order**, the parcel and what our policy says.",
            (
                ("search_orders", {"customer": "ines@example.com", "since": "2026-10-01"}),
                ("carrier_status", {"order": "A-20417"}),
                ("policy_lookup", {"topic": "damaged in transit"}),
            ),
            "A refund needs the order, what the carrier says, and the policy.",
        ),
        Answer(
            "The carrier confirms it: order **A-20417** (184.90 EUR) was *damaged in transit* on "
            "14 November, and [handbook §4.2](https://intranet.example/handbook) allows a full "
            "refund up to 250 EUR.\n\n"
            "| check | result |\n|---|---|\n| order found | A-20417, 12 Nov |\n"
            "| carrier | damaged in transit |\n| policy | §4.2, refund allowed |\n\n"
            "Issuing the refund now.",
            (
                (
                    "refund",
                    {
                        "order": "A-20417",
                        "amount": 184.9,
                        "reason": "damaged in transit, handbook 4.2",
                        "currency": "EUR",
                        "notify_customer": True,
                    },
                ),
            ),
            "All three agree, so I refund the whole amount.",
            busy=True,
        ),
    ),
)
TEAM = {"team": "platform"}
NAP: Call = ("sleep", {"seconds": 600})
OTHERS = (
    Asked(
        "support",
        "Where is my parcel? (order A-20402)",
        {"region": "us", "ticket": "ZD-48190"},
        (
            Answer("I ask the carrier.", (("carrier_status", {"order": "A-20402"}),)),
            Answer("Your parcel was damaged on its way; a new one leaves today."),
        ),
    ),
    Asked(
        "releaser",
        "Draft the release notes of 1.4.0 from CHANGELOG.md",
        TEAM | {"release": "1.4.0"},
        (
            Answer("I read the changelog.", (("read_file", {"path": "CHANGELOG.md"}),)),
            Answer(
                "One line is unclear.",
                (
                    (
                        "ask_user",
                        {"question": "Is “builds are pinned” a feature or a fix for the notes?"},
                    ),
                ),
            ),
        ),
    ),
    Asked(
        "releaser",
        "Write notes/1.4.0.md for the docs site",
        TEAM | {"release": "1.4.0"},
        (
            Answer(
                "Here is the page.",
                (("write_file", {"path": "notes/1.4.0.md", "content": "# 1.4.0\n\n- Builds …"}),),
            ),
        ),
    ),
    Asked(
        "researcher",
        "What does docs/reliability.md promise? Say it in one sentence.",
        TEAM,
        (
            Answer("", (("read_file", {"path": "docs/reliability.md"}),)),
            Answer("An accepted run ends, whatever dies meanwhile, and nothing is told twice."),
        ),
    ),
    Asked(
        "researcher",
        "Wait for the nightly build and say how it went",
        TEAM | {"branch": "main"},
        (Answer("I wait for the build.", (NAP,)),),
    ),
    Asked(
        "researcher",
        "Compare every decision record with the code, oldest first",
        {"team": "docs"},
        (Answer("word " * 4000, every_s=0.2),),
    ),
)
ALL = (ESPRESSO, *OTHERS)
