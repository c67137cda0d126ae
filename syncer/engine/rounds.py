"""The rounds of a pass in which something happened: look at both sides, decide, apply, and look again if need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncer.engine.applying import Applying
from syncer.engine.ends import BOTH_SIDES, elsewhere, other_ends, outdated
from syncer.engine.generations import Generations
from syncer.engine.passing import DAY
from syncer.engine.recording import finished
from syncer.errors import MailboxError
from syncer.observer.evidence import Elsewhere
from syncer.observer.glance import Glance
from syncer.observer.look import Look, Observer
from syncer.reconcile.identity import MailboxName
from syncer.reconcile.observations import PairState
from syncer.reconcile.places import Places
from syncer.reconcile.planner import refuse
from syncer.reconcile.policy import Policy
from syncer.values import replace

if TYPE_CHECKING:
    from syncer.engine.passing import Pass

ROUNDS = 3
"""How often one pass looks at the account: once, again for what could not be recorded at first, and once to spare."""


class Rounds:
    """The work of one pass."""

    def __init__(self, one: Pass, glance: Glance) -> None:
        self._pass = one
        self._glance = glance
        restores = one.order.policy.restore
        self._observer = Observer(glance, one.progress, renews=not one.order.dry_run, restores=restores)
        self._observer.spelling.normal(one.index.keywords())
        self._generations = Generations(one.store, one.index)
        self.applying = Applying(one, self._observer, self._policy())
        self._sides = dict(one.order.hints.mailboxes) if one.order.hints is not None else {}
        """Where to look, in a pass with hints: where they point, and at the other ends of moves."""

    def run(self, places: Places) -> None:
        """See `Pass.run`; `places` are those of the glance."""
        one, applying = self._pass, self.applying
        for number in range(ROUNDS):
            known = {mailbox.name for mailbox in one.index.mailboxes()}
            look, found = self._look(self._again() if number else places)
            if look.absent & known:  # what is new elsewhere may have come from there
                one.order = replace(one.order, hints=None)
                look, found = self._look(self._again())
            applying.decide(look, found)
            if one.order.dry_run:
                break
            if applying.has_something_to_do:
                self._generations.begin()
            applying.apply()
            if not applying.look_again:
                break
        applying.tell()
        if not one.order.dry_run:
            self._finish(look)

    def _look(self, places: Places) -> tuple[Look, Elsewhere]:
        """What was seen, and where missed files are, when mailboxes have been arranged."""
        one = self._pass
        places = self.applying.arrange(self._for_renames(places))
        look = self._observer.look(places, one.chosen(places), one.index.deleted_since(one.now() - DAY))
        return look, self._elsewhere(look)

    def _policy(self) -> Policy:
        policy = self._pass.order.policy
        generations = self._generations
        limits = replace(policy.limits, older_copy=generations.older_copy, untold=generations.untold)
        policy = replace(policy, limits=limits)
        return replace(policy, trash=self._glance.trash) if policy.on_local_delete == "trash" else policy

    def _again(self) -> Places:
        """Where the mailboxes are in a further round."""
        if self._pass.order.hints is None:
            return self._glance.places()
        self._sides = dict.fromkeys(self._sides, BOTH_SIDES)
        return self._glance.remembered(self._sides)

    def _elsewhere(self, look: Look) -> Elsewhere:
        """Where missed files are. Who was told where to look looks at the other ends of moves as well.

        What was moved during the look is looked at once more.
        """
        found = self._missed(look)
        while self._pass.order.hints is not None and (more := other_ends(self._pass, look, found)):
            self._sides |= more
            look.places = self._glance.remembered(self._sides)
            self._observer.look_further(look, more)
            found = self._missed(look)
        if late := outdated(self._pass, look):
            self._observer.look_further(look, late)
            found = self._missed(look)
        return found

    def _missed(self, look: Look) -> Elsewhere:
        one = self._pass
        return elsewhere(one.store, one.index, one.order.wants, refuse(look.observations)[0])

    def _for_renames(self, places: Places) -> Places:
        wanted = self._pass.order.policy.mailbox_changes == "all" and not places.settled
        return self._observer.for_renames(places) if wanted else places

    def _finish(self, look: Look) -> None:
        """Record how far each mailbox came, for the next pass and for `status`."""
        one, applying = self._pass, self.applying
        applying.note_holds()
        self._generations.tell(look.sights.keys() - one.failed)
        if one.order.whole and look.everything_seen and not (look.errors or one.failed):
            if self._generations.older_copy:
                self._hold_left_out(look)
            self._generations.trust()
        one.index.finish(tuple(finished(one, look, settled=not applying.look_again)), one.now())
        for name, sight in look.sights.items():
            local = sight.observation.local
            if local.complete and not sight.untouched:
                one.index.forget_strays(name, one.index.strays(name) - {message.name for message in local.new})
        known = {mailbox.name for mailbox in one.index.mailboxes()}
        for name, mailbox in one.report.mailboxes.items():
            if name in known and mailbox.trouble:
                one.index.fail(name, mailbox.trouble)

    def _hold_left_out(self, look: Look) -> None:
        """What the settings leave out for now was not looked at: what is missing there is held when it comes back."""
        for mailbox in self._pass.index.mailboxes():
            if mailbox.name not in look.sights and self._may_miss_files(mailbox.name):
                self._pass.index.hold(mailbox.name, mailbox.held | {"server"})

    def _may_miss_files(self, mailbox: MailboxName) -> bool:
        """Whether a file of a known message is not seen in the mailbox."""
        pairs = [pair.name for pair in self._pass.index.pairs(mailbox) if pair.state is PairState.BOTH]
        try:
            return not self._pass.store.scan(mailbox, {}).messages.keys() >= set(pairs)
        except MailboxError:
            return True
