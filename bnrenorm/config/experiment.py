"""An experiment: variants at the points of a grid with their seeds, and the trials that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnrenorm.config import cells
from bnrenorm.config.document import Document
from bnrenorm.config.plugins import Plugin
from bnrenorm.config.reader import dotted
from bnrenorm.config.resolve import Misfit, resolve
from bnrenorm.config.schema import Data, Settings
from bnrenorm.config.trial import Point, Trial
from bnrenorm.errors import InputError
from bnrenorm.family import MARGIN
from bnrenorm.numbers import counted

CONFIG_FILE = "experiment.yaml"
"""The config of a run, in its folder."""

TRIALS, TRIALS_LIST = "trials", ".trials.json"
"""The folder of the stored trials, next to the run folders, and a run's list of those that are its own."""

_BESIDE_THE_QUESTION = {"name", "seeds", "baseline", "margin", "published", "plugins", "data", "evaluation"}


@dataclass(frozen=True, repr=False)
class Experiment:
    """What is compared: `settings` maps (variant, grid point) to settings, each trained once per seed.

    `baseline` names the variant that every other is compared with; None: every pair of variants is compared.
    Test accuracies that differ by less than `margin` percentage points count as equivalent.
    `published` names the table of published numbers to compare the results with, None if there is none.
    `plugins` are the user's files that were run for it.
    """

    name: str
    settings: Mapping[tuple[str, Point], Settings]
    seeds: tuple[int, ...]
    document: Document
    baseline: str | None = None
    margin: float = 100 * MARGIN
    published: str | None = None
    plugins: tuple[Plugin, ...] = ()

    def __repr__(self) -> str:
        grid = f"; {len(self.points)} grid points" if len(self.points) > 1 else ""
        return f"Experiment({self.name}: {', '.join(self.variants)}{grid}; {counted(len(self.seeds), 'seed')})"

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, in the config's order."""
        return tuple(dict.fromkeys(variant for variant, _ in self.settings))

    @property
    def points(self) -> tuple[Point, ...]:
        """The grid's points, each as (key, value) pairs; one empty point if there is no grid."""
        return tuple(dict.fromkeys(point for _, point in self.settings))

    @property
    def question(self) -> str:
        """The question that its config asks; "" if there is none, or if settings of the training were overridden."""
        is_another = any(key[0] not in _BESIDE_THE_QUESTION for key in self.document.overrides)
        return "" if is_another else self.document.question

    @property
    def data(self) -> Data:
        """The data settings, which all variants share."""
        return next(iter(self.settings.values())).data

    @property
    def begins_alike(self) -> bool:
        """Whether the same seed gives all variants the same initial weights and the same batches, at every point."""
        starts: dict[Point, set[str]] = {}
        for (_, point), settings in self.settings.items():
            start = repr((settings.model.hidden, settings.model.weight_init, settings.training.batch))
            starts.setdefault(point, set()).add(start)
        return all(len(of_point) == 1 for of_point in starts.values())

    def trials(self, images: int, classes: int = 10) -> list[Trial]:
        """Return all trials, their settings resolved for `images` training images of `classes`; seeds vary fastest.

        Raises InputError if settings contradict each other or do not fit the training set.
        """
        trials = []
        for (variant, point), settings in self.settings.items():
            try:
                resolved = resolve(settings, images, classes)
            except Misfit as misfit:
                raise self.error(variant, point, misfit) from None
            trials += [Trial(variant, point, seed, resolved) for seed in self.seeds]
        return trials

    def error(self, variant: str, point: Point, misfit: Misfit) -> InputError:
        """Make an error about a setting of a variant at a grid point, located where it is set.

        Where overrides of other settings may have made it impossible, it says how to set this one too.
        """
        path, message, example = misfit.args
        location = cells.location(self.document, variant, point, path)
        overrides = self.document.overrides.items()
        others = [where for key, where in overrides if key[0] not in ("name", "seeds", "baseline", "margin")]
        if others and location not in others:
            key = cells.key(self.document, variant, point, path)
            option = "--set " if others[0].startswith("--set ") else ""
            shown = f", for example {option}{key}={example}" if example else ""
            message += f"; with {', '.join(where.removeprefix('--set ') for where in others)} also set {key}{shown}"
        return InputError(f"{location}: {dotted(path)} {message}")

    def resolved(self, images: str | None = None) -> dict[str, Any]:
        """Return the experiment as plain data, each variant with all its settings; it has a stable `digest`.

        images: what stands for the path of images of the user's own, such as their checksum; by default the path.
        """
        own = {"path": images} if images and self.data.path is not None else {}
        dumped = {cell: settings.model_dump(mode="json") for cell, settings in self.settings.items()}
        return {
            "name": self.name,
            "seeds": list(self.seeds),
            **({} if self.baseline is None else {"baseline": self.baseline}),
            **({} if self.margin == 100 * MARGIN else {"margin": self.margin}),
            "variants": [
                {"variant": variant, **dict(point), "settings": {**settings, "data": {**settings["data"], **own}}}
                for (variant, point), settings in dumped.items()
            ],
        }

    def as_config(self, plugins: Sequence[str] | None = None, width: int = 100) -> str:
        """Return the text of a config that repeats the experiment, with every setting and what it is for.

        It may be read from anywhere: the path of the images in it is absolute, and so are by default those of
        `plugins`. width: characters of a line of comment, at most.
        """
        from bnrenorm.config.annotated import annotated  # not above: it builds experiments

        return annotated(self, [str(plugin.path) for plugin in self.plugins] if plugins is None else plugins, width)

    def files(self) -> dict[str, str | bytes]:
        """Return the files that repeat the experiment, by their paths in a folder: experiment.yaml and its plugins."""
        copies = {f"plugins/{plugin.path.name}": plugin.source for plugin in self.plugins}
        return {CONFIG_FILE: self.as_config(list(copies)), **copies}
