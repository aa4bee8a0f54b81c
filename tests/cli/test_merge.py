"""Shards and merged folders on the command line: as a job array trains them, and as they are brought together."""

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
    assert f"{run}: 4 of 4 trials; bnrenorm compare {run} --out {tmp_path / 'part1'} compares them" in words


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
