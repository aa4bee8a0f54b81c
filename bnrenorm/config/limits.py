"""Limits of a config, checked before anything is built from it."""

BYTES = 2**20
"""Size of a file."""
VALUES = 100_000
"""Keys and values in a file, an alias counted as what it stands for."""
DEPTH = 20
"""Groups and lists inside each other."""
DIGITS = 100
"""Length of a number as it is written."""
STEPS = 10**12
"""Length of a training or of any other duration, in its unit and in steps."""
TRIALS = 100_000
"""Trials of an experiment: variants x grid points x seeds."""
SEED = 2**53 - 1
"""The largest seed: whatever reads the tables and the report keeps whole numbers up to it."""
NAME = 200
"""Bytes of an experiment's name, which begins the name of a folder."""
