"""From stored results to numbers, words and pictures."""
