"""One file under which the index knows two messages, each of which one side has lost. Pure.

A message was moved by both sides, to the same mailbox, and only that was looked at before the file was moved back: then
the file has a pair where it is, whose message is gone, and one where it has been, whose file is gone. Each by itself is
a deletion, and both together would delete the message, be it in two passes. There is one file left and one message, and
nobody has deleted either: the file was moved.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from syncer.reconcile.actions import Action, Expunge, Forget, RemoveLocal
from syncer.reconcile.identity import MailboxName, UniqueName
from syncer.reconcile.observations import Fingerprint, Observation, Pair, PairState

FILE_STAYS: Final = "messages gone on the server not removed: another mailbox has one of the same file"
MESSAGE_STAYS: Final = "missing messages not expunged: their file may be in another mailbox, without its message there"

Key = tuple[UniqueName, Fingerprint]
Places = Mapping[Key, Collection[MailboxName]]


def reunited(
    actions: Sequence[Action], undecided: Iterable[Observation]
) -> tuple[list[Action], list[tuple[MailboxName, str]]]:
    """The actions with deletions of such pairs taken back, and notes about those that wait.

    Where both are to be deleted, the file becomes new to the index, and the next look finds that it was moved from
    where its message is. Where only one of them is, it waits until the other is decided about, or both would be deleted
    in two passes. `undecided` are the observations without what was matched.
    """
    files, messages = _by_key(undecided, _has_file_alone), _by_key(undecided, _has_message_alone)
    expunged = {_key(action.pair): action for action in actions if isinstance(action, Expunge)}
    removed = {_key(action.pair) for action in actions if isinstance(action, RemoveLocal)}
    kept: list[Action] = []
    waiting: list[tuple[MailboxName, str]] = []
    for action in actions:
        if isinstance(action, Expunge) and _elsewhere(action, files):
            if _key(action.pair) not in removed:
                waiting.append((action.mailbox, MESSAGE_STAYS))
        elif isinstance(action, RemoveLocal) and _elsewhere(action, messages):
            twin = expunged.get(_key(action.pair))
            if twin is None:
                waiting.append((action.mailbox, FILE_STAYS))
            else:
                reason = f"its file is that of UID {twin.pair.uid} in {twin.mailbox}"
                kept.append(Forget(mailbox=action.mailbox, reason=reason, uid=action.pair.uid))
        else:
            kept.append(action)
    return kept, [(mailbox, f"{number} {why}") for (mailbox, why), number in Counter(waiting).items()]


def _by_key(observations: Iterable[Observation], alone: Callable[[Observation, Pair], bool]) -> Places:
    places: dict[Key, set[MailboxName]] = defaultdict(set)
    for here in observations:
        for pair in here.pairs:
            if pair.state is PairState.BOTH and alone(here, pair):
                places[_key(pair)].add(here.mailbox)
    return places


def _has_file_alone(here: Observation, pair: Pair) -> bool:
    """The message is not seen, and the file is not proved to be gone."""
    lost = here.server.missing or pair.uid in here.server.gone or pair.uid in here.server.unproven
    return lost and not (here.local.missing or pair.name in here.local.gone)


def _has_message_alone(here: Observation, pair: Pair) -> bool:
    """The file is not seen, and the message is not proved to be gone."""
    lost = here.local.missing or pair.name in here.local.gone or pair.name in here.local.unproven
    return lost and not (here.server.missing or pair.uid in here.server.gone)


def _elsewhere(action: Expunge | RemoveLocal, places: Places) -> bool:
    return any(mailbox != action.mailbox for mailbox in places.get(_key(action.pair), ()))


def _key(pair: Pair) -> Key:
    return pair.name, pair.fingerprint
