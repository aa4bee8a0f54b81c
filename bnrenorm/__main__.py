"""The command `bnrenorm`, which is `python -m bnrenorm` too."""

from bnrenorm.cli.commands import main as run

if __name__ == "__main__":
    run()
