"""What every `Server` does, whichever server is behind it. Written against `ports.py` alone.

To join: a subclass of `ServerContract` with a fixture `server_env` that returns a `ServerEnv` for a fresh account.
"""

import hashlib
import imaplib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from servers.base import Server as RealServer
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot

from syncer.errors import MailboxError, NoSuchMailboxError, ServerRefusedError
from syncer.imap.auth import Password
from syncer.imap.connection import ServerSettings, connect
from syncer.ports import Appended, Server, ServerMailbox, Standing
from syncer.reconcile.epoch import Cursor
from syncer.reconcile.flags import DELETED, FLAGGED, NONE, SEEN, FlagDelta, Flags
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Fingerprint, ServerDelta, ServerMessage
from syncer.values import replace

WORK, LISTS, OTHER = MailboxName("Work"), MailboxName("Work/Lists"), MailboxName("Other")
DATE = 1_234_567_890
PLAIN = b"From: a@example.org\r\nSubject: one\r\n\r\nText.\r\n"

ODD = {
    "8 bit in the body": b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa4 \xff\xfe\x80\r\n",
    "a long line": b"Subject: long\r\n\r\n" + b"x" * 100_000 + b"\r\n",
    "no body": b"Subject: nothing follows\r\n\r\n",
    "what looks like IMAP": b"Subject: x\r\n\r\n)\r\ns1 OK done\r\n* 1 EXISTS\r\n{5}\r\nhello\r\n* BYE\r\n",
    "a literal's size exactly one chunk": b"Subject: x\r\n\r\n".ljust(65_534, b"y") + b"\r\n",
    "one octet more than a chunk": b"Subject: x\r\n\r\n".ljust(65_535, b"y") + b"\r\n",
    "an mbox line": b"Subject: x\r\n\r\nFrom here\r\n>From there\r\n",
}
MESSY = {
    "no header": b"\r\nonly a body\r\n",
    "8 bit in the header": b"Subject: \xe4\xf6\r\n\r\nx\r\n",
    "no final line end": b"Subject: x\r\n\r\nno end",
}


@dataclass
class Message:
    """An `Outgoing` in memory."""

    name: UniqueName
    octets: bytes
    internaldate: int = DATE

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(len(self.octets), header_digest(self.octets), digest(self.octets))

    def chunks(self) -> Iterator[bytes]:
        for place in range(0, len(self.octets), 65_536):
            yield self.octets[place : place + 65_536]


class ServerEnv(ABC):
    """A fresh account."""

    uidplus = True
    strict = False
    """It refuses messages that are not well-formed, or changes them."""
    any_name = True
    """It takes any printable character in a mailbox's name."""
    special_use = False
    rung = "qresync"
    """What it tells of what changed: `qresync` everything, `condstore` all but what is gone, `plain` nothing."""

    @abstractmethod
    def connect(self) -> Server:
        """One more session."""

    @abstractmethod
    def deliver(self, mailbox: MailboxName, octets: bytes, flags: Flags = NONE, internaldate: int = DATE) -> None:
        """Put a message into a mailbox by other means than the port."""


class ServerContract:
    """The suite."""

    @pytest.fixture
    def server(self, server_env: ServerEnv) -> Server:
        return server_env.connect()

    def test_a_fresh_account_has_an_inbox_that_is_empty(self, server: Server) -> None:
        assert INBOX in names(server.mailboxes())
        assert names(server.mailboxes())[0] == INBOX
        listing = server.listing(INBOX)
        assert (dict(listing.flags), listing.complete, listing.writable) == ({}, True, True)

    def test_capabilities_are_in_upper_case(self, server: Server) -> None:
        assert "IMAP4REV1" in server.capabilities
        assert all(name == name.upper() for name in server.capabilities)

    def test_a_listing_has_every_uid_with_its_flags(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        server_env.deliver(INBOX, PLAIN, frozenset({SEEN, "work", "$Forwarded"}))
        listing = server.listing(INBOX)
        assert sorted(listing.flags.values(), key=len) == [NONE, frozenset({SEEN, "work", "$Forwarded"})]
        assert listing.complete
        assert listing.messages == len(listing.flags)
        assert listing.any_keyword
        assert SEEN in listing.storable

    def test_a_selection_stands_until_another_mailbox_is_selected(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        server.create(WORK)
        assert server.standing(INBOX) is None
        seen = server.listing(INBOX)
        assert server.standing(INBOX) == Standing(seen.writable, seen.storable, seen.any_keyword)
        assert server.standing(WORK) is None
        server.listing(WORK)
        assert server.standing(INBOX) is None

    def test_a_change_by_another_session_is_in_the_next_listing(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        before = server.listing(INBOX)
        other = server_env.connect()
        server_env.deliver(INBOX, PLAIN)
        other.store(INBOX, [(before.flags.keys(), FlagDelta(add=frozenset({FLAGGED})))])
        after = server.listing(INBOX)
        assert sorted(after.flags.values(), key=len) == [NONE, frozenset({FLAGGED})]
        assert after.complete
        assert after.epoch.uidvalidity == before.epoch.uidvalidity
        assert (after.epoch.uidnext or 0) > (before.epoch.uidnext or 0)

    def test_what_another_session_expunged_is_gone_from_the_next_listing(
        self, server_env: ServerEnv, server: Server
    ) -> None:
        for _ in range(3):
            server_env.deliver(INBOX, PLAIN)
        first, second, third = sorted(server.listing(INBOX).flags)
        gone = server_env.connect().expunge(INBOX, {second})
        listing = server.listing(INBOX)
        left = [first, third] if server_env.uidplus else [first, second, third]
        assert (gone, sorted(listing.flags), listing.complete) == (server_env.uidplus, left, True)

    def test_the_epoch_is_the_one_of_the_listing(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        asked = server_env.connect().epoch(INBOX)
        listed = server.listing(INBOX).epoch
        assert (asked.uidvalidity, asked.uidnext, asked.highestmodseq) == (
            listed.uidvalidity,
            listed.uidnext,
            listed.highestmodseq,
        )
        assert server.epoch(INBOX) == listed
        assert asked.mailbox_id in (None, listed.mailbox_id)

    def test_descriptions_are_ascending_and_leave_out_what_is_gone(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN, internaldate=DATE)
        server_env.deliver(INBOX, ODD["a long line"], frozenset({SEEN}), internaldate=DATE + 1)
        first, second = sorted(server.listing(INBOX).flags)
        found = server.describe(INBOX, {second, first, Uid(second + 5)})
        assert [(each.uid, each.flags, each.size, each.internaldate) for each in found] == [
            (first, NONE, len(PLAIN), DATE),
            (second, frozenset({SEEN}), len(ODD["a long line"]), DATE + 1),
        ]
        assert all(isinstance(each, ServerMessage) for each in found)

    def test_only_what_is_asked_for_is_described(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        (uid,) = server.listing(INBOX).flags
        assert server.describe(INBOX, {Uid(uid + 100)}) == ()
        assert server.headers(INBOX, {Uid(uid + 100)}) == {}
        assert list(server.fetch(INBOX, [Uid(uid + 100)])) == []

    @pytest.mark.parametrize("kind", ODD)
    def test_a_message_is_fetched_octet_for_octet(self, server_env: ServerEnv, server: Server, kind: str) -> None:
        server_env.deliver(INBOX, ODD[kind], frozenset({SEEN}))
        self.check_octets(server, ODD[kind])

    @pytest.mark.parametrize("kind", MESSY)
    def test_a_messy_message_is_kept_as_it_is_or_it_is_told(
        self, server_env: ServerEnv, server: Server, kind: str
    ) -> None:
        (outcome,) = server.append(INBOX, [(Message(UniqueName("a"), MESSY[kind]), frozenset({SEEN}))])
        listed = server.listing(INBOX)
        assert (len(listed.flags), listed.complete) == (0 if outcome.refused else 1, True)
        if not server_env.strict:
            self.check_octets(server, MESSY[kind])

    def test_a_large_message_comes_and_goes_in_chunks(self, server: Server) -> None:
        octets = PLAIN + (b"z" * 998 + b"\r\n") * 5000
        (outcome,) = server.append(INBOX, [(Message(UniqueName("big"), octets), NONE)])
        assert outcome.refused is None
        server.listing(INBOX)
        (uid,) = server.listing(INBOX).flags
        for each in server.fetch(INBOX, [uid]):
            chunks = list(each.body)
            assert max(map(len, chunks)) <= 65_536
            assert digest(b"".join(chunks)) == digest(octets)

    def check_octets(self, server: Server, octets: bytes) -> None:
        (uid,) = server.listing(INBOX).flags
        found = [(each.uid, each.flags, each.internaldate, each.size, b"".join(each.body)) for each in fetch(server)]
        assert found == [(uid, frozenset({SEEN}), DATE, len(octets), octets)]
        assert server.headers(INBOX, [uid]) == {uid: header_digest(octets)}

    def test_fetching_sets_no_seen(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        (uid,) = server.listing(INBOX).flags
        assert [b"".join(each.body) for each in server.fetch(INBOX, [uid])] == [PLAIN]
        server.headers(INBOX, [uid])
        assert dict(server.listing(INBOX).flags) == {uid: NONE}

    def test_many_messages_are_fetched_each_once(self, server_env: ServerEnv, server: Server) -> None:
        messages = {UniqueName(str(n)): b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * n) for n in range(300)}
        outcomes = list(server.append(INBOX, [(Message(name, octets), NONE) for name, octets in messages.items()]))
        assert [(each.name, each.refused) for each in outcomes] == [(name, None) for name in messages]
        uids = sorted(server.listing(INBOX).flags, reverse=True)
        found = {each.uid: b"".join(each.body) for each in server.fetch(INBOX, uids)}
        assert sorted(found) == sorted(uids)
        assert sorted(found.values()) == sorted(messages.values())
        if server_env.uidplus:
            assert {each.uid: messages[each.name] for each in outcomes} == found

    def test_odd_messages_that_are_appended_together_arrive_octet_for_octet(
        self, server_env: ServerEnv, server: Server
    ) -> None:
        sent = [(Message(UniqueName(kind), octets), NONE) for kind, octets in (ODD | {"large": PLAIN * 30_000}).items()]
        outcomes = list(server.append(INBOX, [*sent, *sent]))
        assert [(each.name, each.refused) for each in outcomes] == [(message.name, None) for message, _ in sent] * 2
        found = {each.uid: b"".join(each.body) for each in fetch(server)}
        assert list(found.values()) == [message.octets for message, _ in sent] * 2
        if server_env.uidplus:
            assert [each.uid for each in outcomes] == list(found)

    def test_a_body_that_is_not_used_up_costs_nothing_but_itself(self, server_env: ServerEnv, server: Server) -> None:
        octets = PLAIN + (b"z" * 98 + b"\r\n") * 2000
        for _ in range(3):
            server_env.deliver(INBOX, octets)
        uids = sorted(server.listing(INBOX).flags)
        found = []
        for each in server.fetch(INBOX, uids):
            if each.uid == uids[1]:
                next(each.body)
                continue
            found.append(b"".join(each.body))
        assert found == [octets, octets]

    def test_a_fetch_that_is_given_up_leaves_the_connection_usable(self, server_env: ServerEnv, server: Server) -> None:
        for _ in range(3):
            server_env.deliver(INBOX, PLAIN)
        uids = sorted(server.listing(INBOX).flags)
        messages = server.fetch(INBOX, uids)
        next(messages)
        messages.close()  # type: ignore[attr-defined]
        assert sorted(server.listing(INBOX).flags) == uids

    def test_empty_sets_do_nothing(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        before = dict(server.listing(INBOX).flags)
        server.store(INBOX, [((), FlagDelta(add=frozenset({DELETED})))])
        server.expunge(INBOX, ())
        assert server.move(INBOX, (), WORK) == {}
        assert server.describe(INBOX, ()) == ()
        assert server.headers(INBOX, ()) == {}
        assert list(server.fetch(INBOX, ())) == []
        assert list(server.append(INBOX, ())) == []
        assert dict(server.listing(INBOX).flags) == before

    def test_appended_messages_have_their_flags_and_dates(self, server_env: ServerEnv, server: Server) -> None:
        sent = [(Message(UniqueName(str(n)), PLAIN, DATE + n), flags) for n, flags in enumerate(FLAG_SETS)]
        outcomes = list(server.append(INBOX, sent))
        assert [each.refused for each in outcomes] == [None] * len(sent)
        found = server.describe(INBOX, server.listing(INBOX).flags)
        assert [(each.flags, each.internaldate) for each in found] == [
            (flags, message.internaldate) for message, flags in sent
        ]
        if server_env.uidplus:
            assert [each.uid for each in outcomes] == [each.uid for each in found]

    def test_an_empty_message_is_refused_and_the_next_is_not(self, server: Server) -> None:
        names_ = [UniqueName("a"), UniqueName("empty"), UniqueName("b")]
        outcomes = list(server.append(INBOX, [(Message(n, b"" if n == "empty" else PLAIN), NONE) for n in names_]))
        assert [(each.name, each.refused is None) for each in outcomes] == [("a", True), ("empty", False), ("b", True)]
        assert len(server.listing(INBOX).flags) == 2

    @pytest.mark.parametrize("count", [1, 3])
    def test_appending_to_a_mailbox_that_does_not_exist_is_told(self, server: Server, count: int) -> None:
        with pytest.raises(NoSuchMailboxError):
            list(server.append(OTHER, [(Message(UniqueName(str(n)), PLAIN), NONE) for n in range(count)]))
        assert not server.exists(OTHER)

    def test_flags_are_added_and_removed_and_the_others_stay(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN, frozenset({SEEN, "work"}))
        server_env.deliver(INBOX, PLAIN, frozenset({FLAGGED}))
        first, second = sorted(server.listing(INBOX).flags)
        change = FlagDelta(frozenset({"later", "$Forwarded"}), frozenset({SEEN}))
        server.store(INBOX, [({first, second}, change)])
        assert dict(server.listing(INBOX).flags) == {
            first: frozenset({"work", "later", "$Forwarded"}),
            second: frozenset({FLAGGED, "later", "$Forwarded"}),
        }

    def test_several_changes_are_made_by_one_call_and_each_is_answered(
        self, server_env: ServerEnv, server: Server
    ) -> None:
        for _ in range(3):
            server_env.deliver(INBOX, PLAIN, frozenset({SEEN}))
        first, second, third = sorted(server.listing(INBOX).flags)
        changes = [
            ({first}, FlagDelta(frozenset({FLAGGED}), frozenset({SEEN}))),
            ({second, third}, FlagDelta(add=frozenset({"not one"}))),
            ((), FlagDelta(add=frozenset({DELETED}))),
            ({third}, FlagDelta(add=frozenset({"work"}))),
        ]
        assert [refused is None for refused in server.store(INBOX, changes)] == [True, False, True, True]
        assert dict(server.listing(INBOX).flags) == {
            first: frozenset({FLAGGED}),
            second: frozenset({SEEN}),
            third: frozenset({SEEN, "work"}),
        }

    def test_storing_flags_of_a_message_that_is_gone_is_no_error(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        (uid,) = server.listing(INBOX).flags
        server.store(INBOX, [({uid, Uid(uid + 9)}, FlagDelta(add=frozenset({SEEN})))])
        assert dict(server.listing(INBOX).flags) == {uid: frozenset({SEEN})}

    @pytest.mark.parametrize("flag", ["a b", "a\r\nz DELETE INBOX", "", "a)", "\\*", "ä", 'a"', "a{3}", "\\Recent"])
    def test_a_flag_that_is_none_is_refused_and_never_sent(
        self, server_env: ServerEnv, server: Server, flag: str
    ) -> None:
        server_env.deliver(INBOX, PLAIN)
        (uid,) = server.listing(INBOX).flags
        (refused,) = server.store(INBOX, [({uid}, FlagDelta(add=frozenset({flag})))])
        assert refused is not None
        (outcome,) = server.append(INBOX, [(Message(UniqueName("a"), PLAIN), frozenset({flag}))])
        assert outcome.refused is not None
        assert dict(server.listing(INBOX).flags) == {uid: NONE}

    def test_expunge_removes_exactly_what_was_named(self, server_env: ServerEnv, server: Server) -> None:
        for _ in range(4):
            server_env.deliver(INBOX, PLAIN)
        first, second, third, fourth = sorted(server.listing(INBOX).flags)
        server.store(INBOX, [({second}, FlagDelta(add=frozenset({DELETED})))])
        assert server.expunge(INBOX, {first, third, Uid(fourth + 9)}) is server_env.uidplus
        left = dict(server.listing(INBOX).flags)
        marked = {second: frozenset({DELETED}), fourth: NONE}
        if not server_env.uidplus:
            marked |= {first: frozenset({DELETED}), third: frozenset({DELETED})}
        assert left == marked

    def test_move_keeps_octets_and_flags_and_tells_the_new_uids(self, server_env: ServerEnv, server: Server) -> None:
        server.create(WORK)
        for n in range(3):
            server_env.deliver(INBOX, PLAIN + b"%d\r\n" % n, frozenset({SEEN, "work"} if n else {FLAGGED}))
        first, second, third = sorted(server.listing(INBOX).flags)
        moved = server.move(INBOX, {first, third, Uid(third + 9)}, WORK)
        there = {each.uid: (each.flags, b"".join(each.body)) for each in fetch(server, WORK)}
        assert sorted(there.values(), key=lambda each: each[1]) == [
            (frozenset({FLAGGED}), PLAIN + b"0\r\n"),
            (frozenset({SEEN, "work"}), PLAIN + b"2\r\n"),
        ]
        here = dict(server.listing(INBOX).flags)
        if server_env.uidplus:
            assert sorted(here) == [second]
            assert {old: there[new][1] for old, new in moved.items()} == {
                first: PLAIN + b"0\r\n",
                third: PLAIN + b"2\r\n",
            }
        else:
            assert sorted(here) == [first, second, third]
            assert {uid for uid, flags in here.items() if DELETED in flags} == {first, third}
            assert moved.keys() <= {first, third}

    def test_a_move_into_nowhere_moves_nothing(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        before = dict(server.listing(INBOX).flags)
        with pytest.raises((NoSuchMailboxError, ServerRefusedError)):
            server.move(INBOX, before.keys(), OTHER)
        assert dict(server.listing(INBOX).flags) == before

    def test_mailboxes_are_made_once_and_listed_by_name(self, server: Server) -> None:
        for mailbox in (WORK, LISTS, OTHER, WORK):
            server.create(mailbox)
        assert [name for name in names(server.mailboxes()) if name in (INBOX, WORK, LISTS, OTHER)] == [
            INBOX,
            OTHER,
            WORK,
            LISTS,
        ]
        assert len(set(names(server.mailboxes()))) == len(names(server.mailboxes()))
        assert [server.exists(each) for each in (INBOX, WORK, LISTS, MailboxName("Work/x"))] == [
            True,
            True,
            True,
            False,
        ]

    @pytest.mark.parametrize(
        "name", ["Entwürfe", "日本語", "a b", "Sent & Done", "don't", "ünï/cödé & more", "inbox2", "a-b_c"]
    )
    def test_a_mailbox_name_goes_there_and_back(self, server_env: ServerEnv, server: Server, name: str) -> None:
        self.check_name(server_env, MailboxName(name))

    @pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "100%", "a*b", "x%2541"])
    def test_an_odd_mailbox_name_goes_there_and_back_or_is_refused(
        self, server_env: ServerEnv, server: Server, name: str
    ) -> None:
        mailbox = MailboxName(name)
        try:
            server.create(mailbox)
        except MailboxError:
            assert not server_env.any_name
            assert mailbox not in names(server_env.connect().mailboxes())
        else:
            self.check_name(server_env, mailbox)

    def check_name(self, server_env: ServerEnv, name: MailboxName) -> None:
        server = server_env.connect()
        server.create(name)
        assert name in names(server_env.connect().mailboxes())
        assert server.exists(name)
        (outcome,) = server.append(name, [(Message(UniqueName("a"), PLAIN), NONE)])
        assert outcome == Appended(UniqueName("a"), outcome.uid)
        assert len(server.listing(name).flags) == 1
        server.delete(name)
        assert not server.exists(name)

    def test_a_renamed_mailbox_keeps_its_messages(self, server: Server) -> None:
        server.create(WORK)
        list(server.append(WORK, [(Message(UniqueName("a"), PLAIN), NONE)]))
        server.rename(WORK, OTHER)
        assert WORK not in names(server.mailboxes())
        assert [b"".join(each.body) for each in fetch(server, OTHER)] == [PLAIN]

    def test_renaming_what_does_not_exist_is_told(self, server: Server) -> None:
        with pytest.raises(MailboxError):
            server.rename(WORK, OTHER)

    def test_deleting_takes_the_messages_and_what_does_not_exist_is_no_error(self, server: Server) -> None:
        server.create(WORK)
        list(server.append(WORK, [(Message(UniqueName("a"), PLAIN), NONE)]))
        server.listing(WORK)
        server.delete(WORK)
        server.delete(WORK)
        assert not server.exists(WORK)
        assert WORK not in names(server.mailboxes())

    def test_a_mailbox_that_does_not_exist_is_told_apart(self, server: Server) -> None:
        for ask in (server.listing, server.epoch):
            with pytest.raises(NoSuchMailboxError):
                ask(OTHER)
        assert server.listing(INBOX).complete

    def test_a_mailbox_made_anew_has_another_epoch(self, server: Server) -> None:
        server.create(WORK)
        before = server.epoch(WORK)
        server.delete(WORK)
        time.sleep(1.1)
        server.create(WORK)
        assert server.epoch(WORK).uidvalidity != before.uidvalidity

    def test_uids_of_another_epoch_are_never_used(self, server_env: ServerEnv, server: Server) -> None:
        server.create(WORK)
        server_env.deliver(WORK, PLAIN)
        listed = server.listing(WORK)
        (uid,) = listed.flags
        other = server_env.connect()
        other.expect(WORK, UidValidity(listed.epoch.uidvalidity + 1))
        for use in (
            lambda: other.store(WORK, [([uid], FlagDelta(frozenset({SEEN})))]),
            lambda: other.move(WORK, [uid], INBOX),
            lambda: other.expunge(WORK, [uid]),
            lambda: other.describe(WORK, [uid]),
        ):
            other.expect(WORK, UidValidity(listed.epoch.uidvalidity + 1))
            with pytest.raises(MailboxError):
                use()
        other.expect(WORK, listed.epoch.uidvalidity)
        assert [message.uid for message in other.describe(WORK, [uid])] == [uid]
        assert server.listing(WORK).flags == listed.flags
        other.close()

    def test_counters_are_told_with_the_mailboxes_if_they_are_asked_for(
        self, server_env: ServerEnv, server: Server
    ) -> None:
        for mailbox in (WORK, LISTS, MailboxName("Entwürfe")):
            server.create(mailbox)
        for mailbox in (WORK, WORK, INBOX):
            server_env.deliver(mailbox, PLAIN)
        server.listing(WORK)
        server_env.deliver(WORK, PLAIN)
        told = {each.name: each.cursor for each in server.mailboxes(counters=True)}
        other = server_env.connect()
        for mailbox, messages in ((INBOX, 1), (WORK, 3), (LISTS, 0), (MailboxName("Entwürfe"), 0)):
            epoch = other.epoch(mailbox)
            expected: list[Cursor | None] = [Cursor(epoch, messages)]
            if mailbox == WORK and "UNSELECT" not in server.capabilities:
                expected.append(None)  # STATUS is not for the selected mailbox
            assert told[mailbox] in expected
            assert (epoch.highestmodseq is None) is (server_env.rung == "plain")
        assert {each.cursor for each in server.mailboxes()} == {None}

    def test_nothing_changed_is_an_empty_delta(self, server_env: ServerEnv, server: Server) -> None:
        for _ in range(3):
            server_env.deliver(INBOX, PLAIN)
        since = cursor_of(server)
        for connection in (server, server_env.connect()):
            delta = connection.changes(INBOX, since)
            if server_env.rung == "plain":
                assert delta is None
            else:
                assert delta is not None
                assert (delta.cursor, dict(delta.flags), delta.vanished) == (since, {}, ())
                assert (delta.writable, delta.any_keyword, SEEN in delta.storable) == (True, True, True)

    def test_what_another_session_changed_is_exactly_in_the_delta(self, server_env: ServerEnv, server: Server) -> None:
        for _ in range(6):
            server_env.deliver(INBOX, PLAIN)
        since = cursor_of(server)
        uids = sorted(server.listing(INBOX).flags)
        other = server_env.connect()
        other.store(INBOX, [(uids[:2], FlagDelta(add=frozenset({FLAGGED, "work"})))])
        server_env.deliver(INBOX, PLAIN, frozenset({SEEN}))
        if server_env.uidplus:
            other.expunge(INBOX, {uids[1], uids[3], uids[4]})
        listing = server_env.connect().listing(INBOX)
        delta = server.changes(INBOX, since)
        if server_env.rung == "plain":
            assert delta is None
            return
        assert delta is not None
        (new,) = listing.flags.keys() - set(uids)
        changed = {uids[0]: frozenset({FLAGGED, "work"}), uids[1]: frozenset({FLAGGED, "work"}), new: frozenset({SEEN})}
        assert dict(delta.flags) == {uid: flags for uid, flags in changed.items() if uid in listing.flags}
        assert delta.cursor == Cursor(listing.epoch, len(listing.flags))
        if not server_env.uidplus:
            assert delta.vanished == ()
            return
        assert delta.vanished == (((uids[1], uids[1]), (uids[3], uids[4])) if server_env.rung == "qresync" else None)
        assert self.left(server, delta, uids) == {uids[0], uids[2], uids[5]}

    def test_deltas_compose_while_another_session_goes_on(self, server_env: ServerEnv, server: Server) -> None:
        for _ in range(8):
            server_env.deliver(INBOX, PLAIN)
        since, known = cursor_of(server), dict(server.listing(INBOX).flags)
        if server_env.rung == "plain":
            assert server.changes(INBOX, since) is None
            return
        other = server_env.connect()
        for turn in range(4):
            uids = sorted(known)
            other.store(INBOX, [(uids[turn::3], FlagDelta(add=frozenset({f"turn{turn}"}), remove=frozenset({SEEN})))])
            other.expunge(INBOX, {uids[turn]})
            server_env.deliver(INBOX, PLAIN, frozenset({SEEN}))
            delta = server.changes(INBOX, since)
            assert delta is not None
            known |= delta.flags
            known = {uid: known[uid] for uid in self.left(server, delta, known)}
            since = delta.cursor
            assert known == dict(server_env.connect().listing(INBOX).flags)

    def test_what_came_and_went_between_two_cursors_is_harmless(self, server_env: ServerEnv, server: Server) -> None:
        for _ in range(2):
            server_env.deliver(INBOX, PLAIN)
        since, before = cursor_of(server), sorted(server.listing(INBOX).flags)
        other = server_env.connect()
        server_env.deliver(INBOX, PLAIN)
        (brief,) = other.listing(INBOX).flags.keys() - set(before)
        other.expunge(INBOX, {brief})
        delta = server.changes(INBOX, since)
        if server_env.rung == "plain":
            assert delta is None
            return
        assert delta is not None
        marked = {} if server_env.uidplus else {brief: frozenset({DELETED})}
        assert dict(delta.flags) == marked
        assert self.left(server, delta, [*before, brief]) == {*before, *marked}

    def test_what_was_appended_and_moved_since_is_in_the_delta(self, server_env: ServerEnv, server: Server) -> None:
        server.create(WORK)
        server_env.deliver(INBOX, PLAIN)
        since, (moved,) = cursor_of(server), server.listing(INBOX).flags
        list(server.append(INBOX, [(Message(UniqueName("a"), PLAIN), frozenset({SEEN}))]))
        server.move(INBOX, {moved}, WORK)
        delta = server.changes(INBOX, since)
        if server_env.rung == "plain":
            assert delta is None
            return
        assert delta is not None
        changed = sorted(delta.flags.values(), key=str)
        assert changed == ([] if server_env.uidplus else [frozenset({DELETED})]) + [frozenset({SEEN})]
        assert self.left(server, delta, [moved, *delta.flags]) == set(delta.flags)

    def test_a_delta_leaves_the_mailbox_selected(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        since = cursor_of(server)
        server_env.deliver(INBOX, PLAIN)
        other = server_env.connect()
        delta = other.changes(INBOX, since)
        if server_env.rung == "plain":
            assert delta is None
            return
        assert delta is not None
        (new,) = delta.flags
        assert [each.uid for each in other.describe(INBOX, {new})] == [new]
        assert [b"".join(each.body) for each in other.fetch(INBOX, [new])] == [PLAIN]
        other.store(INBOX, [({new}, FlagDelta(add=frozenset({SEEN})))])
        assert server.listing(INBOX).flags[new] == {SEEN}

    def test_a_cursor_that_does_not_fit_gives_no_delta(self, server_env: ServerEnv, server: Server) -> None:
        server_env.deliver(INBOX, PLAIN)
        since = cursor_of(server)
        epoch = since.epoch
        modseq = epoch.highestmodseq or 1
        for other in (
            replace(epoch, uidvalidity=UidValidity(epoch.uidvalidity + 1)),
            replace(epoch, highestmodseq=None),
            replace(epoch, highestmodseq=ModSeq(modseq + 1_000_000)),
            replace(epoch, uidnext=Uid(1_000_000)),
        ):
            assert server.changes(INBOX, replace(since, epoch=other)) is None
        assert server.listing(INBOX).complete

    def test_a_mailbox_made_anew_gives_no_delta_and_its_uids_are_not_used(
        self, server_env: ServerEnv, server: Server
    ) -> None:
        server.create(WORK)
        server_env.deliver(WORK, PLAIN)
        since, (uid,) = cursor_of(server, WORK), server.listing(WORK).flags
        other = server_env.connect()
        other.delete(WORK)
        time.sleep(1.1)
        other.create(WORK)
        server_env.deliver(WORK, PLAIN)
        third = server_env.connect()
        assert third.changes(WORK, since) is None
        if server_env.rung != "plain":
            with pytest.raises(MailboxError):
                third.store(WORK, [({uid}, FlagDelta(add=frozenset({FLAGGED})))])
        assert list(third.listing(WORK).flags.values()) == [NONE]

    def test_the_changes_of_a_mailbox_that_does_not_exist_are_told_apart(
        self, server_env: ServerEnv, server: Server
    ) -> None:
        server.create(WORK)
        since = cursor_of(server, WORK)
        other = server_env.connect()
        other.delete(WORK)
        if server_env.rung == "plain":
            assert server.changes(WORK, since) is None
        else:
            with pytest.raises(NoSuchMailboxError):
                server_env.connect().changes(WORK, since)
        with pytest.raises(NoSuchMailboxError):
            server_env.connect().present(WORK)

    def test_what_is_present_is_what_is_listed(self, server_env: ServerEnv, server: Server) -> None:
        assert server.present(INBOX) == ()
        for _ in range(7):
            server_env.deliver(INBOX, PLAIN)
        uids = sorted(server.listing(INBOX).flags)
        other = server_env.connect()
        other.expunge(INBOX, {uids[0], uids[3], uids[4]})
        list(server.append(INBOX, [(Message(UniqueName("a"), PLAIN), NONE)]))
        listed = sorted(server_env.connect().listing(INBOX).flags)
        for connection in (server, server_env.connect()):
            ranges = connection.present(INBOX)
            assert ranges is not None
            assert [uid for low, high in ranges for uid in range(low, high + 1)] == listed
            assert all(high + 1 < low for (_, high), (low, _) in pairwise(ranges))

    def left(self, server: Server, delta: ServerDelta, known: Iterable[Uid]) -> set[Uid]:
        """Which of `known` are still there, by the delta's word or else by asking."""
        if delta.vanished is not None:
            return {uid for uid in known if not any(low <= uid <= high for low, high in delta.vanished)}
        there = server.present(INBOX)
        assert there is not None
        return {uid for uid in known if any(low <= uid <= high for low, high in there)}

    def test_closing_twice_is_no_error(self, server: Server) -> None:
        server.close()
        server.close()


FLAG_SETS = (
    NONE,
    frozenset({SEEN}),
    frozenset({SEEN, FLAGGED, "\\Answered", "\\Draft"}),
    frozenset({"work", "$Forwarded"}),
)


def names(mailboxes: Iterable[ServerMailbox]) -> list[MailboxName]:
    return [each.name for each in mailboxes]


def cursor_of(server: Server, mailbox: MailboxName = INBOX) -> Cursor:
    listing = server.listing(mailbox)
    return Cursor(listing.epoch, len(listing.flags))


def fetch(server: Server, mailbox: MailboxName = INBOX):
    return server.fetch(mailbox, sorted(server.listing(mailbox).flags))


def digest(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()[:16]


def header_digest(octets: bytes) -> bytes:
    end = octets.find(b"\r\n\r\n")
    header = octets[:2] if octets.startswith(b"\r\n") else octets if end < 0 else octets[: end + 4]
    return digest(header)


@dataclass
class RealEnv(ServerEnv):
    """An account on a server that runs here; messages are delivered by imaplib."""

    real: RealServer
    uidplus: bool = True
    strict: bool = False
    any_name: bool = True
    rung: str = "qresync"
    opened: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.user = self.real.new_user()

    def connect(self) -> Server:
        password = Password(self.real.password)
        settings = ServerSettings("test", self.real.host, self.real.port, "off", self.user, password)
        self.opened.append(connect(settings))
        return self.opened[-1]

    def deliver(self, mailbox: MailboxName, octets: bytes, flags: Flags = NONE, internaldate: int = DATE) -> None:
        name = mailbox if mailbox == INBOX else self.real.prefix + mailbox.replace("/", self.real.separator)
        with imaplib.IMAP4(self.real.host, self.real.port) as client:
            client.login(self.user, self.real.password)
            client.literal = octets  # type: ignore[assignment]  # append() would rewrite the line ends
            date = imaplib.Time2Internaldate(internaldate)
            kind, words = client._simple_command("APPEND", f'"{name}"', f"({' '.join(flags)})", date)
            assert kind == "OK", words

    def close(self) -> None:
        for server in self.opened:
            server.close()


EXTENSIONS = (
    *("MOVE", "UIDPLUS", "LITERAL+", "NAMESPACE", "UNSELECT"),
    *("CONDSTORE", "QRESYNC", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS"),
)


@pytest.mark.dovecot
class TestDovecot(ServerContract):
    @pytest.fixture
    def server_env(self, dovecot: Dovecot) -> Iterator[ServerEnv]:
        env = RealEnv(dovecot)
        yield env
        env.close()


@pytest.mark.dovecot
class TestDovecotWithoutExtensions(ServerContract):
    """COPY for MOVE, nothing expunged, synchronising literals, no namespace, no modseqs, STATUS for each mailbox."""

    @pytest.fixture
    def server_env(self, dovecot_with: Callable[..., Dovecot]) -> Iterator[ServerEnv]:
        env = RealEnv(dovecot_with(hide=EXTENSIONS), uidplus=False, rung="plain")
        yield env
        env.close()


@pytest.mark.dovecot
class TestDovecotWithCondstore(ServerContract):
    """Modseqs without QRESYNC; what is there is told by SEARCH."""

    @pytest.fixture
    def server_env(self, dovecot_with: Callable[..., Dovecot]) -> Iterator[ServerEnv]:
        env = RealEnv(dovecot_with(hide=("QRESYNC", "ESEARCH", "LIST-STATUS")), rung="condstore")
        yield env
        env.close()


@pytest.mark.dovecot
class TestDovecotBelowInbox(ServerContract):
    """A prefix and another separator; UIDPLUS without MOVE."""

    @pytest.fixture
    def server_env(self, dovecot_with: Callable[..., Dovecot]) -> Iterator[ServerEnv]:
        env = RealEnv(dovecot_with(separator=".", prefix="INBOX.", hide=("MOVE",)))
        yield env
        env.close()


@pytest.mark.cyrus
class TestCyrus(ServerContract):
    @pytest.fixture
    def server_env(self, cyrus: Cyrus) -> Iterator[ServerEnv]:
        env = RealEnv(cyrus, strict=True, any_name=False)
        yield env
        env.close()


@pytest.mark.courier
class TestCourier(ServerContract):
    @pytest.fixture
    def server_env(self, courier: Courier) -> Iterator[ServerEnv]:
        env = RealEnv(courier, strict=True, any_name=False, rung="plain")
        yield env
        env.close()
