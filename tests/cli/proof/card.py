from bnrenorm.engines.cuda.reference import Reference


class Card(Reference):
    """A GPU made of NumPy, whose kernels are the formulas: the proof runs on it as on the device "cpu"."""

    no_graph = "no card"

    def __init__(self, dtype):
        self.dtype = dtype

    def update_weights(self, tensor, gradient, context):
        assert tensor.value.dtype == self.dtype, "kernels are compiled for one dtype"
        super().update_weights(tensor, gradient, context)
