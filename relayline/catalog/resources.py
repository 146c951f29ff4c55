"""Resources: what the tools of a worker share, such as a pool of connections or an HTTP client."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, overload

T = TypeVar("T")
Opener = Callable[[], AsyncIterator[T]]


@dataclass(frozen=True, eq=False)
class Resource(Generic[T]):
    """One resource; a tool's parameter `Annotated[T, resource]` receives what it yields."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[T]]
    sync: bool = False
    """True: tools in threads may use it, too."""


@overload
def resource(function: Opener[T], /) -> Resource[T]: ...
@overload
def resource(*, sync: bool = False) -> Callable[[Opener[T]], Resource[T]]: ...
def resource(
    function: Opener[Any] | None = None, /, *, sync: bool = False
) -> Resource[Any] | Callable[[Opener[Any]], Resource[Any]]:
    """Make a resource from an async generator that takes nothing and yields once.

    What stands before the `yield` starts it, with the first call of a tool that takes it; what
    stands after it stops it, when the worker has no call left. Both run in the loop that async
    tools run in, and must not block it.

    Args:
        function: The generator, when the decorator is used without parentheses.
        sync: What it yields may be used in threads, so tools that are not async may take it.

    Raises:
        TypeError: the function is no async generator, or takes arguments.
    """

    def make(given: Opener[Any]) -> Resource[Any]:
        name = getattr(given, "__name__", type(given).__name__)
        if not inspect.isasyncgenfunction(given):
            raise TypeError(f"resource {name!r}: write `async def` with one `yield`")
        if inspect.signature(given).parameters:
            raise TypeError(f"resource {name!r}: it can't take arguments")
        return Resource(name, asynccontextmanager(given), sync)

    return make if function is None else make(function)


def resource_of(hint: object) -> Resource[Any] | None:
    """The resource that a parameter with this hint takes; None if it takes none."""
    said = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((it for it in said if isinstance(it, Resource)), None)
