"""Batch (re)normalisation: pure formulas and schedules, Chainer Functions, and the Links that own the state."""
