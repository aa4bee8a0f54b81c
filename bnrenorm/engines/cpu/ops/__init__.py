"""The rules of a step, each written once."""
