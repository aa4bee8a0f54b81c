"""Seeds that are added to those of which there is a verdict, and what of a run is stored already."""

import pytest

LOOK = "2 of these 4 seeds had a verdict before: if that decided that there are more now, p < .05 errs more often"


@pytest.mark.usefixtures("no_pictures")
def test_seeds_that_are_added_after_a_verdict_are_remarked_each_time(compare):
    code, printed, _ = compare()
    assert (code, "had a verdict" in printed) == (0, False)
    for stored, left in ((4, 4), (8, 0)):
        code, printed, _ = compare("--seeds", "4")
        words = " ".join(printed.split())
        assert (code, f"Note: {LOOK}" in words) == (0, True)
        assert f"{stored} of 8 different trials stored already; {left} to train" in words
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
