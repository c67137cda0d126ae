"""What happened: gathered, taken at once, and a rename taken as a whole."""

from syncer.maildir.news import TOGETHER, Batch, News
from syncer.reconcile.identity import INBOX, MailboxName

WORK = MailboxName("Work")


class Patient(News):
    """Does not really rest, and lets something happen meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        if len(self.rests) == 2:
            self.touched(WORK, arrives=7)


def test_what_happened_together_is_taken_together_and_once() -> None:
    news = Patient()
    news.touched(INBOX, leaves=6)
    news.touched(INBOX, arrives=6)
    news.touched(WORK, INBOX)
    news.disturbed(b"/Mail/New")
    news.died("its time had come")
    assert news.take(60) == Batch(frozenset({INBOX, WORK}), frozenset({b"/Mail/New"}), "its time had come")
    assert news.rests == [TOGETHER]
    assert news.take(0) == Batch()


def test_the_second_half_of_a_rename_is_waited_for() -> None:
    news = Patient()
    news.touched(INBOX, leaves=7)
    assert news.take(60) == Batch(frozenset({INBOX, WORK}))
    assert news.rests == [TOGETHER, TOGETHER]
    assert news.take(0) == Batch()


def test_once_closed_nothing_is_waited_for_and_nothing_taken() -> None:
    news = News()
    news.touched(INBOX)
    news.close()
    news.rest(3600)
    assert news.take(3600) is None
