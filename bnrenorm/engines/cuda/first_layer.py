"""How a batch of images meets the first layer's weights: its products with them, and their step by its gradient."""

from typing import Any, NamedTuple, Protocol

from bnrenorm.engines.cuda import pixels
from bnrenorm.engines.cuda.operands import Context
from bnrenorm.engines.cuda.parameters import Tensor
from bnrenorm.engines.cuda.rows import Mask, pieces_of
from bnrenorm.engines.cuda.workspace import Workspace

Array = Any


class First(Protocol):
    """The images of a batch."""

    def multiply(self, ops: Any, weight: Array, a: Array) -> None:
        """Fetch the images, and set a (R, N, K) to the products with weights (R, K, D)."""
        ...

    def form(self, context: Context) -> dict[str, Array]:
        """Return the form in which `learn` takes the gradient of those products: options of `Reference.to_linear`."""
        ...

    def learn(self, ops: Any, g: Array, weight: Tensor, context: Context, ws: Workspace) -> None:
        """Take the optimizer's step of the weights, with the gradient g (R, N, K) or what it became by `form`."""
        ...


class Floats(NamedTuple):
    """Images as they are.

    x: (S, N, D) per seed; (R, N, D) per replica after dropout; or (N, D), shared by all replicas. of (R,) int32: each
    replica's seed, only for x per seed. source: what `Reference.gather` fills x from; None if x has the images.
    """

    x: Array
    of: Array | None = None
    source: tuple[Array, Array | None, Mask | None] | None = None

    def multiply(self, ops: Any, weight: Array, a: Array) -> None:
        """Multiply by float32."""
        if self.source is not None:
            images, index, mask = self.source
            ops.gather(images, index, self.x, mask)
        ops.product(self.x, weight, a, tb=True, of=self.of)

    def form(self, context: Context) -> dict[str, Array]:
        """Let the gradient be multiplied by the learning rate where it is subtracted at once."""
        return {"rates": context.schedule} if self._is_subtracted(context) else {}

    def _is_subtracted(self, context: Context) -> bool:
        """Tell whether the weights need nothing but that: the network's largest pass through memory once."""
        return context.plain and self._pieces() == 1

    def _pieces(self) -> int:
        return pieces_of(self.x.shape[-2]) if self.of is None else 1

    def learn(self, ops: Any, g: Array, weight: Tensor, context: Context, ws: Workspace) -> None:
        """Multiply g by the images."""
        if self._is_subtracted(context):
            ops.product(g, self.x, weight.value, ta=True, of=self.of, subtract=True)
            return
        gradient = ws.weight_gradient(weight.value.shape, self._pieces())
        if self.of is None:
            ops.gradient(g, self.x, gradient)
        else:
            ops.product(g, self.x, gradient[:, 0], ta=True, of=self.of)
        ops.update_weights(weight, gradient, context)


class Pixels(NamedTuple):
    """Images for tensor cores: see `pixels`. x (S, N, PARTS, P) uint16; of all replicas' images, S is 1.

    runs: all replicas in their order. weights (R, K, PARTS, P) and gradients (R, N, PARTS, Q) uint16: scratch, the
    latter only for learning. source: what `gather_pixels` fills x from; None if x has the images.
    """

    x: Array
    runs: list[pixels.Run]
    weights: Array
    gradients: Array | None = None
    source: tuple[Array, Array] | None = None

    def multiply(self, ops: Any, weight: Array, a: Array) -> None:
        """Split the weights, and multiply."""
        if self.source is not None:
            ops.gather_pixels(*self.source, self.x)
        ops.split(weight, self.weights)
        ops.pixel_product(self.x, self.weights, self.runs, a)

    def form(self, context: Context) -> dict[str, Array]:
        """Let the gradient be written in thirds."""
        return {"parts": self.gradients}

    def learn(self, ops: Any, g: Array, weight: Tensor, context: Context, ws: Workspace) -> None:
        """Multiply the thirds of the gradient, a piece of the images at a time."""
        gradient = ws.weight_gradient(weight.value.shape, pieces_of(self.x.shape[1]))
        ops.pixel_gradient(self.gradients, self.x, self.runs, gradient)
        ops.update_weights(weight, gradient, context)


def shared(ops: Any, images: Array, replicas: int, width: int) -> First:
    """Return images that all replicas take: (N, D), or `pixels.repeated` ones (N, PARTS, P). width: K of the layer."""
    if images.ndim == 2:
        return Floats(images)
    weights = ops.xp.empty((replicas, width, *images.shape[1:]), images.dtype)
    return Pixels(images[None], [(0, 0, slice(0, replicas))], weights)


def thirds(xp: Any, *shape: int) -> Array:
    """Return an array for the thirds of float32 numbers of a shape, (..., PARTS, padded last axis)."""
    return xp.empty((*shape[:-1], pixels.PARTS, pixels.padded(shape[-1])), "uint16")
