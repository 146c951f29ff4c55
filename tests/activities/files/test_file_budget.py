"""The memory of a worker for files."""

from __future__ import annotations

import asyncio

from relayline.activities.files.file_budget import FileBudget


async def test_who_asks_for_more_than_is_left_waits_in_turn() -> None:
    budget, order, let_go = FileBudget(100), list[int](), asyncio.Event()

    async def hold(size: int) -> None:
        async with budget.held(size):
            order.append(size)
            assert budget.lent <= budget.limit
            await let_go.wait()

    tasks = [asyncio.create_task(hold(size)) for size in (60, 50, 30, 100)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert order == [60], "30 would fit, but 50 came first"
    let_go.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)
    assert order == [60, 50, 30, 100]
    assert budget.lent == 0


async def test_who_gives_up_holds_nothing_and_lets_others_in() -> None:
    budget = FileBudget(100)
    async with budget.held(60):
        large = asyncio.create_task(_held(budget, 50))
        small = asyncio.create_task(_held(budget, 40))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not small.done()
        large.cancel()
        async with asyncio.timeout(30):
            await small
    assert budget.lent == 0


async def test_who_gives_up_as_its_turn_comes_holds_nothing() -> None:
    budget = FileBudget(100)
    async with budget.held(100):
        waiting = asyncio.create_task(_held(budget, 100))
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert budget.lent == 0
    await _held(budget, 100)


async def _held(budget: FileBudget, size: int) -> None:
    async with budget.held(size):
        pass
