"""How long a delta takes to a client when journal, worker and API are processes apart."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cluster import running_apart
from benchmarks.deltas import floor, hops_of_runs
from benchmarks.measure import Figure, p50, p95

BENCH = "apart"
RUNS = 20
LIMIT_P50_MS, LIMIT_P95_MS = 8.0, 20.0
_BARE = "bare Starlette, no journal"


async def measure(*, quick: bool) -> list[Figure]:
    """As `benchmarks.deltas` does it, on Postgres; also with deltas that wait for the disk."""
    seconds = 3 if quick else 8
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        bare = await floor(Path(folder), RUNS, seconds / 2)
        relaxed, used = await _hops(Path(folder), seconds, relaxed=True)
        durable, _ = await _hops(Path(folder), seconds, relaxed=False)
    return [
        *_figures("", relaxed, bare, LIMIT_P50_MS, LIMIT_P95_MS),
        *_figures("deltas on disk: ", durable, bare),
        Figure(BENCH, "deltas received", "1/s", len(relaxed) / seconds),
        *(
            Figure(BENCH, f"CPU of {kind} per delta", "µs", cpu_s / len(relaxed) * 1e6)
            for kind, cpu_s in used.items()
        ),
    ]


async def _hops(
    folder: Path, seconds: float, *, relaxed: bool
) -> tuple[list[float], dict[str, float]]:
    """Of each delta, and the processor seconds that all runs took, by kind of process."""
    env = {"RELAYLINE_RELAXED_DELTAS": str(relaxed)}
    async with running_apart(folder / f"relaxed-{relaxed}", apis=1, workers=1, env=env) as apart:
        before = apart.cpu_s()
        hops = await hops_of_runs(f"{apart.apis[0]}/v1/runs", RUNS, seconds)
        return hops, {kind: after - before[kind] for kind, after in apart.cpu_s().items()}


def _figures(what: str, hops: list[float], bare: list[float], *limits: float) -> list[Figure]:
    figures = [
        Figure(
            BENCH,
            f"{what}written → received, {RUNS} runs, {name}",
            "ms",
            part(hops),
            floor=part(bare),
            against=_BARE,
        )
        for name, part in (("p50", p50), ("p95", p95))
    ]
    if not limits:
        return figures
    limited = zip(figures, limits, strict=True)
    return [figure._replace(limit=limit, rule=f"{limit:g}") for figure, limit in limited]
