"""Seeds that are added to those of which there is a verdict, and what of a run is stored already."""

import numpy as np
import pytest

LOOK = "2 of these 4 seeds had a verdict before: if that decided that there are more now, p < .05 errs more often"


@pytest.mark.usefixtures("no_pictures")
def test_seeds_that_are_added_after_a_verdict_are_remarked_each_time(compare):
    code, printed, _ = compare()
    assert (code, "had a verdict" in printed) == (0, False)
    for stored in ("4 of 8 different trials stored already; 4 to train", "Every trial is stored already."):
        code, printed, _ = compare("--seeds", "4")
        words = " ".join(printed.split())
        assert (code, f"Note: {LOOK}" in words) == (0, True)
        assert stored in words
    code, printed, _ = compare()
    assert "had a verdict" not in printed, "fewer seeds are not added ones"


@pytest.mark.usefixtures("no_pictures")
def test_other_settings_and_runs_without_a_verdict_are_no_looks(compare, tmp_path):
    assert compare()[0] == 0
    (verdict,) = (tmp_path / "out").glob("compared-*/verdict.json")
    verdict.unlink()
    assert compare("--set", "model.hidden=[7]")[0] == 0
    code, printed, _ = compare("--seeds", "4")
    assert (code, "had a verdict" in printed) == (0, False)


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.slow
def test_a_run_whose_trials_are_in_another_folder_is_remarked(call, compare, tmp_path, monkeypatch):
    assert compare(out="my results")[0] == 0
    (run,) = (tmp_path / "my results").glob("compared-*")
    uses = f"Note: the trials of {run} are in {run.parent}, and results go to {tmp_path / 'here'}: --out '{run.parent}' uses them."
    for config in (run, run / "experiment.yaml"):
        code, printed, _ = call("compare", config, "--dry-run", "--out", tmp_path / "here")
        assert (code, uses in " ".join(printed.split())) == (0, True)
        code, printed, _ = call("compare", config, "--dry-run", "--out", run.parent)
        assert (code, "uses them" in printed) == (0, False)
    monkeypatch.chdir(run)
    for config in (".", "experiment.yaml"):
        words = " ".join(call("compare", config, "--dry-run")[1].split())
        assert f"are in {run.parent}, and results go to runs: --out '{run.parent}' uses them." in words
    assert call("merge", run.parent, "--out", tmp_path / "here")[0] == 0
    assert "uses them" not in call("compare", run, "--dry-run", "--out", tmp_path / "here")[1], "they are there too"


@pytest.mark.usefixtures("no_pictures")
def test_one_variant_alone_and_other_images_have_had_no_verdict(call, tmp_path, few_digits_file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seeds in ("1", "2"):
        assert (
            "had a verdict"
            not in call(
                "compare",
                config_of(tmp_path, "BN: {}"),
                "--set",
                f"data.path={few_digits_file}",
                "--seeds",
                seeds,
                "--out",
                "x",
            )[1]
        )
    images = tmp_path / "images.npz"
    both = config_of(tmp_path, "BN: {}, none: {norm: {kind: none}}")
    for seeds, shift in (("1", 0), ("2", 1)):
        with np.load(few_digits_file) as digits:
            np.savez(images, **{name: np.roll(array, shift, axis=-1) for name, array in digits.items()})
        code, printed, _ = call("compare", both, "--set", f"data.path={images}", "--seeds", seeds, "--out", "x")
        assert (code, "had a verdict" in printed) == (0, False)


def config_of(folder, variants):
    path = folder / f"{len(variants)}.yaml"
    text = f"name: a\nvariants: {{{variants}}}\nmodel: {{hidden: [5]}}\ntraining: {{batch: 50, steps: 2}}\n"
    path.write_text(text)
    return path
