"""The decision table: from what differs to what to do about it.

| in index | on server | in Maildir | action |
| --- | --- | --- | --- |
| - | yes | - | Download |
| - | - | yes | Append |
| - | yes | yes | Agree: the same message, found by matching |
| yes | yes | yes | Agree: the three-way merge of flags |
| yes | gone | yes | RemoveLocal |
| yes | yes | gone | Expunge |
| yes | gone | gone | Forget |
| yes | yes | elsewhere | MoveOnServer |
| yes | elsewhere | yes | MoveLocal |
| stray | - | yes | RemoveStray, which a guard always holds: the server lost it with an epoch |

A deletion beats a flag change and says so. The settings are applied here, so that what is not allowed never becomes an
action; the index then remembers which copies remain on purpose (`PairState`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from syncer.reconcile.actions import (
    Action,
    Agree,
    Append,
    CreateMailbox,
    Download,
    Expunge,
    Forget,
    ForgetMailbox,
    Plan,
    Refusal,
    RemoveLocal,
    RemoveStray,
)
from syncer.reconcile.agreement import Seen, agree
from syncer.reconcile.flags import DELETED, NONE
from syncer.reconcile.guards import hold_deletions, not_the_same
from syncer.reconcile.identity import UniqueName
from syncer.reconcile.mailboxes import vanished
from syncer.reconcile.matched import about_matches
from syncer.reconcile.matches import Evidence
from syncer.reconcile.matching import match
from syncer.reconcile.observations import Observation, Pair, PairState, ServerMessage
from syncer.reconcile.policy import Policy
from syncer.reconcile.restoring import brought_back, instead
from syncer.reconcile.triage import Uncompared, emptied_first, permitted, undecided, without_matched, without_pairs
from syncer.reconcile.twins import reunited
from syncer.values import replace

NO_NAMES: frozenset[UniqueName] = frozenset()
KEPT = "deleted here, kept on the server"
"""Why a pair is recorded as being on the server alone."""


def refuse(observations: Iterable[Observation]) -> tuple[tuple[Observation, ...], tuple[Refusal, ...]]:
    """Take out the mailboxes that are not the ones the index knows; nothing is done in them."""
    accepted: list[Observation] = []
    refusals: list[Refusal] = []
    for observation in observations:
        reason = None if observation.server.missing else not_the_same(observation)
        if reason is None:
            accepted.append(observation)
        else:
            refusals.append(Refusal(observation.mailbox, reason))
    return tuple(accepted), tuple(refusals)


def plan(
    observations: Sequence[Observation],
    evidence: Evidence,
    policy: Policy,
    elsewhere: frozenset[UniqueName] = NO_NAMES,
    doubled: frozenset[UniqueName] = NO_NAMES,
    *,
    everything_seen: bool = True,
    whole: bool = True,
) -> Plan:
    """Decide about mailboxes that `refuse` accepted.

    Args:
        observations: what differs, for each mailbox.
        evidence: what matching asked for.
        policy: what the settings allow.
        elsewhere: unique names in mailboxes that are not planned for. A pair whose file may have gone there is not
            deleted; nor is it forgotten in a pass over a part, as it tells what the file there is.
        doubled: unique names of pairs there. A file whose own message is gone may be theirs, and is not removed.
        everything_seen: every mailbox of the Maildir was listed completely, so that a missing file is in none of them.
        whole: every mailbox of the account was looked at, so that a missing mailbox was not renamed to another.
    """
    by_name = {observation.mailbox: observation for observation in observations}
    uncompared = Uncompared.of(observations, evidence)
    matched = match(observations, evidence)
    matches, waiting = permitted(matched, by_name, policy, uncompared)
    actions = list(about_matches(matches, by_name, policy, waiting))
    unmatched = without_matched(observations, matches)
    rest = without_pairs(unmatched, waiting)
    unclear = undecided(rest, uncompared, doubled, NO_NAMES if whole else elsewhere)
    rest = without_pairs(rest, unclear)
    waiting |= unclear
    strangers = elsewhere | {message.name for o in rest for message in o.local.new}
    everything_seen = everything_seen and not uncompared.files
    notes = [
        (mailbox, f"{number} {reason}")
        for (mailbox, reason), number in Counter((source, why) for (source, _), why in waiting.items() if why).items()
    ]
    left_later = emptied_first(matched, waiting, by_name)
    for observation in rest:
        if (observation.server.missing or observation.local.missing) and observation.mailbox in left_later:
            continue  # its messages have to be out of it before it is deleted
        if observation.server.missing or observation.local.missing:
            found, said = _vanished(observation, policy, strangers, everything_seen=everything_seen, whole=whole)
        else:
            here, number = uncompared.without(observation)
            found, said = _mailbox(here, policy, strangers, everything_seen=everything_seen)
            if number:
                said.append(f"{number} new messages not copied: they could not be compared, the next sync looks again")
        actions += found
        notes += [(observation.mailbox, note) for note in said]
    actions, apart = reunited(actions, unmatched)
    notes += apart
    if policy.restore:
        actions = [instead(action) for action in actions]
    kept, holds = hold_deletions(observations, actions, policy.limits)
    held = {hold.mailbox for hold in holds}  # as long as its deletions are held, a mailbox is not begun anew
    kept = tuple(a for a in kept if not (isinstance(a, ForgetMailbox | CreateMailbox) and a.mailbox in held))
    return Plan(kept, (), holds, tuple(notes))


def _vanished(
    here: Observation, policy: Policy, strangers: frozenset[UniqueName], *, everything_seen: bool, whole: bool
) -> tuple[list[Action], list[str]]:
    """What is missing may have been renamed: nothing is decided before its messages are proved to be nowhere else."""
    if not whole or (here.local.missing and any(pair.name in strangers for pair in here.pairs)):
        side = "on the server" if here.server.missing else "in the Maildir"
        return [], [f"missing {side}, perhaps renamed: left to a sync of the whole account"]
    return vanished(here, policy, everything_seen=everything_seen)


def _mailbox(
    here: Observation, policy: Policy, strangers: frozenset[UniqueName], *, everything_seen: bool
) -> tuple[list[Action], list[str]]:
    """Decide about a mailbox that is there on both sides."""
    back = brought_back(here, policy, strangers)
    actions: list[Action] = [*back]
    decided_already = {action.uid for action in back}
    postponed: dict[str, int] = {}
    for pair in (pair for pair in here.pairs if pair.uid not in decided_already):
        decided = _pair(here, pair, policy, strangers, everything_seen=everything_seen)
        if isinstance(decided, str):
            postponed[decided] = postponed.get(decided, 0) + 1
        elif decided is not None:
            actions.append(decided)
    for found, waits in (_arrived(here, policy), _written(here, policy)):
        actions += found
        postponed |= waits
    unseen = len(here.server.unproven)
    notes = [f"{count} {reason}" for reason, count in postponed.items()]
    if kept := sum(isinstance(a, Agree) and a.reason == KEPT and a.pair.name not in strangers for a in actions):
        messages = "1 message" if kept == 1 else f"{kept} messages"
        notes.append(f"{messages} gone from the Maildir, kept on the server; `syncer restore` copies what is missing")
    if unseen:
        notes.append(f"the server did not list {unseen} known messages, without proof that they are gone: kept")
    return actions, notes


def _arrived(here: Observation, policy: Policy) -> tuple[list[Action], dict[str, int]]:
    """New messages of the server, and how many wait for which reason."""
    if not policy.to_local:
        return [], {}
    new = [m for m in here.server.new if not _may_be_ours(here, m)]
    waits = {}
    if len(new) < len(here.server.new):
        reason = "messages not downloaded: they may be files of this mailbox, which was not read completely"
        waits[reason] = len(here.server.new) - len(new)
    due = (message for message in new if message.uid not in here.parked)
    return [Download(mailbox=here.mailbox, reason="new on the server", message=m) for m in due], waits


def _written(here: Observation, policy: Policy) -> tuple[list[Action], dict[str, int]]:
    """New files of the Maildir, and how many wait for which reason."""
    sent = {intent.name for intent in here.intents if intent.sent}
    strays = () if policy.restore else here.strays
    new = [message for message in here.local.new if message.name not in sent and message.name not in strays]
    waits = {}
    if unknown := sum(message.name in sent for message in here.local.new):
        waits["uploaded, but it is not known which message on the server it became: not uploaded again"] = unknown
    lost = _lost(here, policy)
    if not policy.to_server or not new:
        return lost, waits
    if not here.server.complete:
        reason = "new messages not uploaded: the server did not list the mailbox completely, and may have them"
        return lost, waits | {reason: len(new)}
    if not here.server.writable:
        return lost, waits | {"new messages not uploaded: the mailbox is read-only on the server": len(new)}
    due = (message for message in new if message.name not in here.parked)
    return [*lost, *(Append(mailbox=here.mailbox, reason="new in the Maildir", message=m) for m in due)], waits


def _lost(here: Observation, policy: Policy) -> list[Action]:
    """Files whose message the server lost. Where only one side may be changed they stay, and nothing is asked."""
    if policy.restore or policy.direction != "both":
        return []
    lost = [message for message in here.local.new if message.name in here.strays]
    return [RemoveStray(mailbox=here.mailbox, reason="the server lost it", message=message) for message in lost]


def _may_be_ours(here: Observation, message: ServerMessage) -> bool:
    """Whether an APPEND of unknown outcome may have made it, of a file that this look did not see."""
    if here.local.complete:
        return False
    seen = {m.name for m in here.local.new}
    return any(message.uid >= (i.uidnext or 1) for i in here.intents if i.name not in seen)


def _pair(
    here: Observation, pair: Pair, policy: Policy, strangers: frozenset[UniqueName], *, everything_seen: bool
) -> Action | str | None:
    """Decide about one message that the index knows: an action, why it is postponed, or nothing to do."""
    match pair.state, pair.uid in here.server.gone, pair.name in here.local.gone:
        case PairState.SERVER_ONLY, True, _:
            return Forget(mailbox=here.mailbox, reason="expunged on the server, deleted here before", uid=pair.uid)
        case PairState.LOCAL_ONLY, _, True:
            return Forget(mailbox=here.mailbox, reason="deleted here, expunged on the server before", uid=pair.uid)
        case PairState.BOTH, True, True:
            return Forget(mailbox=here.mailbox, reason="gone on both sides", uid=pair.uid)
        case PairState.BOTH, True, False:
            return _expunged_there(here, pair, policy)
        case PairState.BOTH, False, True:
            return _deleted_here(here, pair, policy, strangers, everything_seen=everything_seen)
    return _flags(here, pair, policy)


def _expunged_there(here: Observation, pair: Pair, policy: Policy) -> Action:
    if not policy.to_local and not policy.restore:
        kept = replace(pair, state=PairState.LOCAL_ONLY)
        return Agree(mailbox=here.mailbox, reason="expunged on the server, kept here", pair=kept)
    changed = " although its flags changed here" if pair.name in here.local.flags else ""
    return RemoveLocal(mailbox=here.mailbox, reason=f"expunged on the server{changed}", pair=pair)


def _deleted_here(
    here: Observation, pair: Pair, policy: Policy, strangers: frozenset[UniqueName], *, everything_seen: bool
) -> Action | str:
    if not policy.to_server or policy.on_local_delete == "keep":
        return _kept_on_server(here, pair, policy, strangers)
    if not here.server.writable and not policy.restore:
        return "deleted messages not expunged: the mailbox is read-only on the server"
    if pair.name in strangers:
        return "missing messages not expunged: a file of the same name is in another mailbox"
    if not everything_seen:
        return "missing messages not expunged: the Maildir changed while it was read, the next sync looks again"
    trash = None
    # What was marked on the server meanwhile is not brought to the trash: where there is neither MOVE nor UIDPLUS, that
    # is what is left behind of a message that was moved, or that is in the trash already.
    marked = DELETED in here.server.flags.get(pair.uid, NONE) - pair.flags
    if policy.on_local_delete == "trash" and not (marked or policy.restore):
        if policy.trash is None:
            return 'deleted messages not expunged: on_local_delete is "trash" and the server names no \\Trash mailbox'
        trash = policy.trash if policy.trash != here.mailbox else None
    changed = " although its flags changed on the server" if pair.uid in here.server.flags else ""
    return Expunge(mailbox=here.mailbox, reason=f"deleted in the Maildir{changed}", pair=pair, trash=trash)


def _kept_on_server(here: Observation, pair: Pair, policy: Policy, strangers: frozenset[UniqueName]) -> Action:
    """Nothing is deleted there: it is remembered as deleted here, unless nobody did that or it is to come back."""
    # Of a mailbox that was left out when the older copy was met only the hold tells.
    was_left_out = "server" in here.held and here.renewed is None
    nobody_did = (policy.limits.older_copy or was_left_out) and not policy.limits.allowed
    if (policy.restore or nobody_did) and policy.to_local and pair.name not in strangers:
        reason = "to be restored" if policy.restore else "missing in an older copy of the Maildir: to be fetched again"
        return Forget(mailbox=here.mailbox, reason=reason, uid=pair.uid)
    # With the server's flags: a change of them is told once.
    kept = replace(pair, flags=here.server.flags.get(pair.uid, pair.flags), state=PairState.SERVER_ONLY)
    return Agree(mailbox=here.mailbox, reason=KEPT, pair=kept)


def _flags(here: Observation, pair: Pair, policy: Policy) -> Action | None:
    server = here.server.flags.get(pair.uid)
    local = here.local.flags.get(pair.name)
    if pair.state is PairState.LOCAL_ONLY:
        return None
    if pair.state is PairState.SERVER_ONLY and local is None:
        kept = replace(pair, flags=pair.flags if server is None else server)
        return Agree(mailbox=here.mailbox, reason="kept on the server", pair=kept) if kept != pair else None
    seen = Seen(pair.flags, pair.flags if server is None else server, pair.flags if local is None else local)
    result = agree(seen, here.server, here.local.letters, policy)
    back = pair.state is PairState.SERVER_ONLY
    if not back and not result.changes(pair.flags):
        return None
    sides = [side for side, flags in (("on the server", server), ("in the Maildir", local)) if flags is not None]
    return Agree(
        mailbox=here.mailbox,
        reason="the file is back" if back else f"flags changed {' and '.join(sides)}",
        pair=replace(pair, flags=result.agreed, state=PairState.BOTH),
        to_server=result.to_server,
        to_local=result.to_local,
    )
