"""MNIST, user image files, preprocessing, and batch sampling."""
