"""The multilayer perceptron of stacked replicas as a Chainer Chain."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

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
        x = self.norms[depth](x) if len(self.norms) else x
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
    norms: list[Any] = [trial.settings.norm for trial in trials]
    if isinstance(norms[0], NoNorm):
        return []
    if isinstance(norms[0], Custom):
        seeds = [trial.seed for trial in trials]
        return [LinkPerReplica(norms[0].name, norms[0].source, seeds, width, depth)]

    def vector(value: Callable[[Any], float]) -> np.ndarray:
        return np.array([value(norm) for norm in norms], float).reshape(-1, 1, 1)

    affine = StackedAffine(len(trials), width, norms[0].affine)
    eps = vector(lambda norm: norm.eps)
    if isinstance(norms[0], LayerNorm):
        return [StackedLayerNormalization(affine, eps)]

    link = StackedNormalization(
        affine,
        r_max=schedule.r_max,
        d_max=schedule.d_max,
        semantics=SEMANTICS[norms[0].semantics],
        decay=vector(lambda norm: norm.decay),
        eps=eps,
        micro_batch=trials[0].settings.training.micro_batch,
    )
    return [link]


def structure(trial: Trial) -> tuple[Any, ...]:
    """Return what trials must have in common to be stacked; replicas may differ in all else (seed, rates, limits)."""
    settings = trial.settings
    norm: Any = settings.norm
    kind = "batch" if isinstance(norm, BatchNorm) else norm.kind
    model, dropout = settings.model, settings.model.dropout
    evaluation = settings.evaluation.model_dump(exclude={"average"})
    training = settings.training
    return (
        (model.hidden, model.outputs, model.order, model.activation.kind, model.output),
        dropout.drops and dropout.form,
        settings.data,
        (kind, *(getattr(norm, name, None) for name in ("semantics", "affine", "affine_gradient", "name", "source"))),
        (training.batch, training.micro_batch, training.steps, training.loss, training.early_stopping is None),
        optimizers.structure(trial),
        (*evaluation.values(), settings.evaluation.average is None),
    )
