"""The deliberate bugs still fit the sources, so that the list cannot rot."""

from pathlib import Path

import pytest

from torture import TOP
from torture.bugs import Bug, Edit, every


@pytest.mark.parametrize("bug", every(), ids=lambda bug: bug.name)
def test_a_bug_can_still_be_planted_and_its_tests_exist(bug: Bug) -> None:
    changed = bug.planted(TOP)

    assert changed.keys() == {edit.path for edit in bug.edits} != set()
    assert all(text != (TOP / path).read_text() for path, text in changed.items())
    assert bug.tests
    assert [test for test in bug.tests if not (TOP / test.partition("::")[0]).is_file()] == []


def test_every_bug_has_a_name_of_its_own_and_one_sentence() -> None:
    bugs = every()

    assert len({bug.name for bug in bugs}) == len(bugs) >= 30
    assert [bug.name for bug in bugs if not bug.what.endswith(".") or "\n" in bug.what or "|" in bug.what] == []


@pytest.mark.parametrize(
    ("text", "new", "why"),
    [
        ("a = 2\n", "b = 1", "has this 0 times"),
        ("a = 1\na = 1\n", "b = 1", "has this 2 times"),
        ("a = 1\n", "b =", "no Python"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(text: str, new: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Edit("x.py", "a = 1", new).applied(text)


def test_planting_changes_the_checkout_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\ntwo = 2\n")
    (tmp_path / "b.py").write_text("one = 1\n")

    Bug("x", "", (Edit("a.py", "one = 1", "one = 3"), Edit("a.py", "two = 2", "two = 4")), ()).plant(tmp_path)

    assert (tmp_path / "a.py").read_text() == "one = 3\ntwo = 4\n"
    assert (tmp_path / "b.py").read_text() == "one = 1\n"
