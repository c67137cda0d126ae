"""Making whole what is not, from the copy that is proved to be whole; else leaving it and saying so.

A file is replaced by the server's copy where that is what the index remembers, and goes to the attic
(`LocalStore.mend`). A digest is recorded where file and server agree on another one.

Where the server has another body than file and index, nothing is taken away from it. Its copy is set aside: its pair
becomes one of the server alone (as if its file had been deleted and the copy there kept), of a name that no file has.
From then on the file is a new one, to be uploaded with an intent like any other; killed anywhere, the next sync does
it.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from syncer.crew import Crew
from syncer.errors import MessageError
from syncer.executor import Bench, uploads
from syncer.executor.bench import messages
from syncer.ports import Index, LocalStore, Progress, Server
from syncer.reconcile.actions import Append
from syncer.reconcile.fingerprint import taken
from syncer.reconcile.flags import Spelling
from syncer.reconcile.identity import MailboxName, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, LocalMessage, Observation, Pair, PairState
from syncer.reconcile.restoring import SET_ASIDE
from syncer.reconcile.verdicts import Remedy, excessive
from syncer.report import AccountReport
from syncer.values import Struct, replace
from syncer.verification import Found, MailboxVerification
from syncer.verifying.task import Sight, Task


class Repair(Struct):
    """Repairs one mailbox after the other; `Found.repaired` and `Found.said` tell what came of it."""

    task: Task
    crew: Crew
    store: LocalStore
    index: Index
    progress: Progress
    spelling: Spelling
    now: Callable[[], int]
    everywhere: bool = False
    """Most of the account differs on the server."""

    def mailbox(self, server: Server, sight: Sight, report: MailboxVerification) -> None:
        """Repair what can be.

        Raises:
            MailboxError: the mailbox cannot be worked on any further.
        """
        wanted: dict[Remedy, list[Found]] = {remedy: [] for remedy in Remedy}
        for found in report.found:
            if not (found.repaired or found.said):
                wanted[found.finding.remedy].append(found)
        self._record(sight, wanted[Remedy.RECORD])
        if not self.task.to_local:
            _say(wanted[Remedy.FETCH], 'not repaired: direction = "push" never changes the Maildir')
        elif wanted[Remedy.FETCH]:
            self._fetch(server, sight, wanted[Remedy.FETCH])
        self._upload(server, sight, report, wanted[Remedy.UPLOAD])

    def _record(self, sight: Sight, wanted: Sequence[Found]) -> None:
        pairs = []
        for found in wanted:
            copy = found.finding.server
            assert isinstance(copy, Fingerprint)
            pairs.append(replace(found.finding.pair, fingerprint=copy))
        self.index.agree(sight.mailbox, pairs)
        for found in wanted:
            found.repaired = True

    def _fetch(self, server: Server, sight: Sight, wanted: Sequence[Found]) -> None:
        left = {found.finding.pair.uid: found for found in wanted}
        server.expect(sight.mailbox, sight.there.changes.epoch.uidvalidity)
        with closing(server.fetch(sight.mailbox, sorted(left))) as fetched:  # type: ignore[type-var]
            for message in fetched:
                self.crew.check()
                found = left.pop(message.uid)
                pair = found.finding.pair
                try:
                    found.repaired = self.store.mend(
                        sight.mailbox, pair.name, pair.fingerprint, message.internaldate, message.body
                    )
                except MessageError as error:
                    found.said = f"not repaired: {error}"
                else:
                    found.said = None if found.repaired else "not repaired: the server's copy is another one by now"
        _say(left.values(), "not repaired: the server does not deliver it any more")

    def _upload(self, server: Server, sight: Sight, report: MailboxVerification, wanted: Sequence[Found]) -> None:
        if not wanted:
            return
        if not self.task.to_server:
            _say(wanted, 'not repaired: direction = "pull" never changes the server')
        elif not sight.there.changes.writable:
            _say(wanted, "not repaired: the mailbox is read-only on the server")
        elif excessive(len(wanted), report.checked) or self.everywhere:
            most = "the mailbox" if excessive(len(wanted), report.checked) else "the account"
            report.held = (
                f"{messages(wanted)}, like most of {most}, differ on the server: it seems to show them otherwise "
                "than before, rather than to have damaged them, so nothing was uploaded"
            )
        else:
            self._append(server, sight, wanted)

    def _append(self, server: Server, sight: Sight, wanted: Sequence[Found]) -> None:
        mailbox, changes = sight.mailbox, sight.there.changes
        report = AccountReport(self.task.account)
        bench = Bench(
            self.task.account,
            self.store,
            self.index,
            report,
            self.progress,
            self.spelling,
            self.now,
            self.crew.check,
        )
        pairs = [found.finding.pair for found in wanted]
        self.progress.planned(self.task.account, len(pairs), sum(pair.fingerprint.size for pair in pairs))
        # The files are known no more: no shortcut of a sync may pass them over.
        self.index.distrust(mailbox)
        self.index.record(mailbox, [_set_aside(found) for found in wanted])
        _say(wanted, "not uploaded yet: the next sync does it")
        actions = [
            Append(mailbox=mailbox, reason="the server has another copy", message=LocalMessage(pair.name, pair.flags))
            for pair in pairs
        ]
        server.expect(mailbox, changes.epoch.uidvalidity)
        uploads.append(bench, server, Observation(mailbox, changes, sight.here.changes), actions)
        sent = {intent.name for intent in self.index.intents(mailbox) if intent.sent}
        _say(
            (found for found in wanted if found.finding.pair.name in sent), "uploaded; the next sync finds out its UID"
        )
        for found in wanted:
            self._refused(mailbox, found, report.mailbox(mailbox).problems)
        self._read_back(server, mailbox, wanted)

    def _refused(self, mailbox: MailboxName, found: Found, problems: Iterable[str]) -> None:
        """What the server did not take is left as it was: else every sync would try again."""
        pair = found.finding.pair
        for problem in problems:
            if problem.startswith(f"{pair.name} "):
                self.index.record(mailbox, [pair])
                found.said = f"not repaired: {problem}"

    def _read_back(self, server: Server, mailbox: MailboxName, wanted: Sequence[Found]) -> None:
        """See what the server has made of what it took, where it told the UIDs."""
        names = {found.finding.pair.name: found for found in wanted}
        pairs = self.index.pairs_among(mailbox, names=names)
        uploaded = {pair.uid: names[pair.name] for pair in pairs if pair.uid != names[pair.name].finding.pair.uid}
        with closing(server.fetch(mailbox, sorted(uploaded))) as fetched:  # type: ignore[type-var]
            for message in fetched:
                self._uploaded(uploaded[message.uid], message.uid, taken(message.body))

    def _uploaded(self, found: Found, uid: Uid, copy: Fingerprint) -> None:
        pair = found.finding.pair
        found.repaired = copy == pair.fingerprint
        outcome = "is UID {uid} there now" if found.repaired else "was uploaded as UID {uid}, and the server changed it"
        found.said = (
            f"the file's copy {outcome.format(uid=uid)}; UID {pair.uid} was left as it is, delete it if it is bad"
        )


def _set_aside(found: Found) -> Pair:
    """The server's copy as a message that is kept there alone."""
    finding = found.finding
    assert isinstance(finding.server, Fingerprint)
    name = UniqueName(f"{finding.pair.uid}{SET_ASIDE}")
    return replace(finding.pair, name=name, fingerprint=finding.server, state=PairState.SERVER_ONLY)


def _say(wanted: Iterable[Found], words: str) -> None:
    for found in wanted:
        found.said = words
