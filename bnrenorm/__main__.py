"""The command `bnrenorm`, which is `python -m bnrenorm` too."""

from bnrenorm.cli import startup


def run() -> None:
    """Run the command line."""
    startup.run("bnrenorm.cli.commands")


if __name__ == "__main__":
    run()
