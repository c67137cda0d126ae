"""A few threads and a queue of work for them."""

import threading

import pytest

from syncer.workers import Workers


def test_work_is_done_and_its_result_told() -> None:
    with Workers(3, "w") as workers:
        tasks = [workers.submit(lambda number=number: number * 2) for number in range(100)]  # type: ignore[misc]
        assert [task.result() for task in tasks] == list(range(0, 200, 2))


def test_what_the_work_raises_is_raised_where_the_result_is_asked_for() -> None:
    with Workers(1, "w") as workers:
        broken, fine = workers.submit(lambda: 1 // 0), workers.submit(lambda: 1)
        with pytest.raises(ZeroDivisionError):
            broken.result()
        assert fine.result() == 1


def test_no_more_threads_than_work_or_than_allowed_and_none_stays() -> None:
    before = threading.active_count()
    gate = threading.Event()
    with Workers(2, "w") as workers:
        workers.submit(lambda: None).result()
        workers.submit(lambda: None).result()
        assert threading.active_count() <= before + 2
        tasks = [workers.submit(gate.wait) for _ in range(5)]
        assert threading.active_count() == before + 2
        gate.set()
        assert all(task.result() for task in tasks)
    assert threading.active_count() == before


def test_work_is_begun_in_order() -> None:
    begun: list[int] = []
    with Workers(1, "w") as workers:
        tasks = [workers.submit(lambda number=number: begun.append(number)) for number in range(20)]  # type: ignore[misc]
        for task in tasks:
            task.result()
    assert begun == list(range(20))


def test_what_was_not_begun_when_they_end_is_not_done_and_says_so() -> None:
    gate, inside = threading.Event(), threading.Event()

    def wait() -> bool:
        inside.set()
        return gate.wait()

    workers = Workers(1, "w")
    first, second = workers.submit(wait), workers.submit(lambda: True)
    inside.wait()
    closing = threading.Thread(target=workers.close)
    closing.start()
    with pytest.raises(RuntimeError, match="not begun"):
        second.result()
    gate.set()
    closing.join()
    assert first.result()
    with pytest.raises(RuntimeError, match="ended"):
        workers.submit(lambda: None)
