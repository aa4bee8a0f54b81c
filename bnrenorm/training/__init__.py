"""The loop, which touches no disk."""
