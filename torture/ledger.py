"""What must be true of the three sides of T1, whatever happened: of every plan, and of both sides in the end.

The bounds say how many copies of a content there are at least and at most; where a life is sure, what both sides hold
is said exactly. See `lives` for what is known of a message.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from syncer.reconcile.actions import Expunge, Plan, RemoveLocal
from syncer.reconcile.flags import DELETED, SYSTEM, Flags
from syncer.reconcile.identity import MailboxName, Side
from syncer.reconcile.observations import Fingerprint, Observation, PairState
from torture.lives import Copy, Deeds, Life
from torture.passes import NONE, Trouble
from torture.sides import CONTENTS, Box, File, Message, Sides, marked, total


class Ledger:
    """All lives since both sides last agreed, and what has happened to the sides as a whole."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.lives: list[Life] = []
        self.disturbed = False
        """A pass did not see everything, or was killed: flags of what was moved meanwhile are not sure."""
        self.held = False
        for box in sides.boxes.values():
            self._begin(box)

    def _begin(self, box: Box) -> None:
        lives: dict[str, int] = {}
        for uid, message in box.messages.items():
            number = message.life = self.born(message.content, box.name, message.flags)
            life, pair = self.lives[number], box.pairs.get(uid)
            life.sure = pair is not None and pair.state is PairState.BOTH and pair.name in box.files
            if pair is not None:
                lives[pair.name] = number
            life.lonely = not life.sure
            life.sure &= not marked(message)
            life.deleted += marked(message) or (not life.sure and pair is not None and pair.state is PairState.BOTH)
        for name, file in box.files.items():
            if name not in lives:
                lives[name] = self.born(file.content, box.name, file.flags)
                life = self.lives[lives[name]]
                life.sure, life.lonely = False, True
                life.deleted += any(p.name == name and p.state is PairState.BOTH for p in box.pairs.values())
            file.life = lives[name]

    def born(self, content: int, place: MailboxName, flags: Flags, side: Side | None = None) -> int:
        """A message came into the world; the number of its life."""
        life = Life(content, None if side else place, frozenset() if side else flags, side)
        for deeds in (life.there, life.here):
            deeds.place, deeds.flags = place, flags
        self.lives.append(life)
        return len(self.lives) - 1

    def touch(self, life: Life, side: Side, moment: int, *, placed: bool, known: bool) -> Deeds:
        """A person does something to a message on `side` in a round; `known`: the index has that copy in a pair."""
        deeds = life.there if side == "server" else life.here
        life.begun = life.begun or moment
        if deeds.round != moment:
            deeds.shaky |= life.begun < moment or (life.born is None and not known)
        if deeds.shaky:
            life.sure = False
            life.high += placed
        deeds.round = moment
        if placed and not deeds.placed:
            deeds.placed = True
            life.high += life.there.placed and life.here.placed
        return deeds

    def disturb(self, copies: Iterable[Message | File]) -> None:
        """The index no longer knows what it knew of these."""
        for life in {copy.life for copy in copies}:
            found = self.lives[life]
            found.sure = False
            found.there.shaky = found.here.shaky = True
            found.high += found.there.placed or found.here.placed

    def forget(self, known: Collection[Fingerprint]) -> None:
        """The index no longer knows these; nor which flags they had, where both copies have left their mailbox."""
        for life in self.lives:
            if life.there.placed and life.here.placed and CONTENTS[life.content] in known:
                life.sure = False

    def suffer(self, trouble: Trouble) -> None:
        """A pass begins that suffers something.

        A file that is not seen while the server has the same message, and the index knows of neither, is downloaded
        once more. Only where an APPEND of ours may have brought it there is it waited for.
        """
        self.disturbed |= trouble is not NONE
        for name, sight in trouble.sights.items():
            box = self.sides.boxes[name]
            strangers = {m.life for uid, m in box.messages.items() if uid not in box.pairs} if sight.names else ()
            for unseen in sight.names or ():
                life = box.files[unseen].life
                if life in strangers and unseen not in box.intents:
                    self.lives[life].high += 1
                    self.lives[life].sure = False

    def watch(self, observations: Sequence[Observation], plan: Plan) -> None:
        """What must be true of every plan, whatever happened.

        Raises:
            AssertionError: it is not.
        """
        self.held |= bool(plan.holds)
        self.disturbed |= bool(plan.refusals)
        refused = {refusal.mailbox for refusal in plan.refusals}
        short = {o.mailbox for o in observations if not o.server.complete}
        unseen = any(not o.local.complete for o in observations)
        deletions: Counter[tuple[MailboxName, str]] = Counter()
        policy = self.sides.policy
        for action in plan.actions:
            assert action.mailbox not in refused, f"{action}, in a mailbox that is not the known one"
            if isinstance(action, RemoveLocal):
                assert action.mailbox not in short, f"{action}, though the server listed too little"
                assert policy.to_local, f"{action}, though the Maildir is not to be changed"
                deletions[action.mailbox, "local"] += 1
            elif isinstance(action, Expunge):
                assert not unseen, f"{action}, though the Maildir was not read completely"
                assert policy.to_server, f"{action}, though the server is not to be changed"
                assert policy.on_local_delete != "keep", f"{action}, though it is to be kept"
                deletions[action.mailbox, "server"] += 1
        if deletions and not policy.limits.allowed and policy.limits.max_delete < 1:
            self._no_accident(deletions)

    def _no_accident(self, deletions: Mapping[tuple[MailboxName, str], int]) -> None:
        for (mailbox, side), planned in deletions.items():
            before = self.sides.deletions.get((mailbox, side), 0)
            there, gone = total(self.sides.boxes[mailbox]) + before, planned + before
            much = (there >= 5 and gone >= there) or (there >= 20 and gone * 2 > there)
            assert not much, f"{gone} of {there} messages of {mailbox} deleted in a day ({side}), and not held"

    def verdict(self) -> None:
        """What both sides must hold after the last pass.

        Raises:
            AssertionError: they do not.
        """
        self._pairs()
        there: dict[int, list[Copy]] = defaultdict(list)
        here: dict[int, list[Copy]] = defaultdict(list)
        waiting: Counter[int] = Counter()
        for box in self.sides.boxes.values():
            for message in box.messages.values():
                if marked(message):
                    waiting[message.content] += 1
                else:
                    there[message.content].append((box.name, message.flags))
            for file in box.files.values():
                here[file.content].append((box.name, file.flags))
        groups: dict[int, list[Life]] = defaultdict(list)
        for life in self.lives:
            groups[life.content].append(life)
        for content, lives in groups.items():
            self._bounds(content, lives, there[content], here[content], waiting[content])
            if len(lives) == 1 and self.sides.regular:
                self._exactly(lives[0], there[content], here[content])

    def _pairs(self) -> None:
        """The index pairs what is the same, and says what is there."""
        regular = self.sides.regular
        all_said = self.sides.says_all
        for box in self.sides.boxes.values():
            names = set()
            for uid, pair in box.pairs.items():
                message, file = box.messages.get(uid), box.files.get(pair.name)
                names.add(pair.name)
                if pair.state is not PairState.BOTH or self.held:
                    continue
                assert message is not None or not regular, f"{box.name}: pair {uid} without a message"
                assert file is not None or not regular, f"{box.name}: pair {uid} without a file"
                if message is None or file is None:
                    continue
                assert message.content == file.content, f"{box.name}: {uid} and {pair.name} are not one message"
                if regular:
                    some = message.flags | file.flags if all_said else SYSTEM
                    flags = message.flags & some, file.flags & some, pair.flags & some
                    assert flags[0] == flags[1] == flags[2], f"{box.name}: flags of {uid} differ: {flags}"
            if regular:
                assert box.pairs.keys() >= box.messages.keys(), f"{box.name}: a message is not downloaded"
                names |= {name for name, intent in box.intents.items() if intent.sent}
                assert names >= box.files.keys(), f"{box.name}: a file is not uploaded"

    def _bounds(
        self, content: int, lives: Sequence[Life], there: Sequence[Copy], here: Sequence[Copy], waiting: int
    ) -> None:
        r"""Not too few and not too many; `waiting` are on the server with `\Deleted`, which is not gone."""
        story = f"content {content}: {len(there)} and {waiting} marked on the server, {len(here)} in the Maildir"
        low = len(lives) - sum(life.deleted for life in lives)
        if len(lives) > 1:  # of equal messages, one that came to a place here and one that came there are one
            there_too = sum(life.born == "server" or life.there.placed or life.lonely for life in lives)
            low -= min(there_too, sum(life.born == "local" or life.here.placed or life.lonely for life in lives))
            low = min(low, 1) if self.disturbed else low
        assert len(there) + waiting + len(here) >= low, f"lost: {story}, at least {low} expected"
        on_each = low - sum(life.lonely for life in lives)
        kept = self.disturbed and self.sides.policy.on_local_delete == "keep"
        if self.sides.regular and not kept:
            assert min(len(there) + waiting, len(here)) >= on_each, f"lost: {story}, {on_each} on each side expected"
        high = sum(life.high for life in lives)
        if len(lives) > 1:
            # Which of equal messages is whose counterpart is a guess where the index does not know, or where a run was
            # killed between a move on the server and its record.
            high += sum(life.there.shaky and life.here.shaky for life in lives)
            high += sum(life.here.placed for life in lives) if self.disturbed else 0
        if self._two_places:
            # Killed after a COPY, a run brings it to the trash once more; so it does with one that was deleted here.
            brought = sum(life.here.placed or life.deleted for life in lives)
            high += brought * (1 if self.sides.atomic_move else 2)
        assert self.held or max(len(there), len(here)) <= high, f"doubled: {story}, at most {high} expected"

    @property
    def _two_places(self) -> bool:
        """What somebody moves in the Maildir may be uploaded to the new place, and yet stay or go to the trash.

        It stays where the old place is read-only. A pass that did not see the move as one takes it for a new message
        and a deleted one, which the settings may want to keep.
        """
        kept = self.disturbed and self.sides.policy.on_local_delete != "expunge"
        return kept or not all(box.writable for box in self.sides.boxes.values())

    def _exactly(self, life: Life, there: Sequence[Copy], here: Sequence[Copy]) -> None:
        # A message that came home under a new UID is known as the same if a pass sees that before the file is gone.
        came_home = life.there.renamed and life.there.place == life.place
        unseen = self.disturbed and life.here.placed and (self._two_places or life.here.renamed or came_home)
        if not life.sure or unseen or (self.held and (life.there.placed or life.here.placed)):
            self._untouched(life, [*there, *here])
            return
        kept = self.sides.policy.on_local_delete == "keep" and life.here.place is None and life.born is None
        wanted = life.outcome(trash=self.sides.policy.on_local_delete == "trash")
        if kept and not life.there.placed:  # deleted here, and not moved there
            self._same("the Maildir", life, here, [])
            self._same("the server", life, there, [(life.there.place, life.there.flags)])  # type: ignore[list-item]
            return
        self._same("the server", life, there, wanted)
        self._same("the Maildir", life, here, wanted)

    def _untouched(self, life: Life, copies: Sequence[Copy]) -> None:
        """A flag that nobody touched is as it was."""
        if life.born is not None:
            return
        mind = SYSTEM - life.touched - {DELETED}
        for where, flags in copies:
            assert flags & mind == life.base & mind, f"{where}: flags {set(flags)} of a message with {set(life.base)}"

    def _same(self, side: str, life: Life, found: Sequence[Copy], wanted: Sequence[Copy]) -> None:
        mind = SYSTEM if not self.sides.says_all else None
        if self.disturbed and (life.there.placed or life.here.placed):
            mind = frozenset()

        def counted(copies: Sequence[Copy]) -> Counter[Copy]:
            return Counter((place, flags if mind is None else flags & mind) for place, flags in copies)

        assert counted(found) == counted(wanted), f"content {life.content} in {side}: {found}, expected {wanted}"
