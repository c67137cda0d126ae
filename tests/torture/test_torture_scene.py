"""A case of T3 or T5 that failed says how to play it again."""

from torture.scene import again
from torture.trials import chosen


def test_the_options_that_are_told_choose_the_case() -> None:
    told = [again(30, number).split() for number in range(30)]

    assert [chosen(30, int(count), int(first)) for _, first, _, count in told] == [[number] for number in range(30)]
