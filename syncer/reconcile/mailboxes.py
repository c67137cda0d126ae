"""Mailboxes as a whole: which are created, renamed and deleted, and what becomes of one that is missing on a side.

By default only creation is propagated: a mailbox that was deleted on one side comes back from the other, since a
missing directory or a shortened LIST is no proof that anybody wanted it gone. With `mailbox_changes = "all"`
deletions and unambiguous renames are propagated; the guards count the messages of a deleted mailbox.
"""

from collections.abc import Mapping

from syncer.reconcile.actions import (
    Action,
    CreateMailbox,
    DeleteMailbox,
    Expunge,
    Forget,
    ForgetMailbox,
    MailboxAction,
    RemoveLocal,
    RenameMailbox,
)
from syncer.reconcile.identity import INBOX, MailboxName, Side, UniqueName
from syncer.reconcile.observations import Observation, PairState
from syncer.reconcile.places import Places, same_mailbox
from syncer.reconcile.policy import Policy


def arrange(places: Places, policy: Policy) -> tuple[MailboxAction, ...]:
    """Create and rename, before messages are looked at. Mailboxes missing on a side are left to `vanished`."""
    actions: list[MailboxAction] = []
    renamed: set[MailboxName] = set()
    if policy.mailbox_changes == "all":
        for rename in _renames(places, policy):
            actions.append(rename)
            renamed |= {rename.mailbox, rename.new_name}
            renamed |= {_below(rename, name) for name in places.known if name.startswith(f"{rename.mailbox}/")}
    for mailbox in sorted((places.server | places.local) - places.known.keys() - renamed):
        if mailbox not in places.local and policy.to_local:
            actions.append(CreateMailbox(mailbox=mailbox, reason="new on the server", side="local"))
        if mailbox not in places.server and policy.to_server:
            actions.append(CreateMailbox(mailbox=mailbox, reason="new in the Maildir", side="server"))
    return tuple(actions)


def _below(rename: RenameMailbox, name: MailboxName) -> MailboxName:
    """The new name of a mailbox that is carried along."""
    return MailboxName(f"{rename.new_name}{name[len(rename.mailbox) :]}")


def vanished(here: Observation, policy: Policy, *, everything_seen: bool = True) -> tuple[list[Action], list[str]]:
    """Decide about a mailbox that the index knows and that is missing on the server, in the Maildir or on both.

    The index forgets before anything is created, so that a killed run never leaves an empty mailbox beside pairs that
    would then look deleted.
    """
    if here.server.missing and here.local.missing:
        return [ForgetMailbox(mailbox=here.mailbox, reason="gone on both sides")], []
    if here.server.missing:
        return _gone_from_server(here, policy)
    if not everything_seen:
        return [], ["missing in the Maildir, which could not be read completely: the next sync looks again"]
    return _gone_from_maildir(here, policy)


def _gone_from_server(here: Observation, policy: Policy) -> tuple[list[Action], list[str]]:
    mailbox = here.mailbox
    both = [pair for pair in here.pairs if pair.state is PairState.BOTH]
    only_here = len(here.local.new) + sum(pair.state is PairState.LOCAL_ONLY for pair in here.pairs)
    actions: list[Action] = []
    propagated = policy.mailbox_changes == "all" and not policy.restore
    if propagated and policy.to_local and mailbox != INBOX:
        reason = "the mailbox was deleted on the server"
        if not only_here:
            return [DeleteMailbox(mailbox=mailbox, reason=reason, side="local", messages=len(both))], []
        actions += [RemoveLocal(mailbox=mailbox, reason=reason, pair=pair) for pair in both]
    elif not policy.to_server:
        return [], ["missing on the server; its messages here are kept"]
    actions.append(ForgetMailbox(mailbox=mailbox, reason="missing on the server: to be created again from the Maildir"))
    return actions, []


def _gone_from_maildir(here: Observation, policy: Policy) -> tuple[list[Action], list[str]]:
    mailbox = here.mailbox
    both = [pair for pair in here.pairs if pair.state is PairState.BOTH]
    only_there = len(here.server.new) + sum(pair.state is PairState.SERVER_ONLY for pair in here.pairs)
    create = CreateMailbox(mailbox=mailbox, reason="missing in the Maildir", side="local")
    deletable = policy.to_server and here.server.writable and policy.on_local_delete == "expunge"
    propagated = policy.mailbox_changes == "all" and not policy.restore
    if propagated and deletable and mailbox != INBOX and not here.server.unproven:
        reason = "the mailbox was deleted in the Maildir"
        if not only_there:
            return [DeleteMailbox(mailbox=mailbox, reason=reason, side="server", messages=len(both))], []
        return [*(Expunge(mailbox=mailbox, reason=reason, pair=pair) for pair in both), create], []
    if not policy.to_local:
        return [], ["missing in the Maildir; its messages on the server are kept"]
    reason = "the mailbox was missing in the Maildir: to be fetched again"
    return [*(Forget(mailbox=mailbox, reason=reason, uid=pair.uid) for pair in both), create], []


def _renames(places: Places, policy: Policy) -> list[RenameMailbox]:
    known = places.known.keys() - {INBOX}
    renames: list[RenameMailbox] = []
    if policy.to_local:
        lost = sorted((known & places.local) - places.server)
        found = sorted(places.server_epochs.keys() - known)
        candidates = {
            old: [new for new in found if same_mailbox(places.known[old], places.server_epochs[new])] for old in lost
        }
        renames += _unambiguous(candidates, "local", "renamed on the server")
    if policy.to_server:
        lost = sorted((known & places.server) - places.local)
        found = sorted(places.local_names.keys() - known)
        candidates = {
            old: [new for new in found if _same_files(places.known_names.get(old), places.local_names[new])]
            for old in lost
        }
        renames += _unambiguous(candidates, "server", "renamed in the Maildir")
    return renames


def _unambiguous(candidates: Mapping[MailboxName, list[MailboxName]], side: Side, reason: str) -> list[RenameMailbox]:
    """Renames where exactly one old name and one new name fit each other."""
    claims: dict[MailboxName, int] = {}
    for found in candidates.values():
        for new in found:
            claims[new] = claims.get(new, 0) + 1
    sure = {old: found[0] for old, found in candidates.items() if len(found) == 1 and claims[found[0]] == 1}
    # The lowest first: what is taken out of a mailbox must be out before that is renamed.
    return [
        RenameMailbox(mailbox=old, reason=reason, side=side, new_name=sure[old])
        for old in sorted(sure, key=lambda name: (-name.count("/"), name))
        if not _carried(old, sure[old], sure)
    ]


def _carried(old: MailboxName, new: MailboxName, renames: Mapping[MailboxName, MailboxName]) -> bool:
    """Whether renaming a mailbox above it does this one too."""
    return any(
        old.startswith(f"{above}/") and new == f"{target}/{old[len(above) + 1 :]}" for above, target in renames.items()
    )


def _same_files(known: frozenset[UniqueName] | None, seen: frozenset[UniqueName]) -> bool:
    """Every file that the index knows of is in the other place, but for a few, and it holds mostly those."""
    if not known or not seen:
        return False
    common = len(known & seen)
    return common * 10 >= len(known) * 9 and common * 2 >= len(seen)
