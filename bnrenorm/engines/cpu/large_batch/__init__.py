"""Batches too large for a cache: one replica over all cores."""
