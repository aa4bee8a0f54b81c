"""The command `bnrenorm`, which is `python -m bnrenorm` too."""

from bnrenorm.cli import commands, startup


def run() -> None:
    """Run the command line."""
    startup.run(commands.main)


if __name__ == "__main__":
    run()
