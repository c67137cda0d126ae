"""The control socket of a watched account: who asks for a pass gets its report, who follows is told what happens."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from syncer.daemon.control import Answer, Control
from syncer.report import AccountReport
from syncer.values import Struct
from syncer.wiring.asking import Question, answer_of, question_of
from syncer.wiring.news import is_follow
from syncer.wiring.telling import Telling


class Desk(Struct, frozen=True):
    """Answers for one account."""

    account: str
    telling: Telling
    make: Callable[[Question], AccountReport]
    """Makes a pass, in turn with others."""

    def open(self, path: Path, stack: ExitStack) -> None:
        """Until `stack` is left; where there can be no socket, who asks is told that the account is locked."""
        stack.enter_context(self.telling.followers)
        try:
            stack.enter_context(Control(path, self._answer))
        except OSError as error:
            import logging  # noqa: PLC0415 - seldom needed

            words = "account %s: no socket at %s, so neither `sync` nor `status --follow` can ask this watch: %s"
            logging.getLogger(__name__).warning(words, self.account, path, error.strerror)

    def _answer(self, line: bytes) -> Answer:
        """Nothing for a question that is not understood."""
        if is_follow(line):
            return self._follow
        question = question_of(line)
        return b"" if question is None else answer_of(self.make(question))

    def _follow(self, follower: socket.socket) -> None:
        self.telling.attend(follower)
