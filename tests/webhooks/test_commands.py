"""`relayline webhook …` from registration to removal, as docs/webhooks.md shows it."""

from __future__ import annotations

import asyncio
import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from relayline.cli import app
from relayline.console.exit import Failure
from tests.api.serving import Api
from tests.console.test_cli import Ended, relayline
from tests.docs.pages import ROOT, blocks
from tests.webhooks.receiving import answers, receiving
from tests.webhooks.test_telling import settled, submitted

PAGE = ROOT / "docs" / "webhooks.md"
KEEP = "keep the secret: it is not shown again\n"


async def webhook(api: Api, *words: str) -> Ended:
    """What the command says; in this process, but for how a failure is shown."""
    given = ("webhook", *words, "--url", str(api.http.base_url))
    done = await asyncio.to_thread(CliRunner().invoke, app, given)
    if isinstance(done.exception, Failure):
        return Ended(1, "", str(done.exception))
    return Ended(done.exit_code, done.stdout, done.stderr)


@pytest.mark.slow
async def test_a_receiver_from_registration_to_removal(api: Api) -> None:
    async with receiving() as receiver:
        made = await webhook(api, "create", receiver.url, "--event", "run.queued")
        id_, secret = made.out.splitlines()
        assert made == Ended(0, f"{id_}\n{secret}\n", KEEP)
        listed = (await webhook(api, "list")).out.splitlines()
        assert f"{id_}  {receiver.url}  run.queued  all agents  told" in listed
        assert secret not in "".join(listed)
        tested = await webhook(api, "test", id_)
        assert (tested.code, tested.out[:22]) == (0, "taken: it answered 200")
        receiver.got[0].verify(secret)
        rotated = await webhook(api, "rotate", id_)
        assert rotated.out.startswith("whsec_")
        assert re.fullmatch(rf"{KEEP}until .+ UTC the old secret signs, too\n", rotated.err)
        run = await submitted(api)
        await settled(api, id_, 1, "delivered")
        receiver.got[1].verify(rotated.out.strip())
        told = await webhook(api, "deliveries", id_, "--run", run, "--state", "delivered")
        delivery, *rest = told.out.split("  ")
        assert rest == [run, "run.queued", "delivered", "1 try\n"]
        again = await webhook(api, "redeliver", delivery)
        assert "  pending  1 try  next " in again.out
        await receiver.has(3)
        assert await webhook(api, "delete", id_) == Ended(0, "", "")
        gone = await webhook(api, "deliveries", id_)
        assert (gone.code, id_ in gone.err) == (1, True)


@pytest.mark.slow
async def test_what_is_wrong_with_a_receiver_is_said(api: Api) -> None:
    async with receiving(answers("410 Gone")) as receiver:
        made = await webhook(api, "create", receiver.url, "--agent", "assistant", "--tenant", "t-1")
        id_ = made.out.splitlines()[0]
        tested = await webhook(api, "test", id_)
        assert (tested.code, tested.out[:26]) == (1, "not taken: it answered 410")
        run = await submitted(api, metadata={"tenant": "t-1"})
        await settled(api, id_, 2, "disabled")
        [line] = [it for it in (await webhook(api, "list")).out.splitlines() if id_ in it]
        assert "  all events  assistant  disabled since " in line
        assert "it answered 410" in line
        told = (await webhook(api, "deliveries", id_)).out.splitlines()
        assert [it.split("  ")[1:4] for it in told] == [
            [run, "run.completed", "disabled"],
            [run, "run.queued", "disabled"],
        ]
        assert "1 try, it answered 410" in told[1]
        receiver.answer = answers()
        assert (await webhook(api, "enable", id_)).out.endswith("  told\n")
        await settled(api, id_, 2, "delivered")
        await webhook(api, "delete", id_)


@pytest.mark.slow
async def test_what_the_api_refuses_is_one_line(api: Api) -> None:
    url = str(api.http.base_url)
    refused = await relayline("webhook", "create", "https://10.0.0.1/", "--url", url)
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "not a public address" in refused.err
    for words in (("test", "wh_x"), ("enable", "wh_x"), ("rotate", "wh_x"), ("delete", "wh_x")):
        assert "wh_x" in (await webhook(api, *words)).err
    assert "dlv_x" in (await webhook(api, "redeliver", "dlv_x")).err
    assert "state" in (await webhook(api, "deliveries", "wh_x", "--state", "odd")).err


def test_the_page_names_every_command() -> None:
    shown = re.findall(r"^relayline webhook (\w+)", "\n".join(blocks(PAGE, "sh")), re.MULTILINE)
    group = getattr(get_command(app), "commands", {})["webhook"]
    assert sorted(shown) == sorted(group.commands)
