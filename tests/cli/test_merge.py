"""Shards and merged folders on the command line: as a job array trains them, and as they are brought together."""

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_shards_are_merged_and_compared(call, compare, tmp_path):
    for number in (1, 2):
        code, printed, errors = compare("--shard", f"{number}/2", "--quiet", out=f"part{number}")
        assert (code, errors) == (0, "")
        stored = f"Shard {number}/2: 2 trials stored in {tmp_path / f'part{number}'}."
        assert stored in " ".join(printed.split())
    code, printed, _ = call("merge", tmp_path / "part1", tmp_path / "part2", "--out", tmp_path / "all")
    assert code == 0
    assert f"4 trials added to {tmp_path / 'all'}; 0 there already." in " ".join(printed.split())
    code, printed, _ = compare(out="all")
    assert code == 0
    assert "100 %" not in printed
    code, printed, _ = call("merge", tmp_path / "all", "--out", tmp_path / "part1")
    words = " ".join(printed.split())
    (run,) = (tmp_path / "all").glob("compared-*")
    assert "2 trials added" in words
    command = f"bnrenorm compare {run} --engine chainer --device cpu --out {tmp_path / 'part1'}"
    assert f"{run}: 4 of 4 trials; {command} compares them" in words


def test_runs_of_several_seeds_are_compared_together(call, compare, tmp_path):
    """A run of half of the seeds would be a comparison of half of what was trained."""
    for part, seeds in (("low", "[0,1]"), ("high", "[3,2]")):
        assert compare("--set", f"seeds={seeds}", out=part)[0] == 0
    assert compare("--set", "model.hidden=[7]", out="other")[0] == 0
    sources = [tmp_path / part for part in ("low", "high", "other")]
    code, printed, _ = call("merge", *sources, "--out", tmp_path / "all")
    low, high, other = (next(source.glob("compared-*")) for source in sources)
    words = " ".join(printed.split())
    command = f"bnrenorm compare {low} --seeds 4 --engine chainer --device cpu --out {tmp_path / 'all'}"
    assert (code, f"{low} and {high}: 8 of 8 trials; {command} compares them" in words) == (0, True)
    assert f"{other}: 4 of 4 trials; bnrenorm compare {other} --engine" in words
    code, printed, _ = call(*command.split()[1:])
    assert code == 0
    assert "4 paired seeds" in " ".join(printed.split())
    assert "100 %" not in printed, "all trials are there"


@pytest.mark.parametrize("content", [b"[", b"\xff", b"- a\n", None])
def test_a_run_whose_config_cannot_be_read_is_told_alone(call, compare, tmp_path, content):
    for part in ("one", "two"):
        assert compare(out=part)[0] == 0
        (config,) = (tmp_path / part).glob("compared-*/experiment.yaml")
        if content is None:
            (config.parent / "environment.json").unlink()  # as where a run has not ended: what trained it?
        else:
            config.write_bytes(content)
    code, printed, _ = call("merge", tmp_path / "one", tmp_path / "two", "--out", tmp_path / "all")
    assert (code, printed.count("4 of 4")) == (0, 2)


def test_a_run_is_told_once_and_not_with_that_of_another_engine(call, compare, tmp_path):
    assert compare(out="one")[0] == 0
    assert compare("--set", "seeds=[2,3]", "--engine", "cpu", out="two")[0] == 0
    sources = [tmp_path / part for part in ("one", "two", "one")]
    code, printed, _ = call("merge", *sources, "--out", tmp_path / "all")
    assert (code, printed.count("4 of 4")) == (0, 2)
    assert f" --engine cpu --out {tmp_path / 'all'} compares them" in " ".join(printed.split())


def test_runs_of_other_images_are_not_told_together(call, compare, few_digits_file, tmp_path):
    """Though their config is the same: each machine has its own under that path."""
    assert compare(out="one")[0] == 0
    with np.load(few_digits_file) as digits:
        np.savez(few_digits_file, **{name: np.flip(array, -1) for name, array in digits.items()})
    assert compare("--set", "seeds=[2,3]", out="two")[0] == 0
    code, printed, _ = call("merge", tmp_path / "one", tmp_path / "two", "--out", tmp_path / "all")
    assert (code, printed.count("4 of 4")) == (0, 2)


def test_runs_on_two_gpus_are_told_together(call, compare, tmp_path):
    for gpu, seeds in enumerate(("[0,1]", "[2,3]")):
        assert compare("--set", f"seeds={seeds}", out=f"gpu{gpu}")[0] == 0
        (environment,) = (tmp_path / f"gpu{gpu}").glob("compared-*/environment.json")
        environment.write_text(environment.read_text().replace('"device": "cpu"', f'"device": "cuda:{gpu}"'))
    code, printed, _ = call("merge", tmp_path / "gpu0", tmp_path / "gpu1", "--out", tmp_path / "all")
    assert (code, ": 8 of 8 trials; " in " ".join(printed.split())) == (0, True)


def test_a_dry_run_of_a_shard_counts_its_trials(compare):
    code, printed, _ = compare("--shard", "2/4", "--dry-run")
    assert code == 0
    assert "1 trial, 0 finished, 1 to train" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shard", "5/4"), "--shard 5/4: expected I/N with I from 1 to N, such as 2/8"),
        (("--shard", "1/4", "--json"), "--json: --shard 1/4 has no verdicts; leave out one of the two"),
        (("--workers", "2", "--dask", "tcp://a:1"), "--workers 2: the workers of --dask tcp://a:1 train; leave out one of the two"),
    ],
)  # fmt: skip
def test_options_that_exclude_each_other_are_one_line(compare, tmp_path, options, message):
    assert compare(*options) == (2, "", f"bnrenorm: {message}\n")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_trials_is_one_line(call, tmp_path):
    code, printed, errors = call("merge", tmp_path / "nowhere", "--out", tmp_path / "all")
    assert (code, printed) == (2, "")
    assert (
        errors
        == f"bnrenorm: {tmp_path / 'nowhere'}: no such folder, expected a folder of results, the --out of a comparison\n"
    )


HOSTILE = {
    "json bomb": lambda path: path.write_text("[" * 100_000),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path),
    "folder": lambda path: path.mkdir(),
    "another key": lambda path: path.write_text('{"key": "../../etc/passwd", "checksum": "0", "arrays": null}'),
    "empty": lambda path: path.touch(),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_folder_gives_nothing_and_is_named(call, compare, tmp_path, make):
    assert compare("--quiet", out="good")[0] == 0
    hostile = tmp_path / "hostile/trials/0123456789abcdef.json"
    hostile.parent.mkdir(parents=True)
    make(hostile)
    (hostile.parent / "../evil.json").write_text("{}")
    (hostile.parent / "not a key.json").write_text("{}")
    code, printed, errors = call("merge", tmp_path / "hostile", tmp_path / "good", "--out", tmp_path / "all")
    assert (code, errors) == (0, "")
    assert f"{hostile} is not as it was written, and left out" in " ".join(printed.split())
    assert len(list((tmp_path / "all/trials").glob("*.json"))) == 4


def test_what_is_missing_and_what_another_version_trained_is_counted(call, compare, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bnrenorm.config.trial.RESULTS", 0)
        assert compare(out="old")[0] == 0
    assert compare("--set", "seeds=[2,3]", out="new")[0] == 0
    (gone, *_) = (tmp_path / "new" / "trials").glob("*.json")
    gone.unlink()
    code, printed, _ = call("merge", tmp_path / "old", tmp_path / "new", "--out", tmp_path / "all")
    words = " ".join(printed.split())
    assert (code, "7 trials added" in words) == (0, True)
    assert ": 3 of 8 trials, and 4 of another version of bnrenorm; bnrenorm compare" in words
    assert words.endswith(f" --out {tmp_path / 'all'} trains the rest and compares them")


def test_what_is_damaged_or_was_trained_again_is_not_counted_as_another_versions(call, compare, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bnrenorm.config.trial.RESULTS", 0)
        assert compare(out="one")[0] == 0
    assert compare(out="one")[0] == 0
    _, printed, _ = call("merge", tmp_path / "one", "--out", tmp_path / "all")
    assert ": 4 of 4 trials; bnrenorm compare" in " ".join(printed.split())
    for path in (tmp_path / "one" / "trials").glob("*.json"):
        path.write_text("{}")
    _, printed, _ = call("merge", tmp_path / "one", "--out", tmp_path / "none")
    assert "another version" not in printed
