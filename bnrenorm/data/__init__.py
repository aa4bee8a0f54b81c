"""The 70,000 MNIST digits, a user's own images, and how batches are drawn from them."""
