"""Normalisation: formulas (what), schedule and semantics (how), function (Chainer's graph), links (state)."""
