"""How the speed depends on the number of replicas and on the size of a batch: the jobs, and their figure."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.contenders import EAGER, JIT, OURS, STACKED
from benchmarks.jobs import IMAGES, MICRO_BATCH, Images, Job
from benchmarks.results import Row
from bnrenorm import atomic

REPLICAS = (1, 3, 10, 30, 100, 300, 1000)
BATCHES = (2, 32, 512, 8192, IMAGES)
_IMAGES: tuple[Images, ...] = ("digits", "half lit")
_BATCH = 4  # of the jobs that differ in their number of replicas
_STEPS = 50  # of a round, so that all replicas pay as much for a record
_MEASURED = 100  # replicas up to which peers take part: they train one after the other, or by tens


def _job(kind: str, count: int, images: Images, batch: int, seeds: int, contenders: Sequence[str]) -> Job:
    return replace(
        MICRO_BATCH,
        name=f"{kind}-{count}-{images.replace(' ', '-')}",
        title=f"{seeds} BN replicas, 784-400-10, batches of {batch} images, {images}",
        batch=batch,
        kinds=MICRO_BATCH.kinds[1:2],
        seeds=tuple(range(seeds)),
        round=max(1, min(_STEPS, 2 * IMAGES // batch)),
        gates=(),
        images=images,
        contenders=tuple(contenders),
    )


def _contenders(images: Images, replicas: int) -> list[str]:
    """Name who takes part: the peers with half of the pixels lit, as black ones cost them as much; singles up to 3."""
    if images == "digits" or replicas > _MEASURED:
        return [OURS.name]
    singles = [EAGER.name, JIT.name] if replicas <= REPLICAS[1] else []
    return [OURS.name, *singles, *([STACKED.name] if replicas > 1 else [])]


JOBS = {
    job.name: job
    for images in _IMAGES
    for job in (
        *(_job("replicas", count, images, _BATCH, count, _contenders(images, count)) for count in REPLICAS),
        *(_job("batch", count, images, count, 2, _contenders(images, 2)) for count in BATCHES),
    )
}
"""By replicas, each with a seed of its own and batches of 4; and by batch size, with two replicas."""


def throughput(rows: list[Row], kind: str, images: Images) -> dict[str, dict[int, float]]:
    """Return each contender's images per second, all replicas together, by number of replicas or by batch size.

    Contenders that train one network at a time, or ten, do as many images a second whatever the number of networks;
    beyond those measured they have the last value.
    """
    counts = REPLICAS if kind == "replicas" else BATCHES
    values: dict[str, dict[int, float]] = {}
    for count in counts:
        name = f"{kind}-{count}-{images.replace(' ', '-')}"
        for row in (row for row in rows if row["job"] == name):
            values.setdefault(row["contender"], {})[count] = JOBS[name].batch / float(row["median"]) * JOBS[name].scale
    for contender in (EAGER.name, JIT.name, STACKED.name):
        if contender in values and kind == "replicas":
            last = values[contender][max(values[contender])]
            beyond = [count for count in counts if count > max(values[contender])]
            values[contender] |= dict.fromkeys(beyond, last)
    return values


def figure(rows: list[Row]) -> Any:
    """Draw throughput against the number of replicas and against the size of a batch."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(9, 4), layout="constrained")
    panels = ("replicas", "number of replicas, batches of 4"), ("batch", "images in a batch, 2 replicas")
    for ax, (kind, label) in zip(drawing.subplots(1, 2, sharey=True), panels, strict=True):
        (ours,) = throughput(rows, kind, "digits").values()
        ax.plot(list(ours), list(ours.values()), "o--", color="C0", label="bnrenorm, MNIST")
        for number, (contender, values) in enumerate(throughput(rows, kind, "half lit").items()):
            label_of = f"{contender}, half of the pixels lit"
            ax.plot(list(values), list(values.values()), "osv^"[number] + "-", color=f"C{number}", label=label_of)
        ax.set(xscale="log", yscale="log", xlabel=label)
        ax.grid(alpha=0.3)
    drawing.axes[0].set_ylabel("images a second, all replicas")
    drawing.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return drawing


def save(rows: list[Row], path: Path) -> None:
    """Write the figure as a PNG file."""
    buffer = io.BytesIO()
    figure(rows).savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    atomic.write(path, buffer.getvalue())
