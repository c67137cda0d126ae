"""What `restore` makes of a plan: what is left on one side alone is new to the other, instead of deleted. Pure.

A pair that is forgotten is found again in the next round, as a message without one, and copied.
"""

from collections.abc import Collection

from syncer.reconcile.actions import Action, Expunge, Forget, RemoveLocal
from syncer.reconcile.flags import DELETED
from syncer.reconcile.identity import MailboxName, UniqueName
from syncer.reconcile.observations import Observation, Pair, PairState
from syncer.reconcile.policy import Policy

SET_ASIDE = ".set-aside.syncer"
"""How the name of a pair ends whose copy on the server may be a damaged one, and is never to come into the Maildir."""


def instead(action: Action) -> Action:
    """Instead of a deletion: forget the pair."""
    if isinstance(action, Expunge | RemoveLocal):
        return _forget(action.mailbox, action.pair)
    return action


def brought_back(here: Observation, policy: Policy, strangers: Collection[UniqueName]) -> list[Forget]:
    """Forget what an earlier pass left on one side alone, by `direction` or `on_local_delete`.

    Nothing unless that is to be restored. `strangers` are unique names in other mailboxes: what was filed is there.
    """
    if not policy.restore:
        return []
    return [_forget(here.mailbox, pair) for pair in here.apart if _may_come_back(here, pair, policy, strangers)]


def _may_come_back(here: Observation, pair: Pair, policy: Policy, strangers: Collection[UniqueName]) -> bool:
    if pair.state is PairState.LOCAL_ONLY:
        return policy.to_server and pair.name not in here.local.gone | here.local.unproven
    if pair.uid in here.server.gone | here.server.unproven or pair.name in here.local.flags or pair.name in strangers:
        return False
    # What is marked there was deleted, where single messages cannot be expunged.
    marked = DELETED in here.server.flags.get(pair.uid, pair.flags)
    return policy.to_local and not marked and not pair.name.endswith(SET_ASIDE)


def _forget(mailbox: MailboxName, pair: Pair) -> Forget:
    return Forget(mailbox=mailbox, reason="to be restored", uid=pair.uid)
