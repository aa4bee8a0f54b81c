"""An experiment to stored trials."""
