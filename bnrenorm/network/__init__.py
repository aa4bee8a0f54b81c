"""The stacked network in Chainer: R replicas on the leading axis of every array."""
