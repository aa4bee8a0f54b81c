"""The training loop, which touches no disk."""
