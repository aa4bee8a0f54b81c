"""`bnrenorm doctor`: whether the installation works, and on request a GPU."""

from typing import Annotated

import typer

from bnrenorm.errors import InputError


def doctor(
    device: Annotated[str, typer.Option(help="cuda or cuda:N: prove that the CUDA engine works there.")] = "cpu",
) -> None:
    """Check the installation and print a fix for whatever is wrong; exit code 1 if anything is.

    With --device cuda a GPU is put to the test, which takes a minute or two: every kernel against float64 formulas,
    trainings against the CPU, bits, memory and speed, as a table in Markdown that an issue can quote.
    """
    from bnrenorm.cli import installation
    from bnrenorm.cli.printer import Printer

    if device != "cpu":
        _prove(device)
        return

    say, findings = Printer().say, installation.examine()
    for name, finding in findings.items():
        say(f"{'ok  ' if finding.ok else 'BAD '} {name:10} {finding.detail}")
        if finding.fix:
            say(f"     {'':10} {'to improve' if finding.ok else 'to fix'}: {finding.fix}")
    if not all(finding.ok for finding in findings.values()):
        raise typer.Exit(1)


def _prove(device: str) -> None:
    from bnrenorm.cli import proof
    from bnrenorm.cli.proof.rows import HEAD
    from bnrenorm.engines import device as devices

    device, _ = devices.choose(device)
    if device == "cpu":
        raise InputError("--device auto: expected cuda or cuda:N")
    print(HEAD)
    failed = 0
    for row in proof.prove(device):
        print(row, flush=True)
        failed += not row.ok
    if failed:
        raise typer.Exit(1)
