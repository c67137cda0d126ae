"""One file under which the index knows two messages, each of which one side has lost. Pure.

A message was moved by both sides, to the same mailbox, and only that was looked at before the file was moved back: then
the file has a pair where it is, whose message is gone, and one where it has been, whose file is gone. Each by itself is
a deletion, and both together would delete the message. There is one file left and one message, and nobody has deleted
either: the file was moved.
"""

from collections.abc import Sequence

from syncer.reconcile.actions import Action, Expunge, Forget, RemoveLocal


def reunited(actions: Sequence[Action]) -> list[Action]:
    """The actions with such pairs of deletions taken back.

    Where the file is, it becomes new to the index, and the next look finds that it was moved from where its message is.
    """
    removals = {(a.pair.name, a.pair.fingerprint): a for a in actions if isinstance(a, RemoveLocal)}
    taken_back: dict[int, Action | None] = {}
    for action in actions:
        if not isinstance(action, Expunge):
            continue
        twin = removals.get((action.pair.name, action.pair.fingerprint))
        if twin is not None and twin.mailbox != action.mailbox:
            taken_back[id(action)] = None
            reason = f"its file is that of UID {action.pair.uid} in {action.mailbox}"
            taken_back[id(twin)] = Forget(mailbox=twin.mailbox, reason=reason, uid=twin.pair.uid)
    return [kept for action in actions if (kept := taken_back.get(id(action), action)) is not None]
