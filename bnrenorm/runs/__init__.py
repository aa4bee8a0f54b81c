"""From an experiment to stored trials: sessions, plans, checkpoints, and files on disk."""
