"""What comparing everything has found although the server's counters had denied it: they are not to be relied upon."""

from collections.abc import Collection, Iterator

from syncer.observer.look import Look
from syncer.reconcile.actions import Action, Agree, Download, MoveLocal, Plan, RemoveLocal
from syncer.reconcile.identity import MailboxName, Uid


def hidden(
    look: Look, decision: Plan, forgotten: Collection[tuple[MailboxName, Uid]]
) -> Iterator[tuple[MailboxName, str]]:
    """A line for each mailbox of the look in which such changes were found.

    Those that were `forgotten` in the pass are new for the index alone, as they are when they are to be restored.
    """
    for mailbox, sight in look.sights.items():
        if not sight.denied:
            continue
        server = sight.observation.server
        uids = {*(message.uid for message in server.new), *server.flags, *server.gone}
        touched = {_uid_of(action) for action in decision.actions if action.mailbox == mailbox}
        found = len({uid for uid in touched & uids if (mailbox, uid) not in forgotten})
        if found:
            yield mailbox, f"comparing everything found changes that the server had not told of: {found}"


def _uid_of(action: Action) -> Uid | None:
    match action:
        case Download(message=message):
            return message.uid
        case Agree(pair=pair) | RemoveLocal(pair=pair) | MoveLocal(pair=pair):
            return pair.uid
    return None
