"""The stacked network in Chainer: R replicas side by side."""
