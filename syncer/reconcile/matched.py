"""What is done about messages that were matched: flags are merged, moves are followed on the other side. Pure."""

from collections.abc import Collection, Iterator, Mapping

from syncer.reconcile.actions import Action, Agree, MoveLocal, MoveOnServer
from syncer.reconcile.agreement import Seen, agree, agree_after_local_move, agree_after_server_move
from syncer.reconcile.candidates import Message
from syncer.reconcile.flags import NONE
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.matches import Matches, Met, MovedFile, MovedMessage, Renamed, Renumbered
from syncer.reconcile.observations import Observation, Pair
from syncer.reconcile.policy import Policy
from syncer.values import replace

Observations = Mapping[MailboxName, Observation]


def about_matches(
    matches: Matches, by_name: Observations, policy: Policy, waiting: Collection[Message]
) -> Iterator[Action]:
    """The action for each match, of which `by_name` has the mailboxes; none for the pairs that are `waiting`."""

    def waits(found: Renamed | Renumbered) -> bool:
        return (found.mailbox, found.pair.uid) in waiting

    yield from (_renamed(found, by_name, policy) for found in matches.renamed if not waits(found))
    yield from (_renumbered(found, by_name, policy) for found in matches.renumbered if not waits(found))
    yield from (_met(found, by_name, policy) for found in matches.met)
    yield from (_moved_file(found, by_name, policy) for found in matches.moved_files)
    yield from (_moved_message(found, by_name, policy) for found in matches.moved_messages)


def _renamed(found: Renamed, by_name: Observations, policy: Policy) -> Agree:
    here, pair = by_name[found.mailbox], found.pair
    seen = Seen(pair.flags, here.server.flags.get(pair.uid, pair.flags), found.local.flags)
    result = agree(seen, here.server, here.local.letters, policy)
    return Agree(
        mailbox=found.mailbox,
        reason="the file has a new unique name",
        pair=replace(pair, name=found.local.name, flags=result.agreed),
        to_server=result.to_server,
        to_local=result.to_local,
    )


def _renumbered(found: Renumbered, by_name: Observations, policy: Policy) -> Agree:
    here, pair = by_name[found.mailbox], found.pair
    seen = Seen(pair.flags, found.server.flags, here.local.flags.get(pair.name, pair.flags))
    result = agree(seen, here.server, here.local.letters, policy)
    return Agree(
        mailbox=found.mailbox,
        reason="the message has a new UID",
        pair=replace(pair, uid=found.server.uid, flags=result.agreed, email_id=found.server.email_id),
        to_server=result.to_server,
        to_local=result.to_local,
    )


def _met(found: Met, by_name: Observations, policy: Policy) -> Agree:
    here = by_name[found.mailbox]
    seen = Seen(found.before.flags if found.before else NONE, found.server.flags, found.local.flags)
    merge_flags = agree_after_local_move if found.before else agree
    result = merge_flags(seen, here.server, here.local.letters, policy)
    return Agree(
        mailbox=found.mailbox,
        reason="the same message on both sides",
        pair=Pair(found.server.uid, found.local.name, result.agreed, found.fingerprint, found.server.email_id),
        to_server=result.to_server,
        to_local=result.to_local,
    )


def _moved_file(found: MovedFile, by_name: Observations, policy: Policy) -> MoveOnServer:
    source, target, pair = by_name[found.source], by_name[found.target], found.pair
    seen = Seen(pair.flags, source.server.flags.get(pair.uid, pair.flags), found.local.flags)
    result = agree_after_local_move(seen, source.server, target.local.letters, policy)
    return MoveOnServer(
        mailbox=found.source,
        reason="moved in the Maildir",
        pair=pair,
        target=found.target,
        landed=found.local,
        agreed=result.agreed,
        to_server=result.to_server,
        to_local=result.to_local,
    )


def _moved_message(found: MovedMessage, by_name: Observations, policy: Policy) -> MoveLocal:
    source, target, pair = by_name[found.source], by_name[found.target], found.pair
    seen = Seen(pair.flags, found.server.flags, source.local.flags.get(pair.name, pair.flags))
    result = agree_after_server_move(seen, target.server, source.local.letters, policy)
    return MoveLocal(
        mailbox=found.source,
        reason="moved on the server",
        pair=pair,
        target=found.target,
        landed=found.server,
        agreed=result.agreed,
        to_server=result.to_server,
        to_local=result.to_local,
    )
