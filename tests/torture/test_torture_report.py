"""The report says what was played, what failed, and what was not played at all."""

from pathlib import Path

import pytest

from torture import TOP, report, results, runner, trials
from torture import __main__ as torture_main
from torture.bugs import Bug
from torture.results import Catch, Failure, Result
from torture.trials import Trial, chosen


class OddFail:
    total = 10

    def play(self, number: int, place: Path) -> dict[str, int]:
        assert place.is_dir()
        if number % 2:
            raise AssertionError(f"{number} is odd")
        if number == 4:
            raise ZeroDivisionError
        return {"even": 1, "max number": number}


BUGS = tuple(Bug(name, f"It is {name}.", (), ()) for name in ("caught", "free", "new"))
TRIAL = Trial("T0", "odd numbers fail", "none", 3, None)


@pytest.fixture(autouse=True)
def only_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "opened", lambda *_: trials.nothing(OddFail()))
    monkeypatch.setattr(report, "TRIALS", (TRIAL, Trial("T1", "never run", "none", 1, 1)))
    monkeypatch.setattr(report, "every", lambda: BUGS)


def test_what_failed_is_told_with_its_number_and_the_rest_goes_on() -> None:
    found = runner.play(TRIAL, Result("T0", "abc", "2026-01-02T03:04:05"), None, lambda numbers: numbers)

    assert (found.cases, found.total) == (10, 10)
    assert [(failure.number, failure.text.splitlines()[-1]) for failure in found.failures] == [
        (1, "1 is odd"), (3, "3 is odd"), (4, "ZeroDivisionError"), (5, "5 is odd"), (7, "7 is odd"), (9, "9 is odd"),
    ]  # fmt: skip
    assert found.counted == {"even": 4, "max number": 8}


def test_results_survive_being_saved_and_make_the_report(tmp_path: Path) -> None:
    result = Result("T0", "abc", "2026-01-02T03:04:05", 1234, 5678, 0, 61.5, {"kills": 2000}, [Failure(7, "lost\nm")])
    results.save(result, tmp_path)

    assert results.load(tmp_path) == {"T0": result}
    report.write(results.load(tmp_path), tmp_path / "R.md", results.load_catches(tmp_path))
    lines = (tmp_path / "R.md").read_text().splitlines()
    assert "| T0 | odd numbers fail | 1,234 of 5,678 | 1 | 2,000 kills | 62 | abc, 2026-01-02 |" in lines
    assert "| T1 | never run | not run | | | | |" in lines
    assert "- T0 7: lost" in lines


def test_a_trial_that_is_played_for_another_directory_leaves_the_report_of_the_repository_alone(tmp_path: Path) -> None:
    before = (TOP / "RELIABILITY.md").read_bytes()
    results.save(Result("T1", "abc", "2026-01-02T03:04:05+00:00", 1_234_567), tmp_path)

    report.refresh(tmp_path)
    assert "| 1,234,567 | 0 |" in (tmp_path / "RELIABILITY.md").read_text()
    assert (TOP / "RELIABILITY.md").read_bytes() == before


def test_what_was_found_in_several_processes_adds_up() -> None:
    one = Result("T0", "", "", 2, 9, 0, 3.0, {"a": 1, "max b": 5}, [Failure(1, "x")])
    one.merge(Result("T0", "", "", 3, 9, 0, 2.0, {"a": 2, "max b": 4}, [Failure(2, "y")]))

    wanted = Result("T0", "", "", 5, 9, 0, 3.0, {"a": 3, "max b": 5}, [Failure(1, "x"), Failure(2, "y")])
    assert one == wanted


@pytest.mark.parametrize("count", [1, 3, 10])
def test_chosen_cases_of_a_trial_that_has_an_end_are_all_of_them_in_the_end(count: int) -> None:
    taken = [number for first in range(0, 10, count) for number in chosen(10, count, first)]

    assert sorted(taken) == list(range(10))
    assert chosen(None, count, 5) == list(range(5, 5 + count))


def test_what_became_of_every_bug_is_in_the_report(tmp_path: Path) -> None:
    catches = {"caught": Catch("caught", "It was.", "tests/a.py::test_it"), "free": Catch("free", "It was.", None)}
    results.save_catches(catches, tmp_path)

    assert results.load_catches(tmp_path) == catches
    report.write({}, tmp_path / "R.md", results.load_catches(tmp_path))
    assert (tmp_path / "R.md").read_text().splitlines()[-3:] == [
        "| caught | It is caught. | `tests/a.py::test_it` |",
        "| free | It is free. | **nothing** |",
        "| new | It is new. | not run |",
    ]


@pytest.mark.parametrize("size", [[], ["--count", "7"]])
def test_a_trial_that_was_interrupted_goes_on_after_the_last_case_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: list[str]
) -> None:
    portions: list[int] = []

    def run(trial: Trial, blank: Result, count: int | None, *_: object) -> Result:
        if len(portions) == 3:
            raise KeyboardInterrupt
        found = runner.play(trial, blank, count, lambda numbers: numbers)
        portions.append(found.cases)
        return found

    monkeypatch.setattr(torture_main, "TRIALS", (TRIAL,))
    monkeypatch.setattr(torture_main.runner, "run", run)
    arguments = ["--more", "--out", str(tmp_path), *size]
    with pytest.raises(KeyboardInterrupt):
        torture_main.main(arguments)
    assert (results.load(tmp_path)["T0"].cases, portions) == (3, [1, 1, 1])
    portions.clear()
    monkeypatch.setattr(torture_main.runner, "run", lambda *asked: runner.play(*asked[:3], lambda numbers: numbers))
    torture_main.main(arguments)
    found = results.load(tmp_path)["T0"]
    aim = int(size[1]) if size else 10
    assert found.cases == aim
    assert {failure.number for failure in found.failures} == {1, 3, 4, 5, 7, 9} & set(chosen(10, aim))


def test_portions_that_were_played_at_several_commits_name_them_all() -> None:
    one = Result("T0", "abc", "2026-01-02", 2, 9, 0, 3.0, {"a": 1})
    for commit in ("abc", "def"):
        one.go_on(Result("T0", commit, "2026-01-03", 1, 9, 2, 1.5, {"a": 1}))
    assert one == Result("T0", "abc, def", "2026-01-03", 4, 9, 0, 6.0, {"a": 3})
