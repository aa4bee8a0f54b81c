"""`python -m bnrenorm` is the command `bnrenorm`."""

from bnrenorm.cli import main

main()
