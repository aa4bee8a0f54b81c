from bnrenorm.engines.cuda.reference import Reference


class Card(Reference):
    """A GPU made of NumPy, whose kernels are the formulas: the proof runs on it as on the device "cpu"."""

    def __init__(self, dtype):
        self.dtype, self.no_graph = dtype, ""

    def recorded(self, step):
        self.no_graph = "no card"
        return super().recorded(step)

    def update_weights(self, tensor, gradient, context):
        assert tensor.value.dtype == self.dtype, "kernels are compiled for one dtype"
        super().update_weights(tensor, gradient, context)
