"""Batches that fit a cache: one replica a core."""
