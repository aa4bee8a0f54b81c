"""The multilayer perceptron of stacked replicas as a Chainer Chain."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, assert_never

import numpy as np

from bnrenorm._compat import chainer
from bnrenorm.config import Trial
from bnrenorm.config.norms import BatchNorm, Custom, LayerNorm, NoNorm
from bnrenorm.network import activations, init, optimizers
from bnrenorm.network.dropout import Dropout
from bnrenorm.network.linear import StackedLinear
from bnrenorm.network.schedule import Schedule
from bnrenorm.norm.affine import StackedAffine, StackedLayerNormalization
from bnrenorm.norm.custom import LinkPerReplica
from bnrenorm.norm.links import StackedNormalization
from bnrenorm.norm.semantics import SEMANTICS


class MLP(chainer.Chain):
    """Hidden layers of Linear, activation and normalisation, then a linear output layer, for R replicas."""

    def __init__(
        self,
        linears: list[StackedLinear],
        norms: list[Any],
        *,
        norm_first: bool,
        activation: Callable[[Any], Any],
        dropout: Dropout,
        objective: tuple[str, str],
        schedule: Schedule,
    ):
        """Build the network.

        norms: one per hidden layer, or empty. norm_first: normalise before the activation. objective: the arguments
        `output` and `loss` of `losses.mean_loss`.
        """
        super().__init__()
        self.schedule = schedule
        self.norm_first, self.activation, self.dropout, self.objective = norm_first, activation, dropout, objective
        self.step = 0  # of the training, set by the engine: dropout masks are a function of it
        with self.init_scope():
            self.linears = chainer.ChainList(*linears)
            self.norms = chainer.ChainList(*norms)

    @property
    def batch_norms(self) -> list[StackedNormalization]:
        """The batch normalisation and renormalisation layers: those whose output depends on the batch."""
        return [norm for norm in self.norms if isinstance(norm, StackedNormalization)]

    @property
    def replica_of(self) -> dict[str, int]:
        """Map the paths of arrays without a replica axis, those of user-defined links, to their replica."""
        replica_of_link = {
            f"/norms/{depth}/{replica}": replica
            for depth, norm in enumerate(self.norms)
            if isinstance(norm, LinkPerReplica)
            for replica in range(len(norm))
        }
        if not replica_of_link:
            return {}
        paths = [*(path for path, _ in self.namedparams()), *(path for path, *_ in self.persistents)]
        links = {path: "/".join(path.split("/")[:4]) for path in paths}  # "/norms/0/1/gamma" belongs to "/norms/0/1"
        return {path: replica_of_link[link] for path, link in links.items() if link in replica_of_link}

    @property
    def persistents(self) -> Iterator[tuple[str, Any, str]]:
        """All persistent values of the links (running statistics, steps), as (path, link, attribute)."""
        for path, link in self.namedlinks(skipself=True):
            for attribute in sorted(link._persistent):  # a set: its order differs from process to process
                yield f"{path}/{attribute}", link, attribute

    def forward(self, x: Any) -> Any:
        """Map images (R, N, D), or (N, D) shared by all replicas, to logits (R, N, C)."""
        depth = len(self.linears) - 1
        return self.linears[depth](self._into_linear(x, depth))

    def before_norm(self, x: Any, depth: int) -> Any:
        """Map images to the input (R, N, D) of the normalisation of hidden layer `depth`."""
        return self._into_norm(self._into_linear(x, depth), depth)

    def _into_linear(self, x: Any, depth: int) -> Any:
        """Map images to the input of linear layer `depth`."""
        x = self.dropout(x, 0, self.step)
        for earlier in range(depth):
            x = self._after_norm(self._into_norm(x, earlier), earlier)
            x = self.dropout(x, earlier + 1, self.step)
        return x

    def _into_norm(self, x: Any, depth: int) -> Any:
        x = self.linears[depth](x)
        return x if self.norm_first else self.activation(x)

    def _after_norm(self, x: Any, depth: int) -> Any:
        if len(self.norms):
            norm = self.norms[depth]
            if isinstance(norm, LinkPerReplica):
                norm.step = self.step
            x = norm(x)
        return self.activation(x) if self.norm_first else x


def build(trials: list[Trial], inputs: int) -> MLP:
    """Build the network of a group of trials, one replica each; `inputs` is the number of values per image.

    The initial weights depend only on the seed, the layer and `model.weight_init`: variants with the same seed start
    from the same weights.
    """
    model, loss = trials[0].settings.model, trials[0].settings.training.loss
    widths = model.widths(inputs)
    schedule = Schedule(trials)
    linears = [
        StackedLinear(
            np.stack(
                [init.draw(trial.settings.model.weight_init, trial.seed, layer, fan_in, width) for trial in trials]
            )
        )
        for layer, (fan_in, width) in enumerate(itertools.pairwise(widths))
    ]
    return MLP(
        linears,
        [norm for depth, width in enumerate(model.hidden) for norm in _normalization(trials, schedule, width, depth)],
        norm_first=model.order == "linear-norm-activation",
        activation=activations.of(trials),
        dropout=Dropout(trials, widths[:-1]),
        objective=(model.output, loss),
        schedule=schedule,
    )


def _normalization(trials: list[Trial], schedule: Schedule, width: int, depth: int) -> list[Any]:
    """Return one layer's normalisation in a list, empty for none. BN is renormalisation with r_max 1 and d_max 0."""
    norm = trials[0].settings.norm

    def vector(name: str) -> np.ndarray:
        return np.array([getattr(trial.settings.norm, name) for trial in trials], float).reshape(-1, 1, 1)

    match norm:
        case NoNorm():
            return []
        case Custom():
            return [LinkPerReplica(norm.name, norm.source, [trial.seed for trial in trials], width, depth)]
        case LayerNorm():
            return [StackedLayerNormalization(StackedAffine(len(trials), width, norm.affine), vector("eps"))]
        case BatchNorm():
            link = StackedNormalization(
                StackedAffine(len(trials), width, norm.affine),
                r_max=schedule.r_max,
                d_max=schedule.d_max,
                semantics=SEMANTICS[norm.semantics],
                decay=vector("decay"),
                eps=vector("eps"),
                micro_batch=trials[0].settings.training.micro_batch,
            )
            return [link]
        case _:
            assert_never(norm)


def structure(trial: Trial) -> tuple[Any, ...]:
    """Return what trials must have in common to be stacked: all settings but those of which each replica has its own.

    Only the named ones, of which the network, the optimizer or the loop takes a vector, and the seed may differ.
    """
    settings, norm = trial.settings, trial.settings.norm
    model, training, evaluation = settings.model, settings.training, settings.evaluation
    dropout = model.dropout
    return (
        model.others("activation", "weight_init", "dropout"),
        model.activation.others("alpha"),
        dropout.drops and dropout.others("keep_input", "keep_hidden"),
        settings.data,
        "batch" if isinstance(norm, BatchNorm) else norm.kind,
        norm.others("kind", "decay", "eps", "affine_lr", "r_max", "d_max", "warmup", "ramp_r", "ramp_d"),
        training.others("optimizer", "weight_decay", "l1_decay", "early_stopping"),
        training.early_stopping is None,
        optimizers.structure(trial),
        evaluation.others("average"),
        evaluation.average is None,
    )
