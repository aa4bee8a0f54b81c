import pytest

from bnrenorm.config.duration import Duration


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (7, 7),
        ("7 steps", 7),
        ("1 step", 1),
        ("2 epochs", 1200),
        ("0.5 epochs", 300),
        ("10%", 500),
        ("2.5 %", 125),
        (1e3, 1000),
        ("1e3 steps", 1000),
        ("1e-1 epochs", 60),
        (".5 epochs", 300),
    ],
)
def test_steps_of_600_an_epoch_and_5000_in_all(text, want):
    assert Duration.parse(text).steps(per_epoch=600, total=5000) == want


def test_halves_are_rounded_up():
    assert Duration.parse("10%").steps(per_epoch=1, total=25) == 3
    assert Duration.parse("50%").steps(per_epoch=1, total=29) == 15
    assert Duration.parse("85%").steps(per_epoch=1, total=70) == 60
    assert Duration.parse("2.3%").steps(per_epoch=1, total=1500) == 35
    assert Duration.parse("0.29 epochs").steps(per_epoch=50, total=1) == 15


@pytest.mark.parametrize(
    "text",
    [
        "3 weeks",
        "",
        "-1",
        -1,
        1.5,
        True,
        None,
        "1.5 steps",
        "ten steps",
        [1],
        1e45,
        "1e13 steps",
        10**13,
        "1" * 400 + " epochs",
        float("inf"),
        float("nan"),
        "٣ steps",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="expected a"):
        Duration.parse(text)


@pytest.mark.parametrize(
    "text", [50, "2 epochs", "10%", "0.5 epochs", "0.1234567890123 epochs", "1e-7 epochs", "1234567.5 epochs", 10**12]
)
def test_what_is_written_is_read_back(text):
    duration = Duration.parse(text)
    assert Duration.parse(duration.serialise()) == duration
