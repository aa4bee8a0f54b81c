"""`bnrenorm config`."""

from bnrenorm import config
from bnrenorm.runs import run_folder


def test_what_is_printed_repeats_the_run(call, tmp_path):
    code, out, err = call("config", "micro_batch", "--set", "training.steps=20", "--seeds", "3", "--baseline", "BN")
    assert (code, err) == (0, "")
    (tmp_path / "printed.yaml").write_text(out)
    wanted = config.load("micro_batch", ["training.steps=20"], {"seeds": 3, "baseline": "BN"})
    again = config.load(tmp_path / "printed.yaml")
    assert run_folder.path_of(tmp_path, again, "") == run_folder.path_of(tmp_path, wanted, "")


def test_compare_takes_what_is_printed(call, tmp_path, few_digits_file):
    _, out, _ = call("config", "quick", "--set", f"data.path={few_digits_file}")
    (tmp_path / "printed.yaml").write_text(out)
    code, out, _ = call("compare", tmp_path / "printed.yaml", "--dry-run", "--out", tmp_path / "out")
    assert code == 0
    assert "12 trials, 0 finished" in out


def test_an_unknown_config_is_one_line(call):
    code, out, err = call("config", "comprae")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "did you mean compare?" in err
