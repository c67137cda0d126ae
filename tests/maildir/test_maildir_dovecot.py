"""Against a real Dovecot: what it calls a header, and one Maildir that both work on."""

import hashlib
import imaplib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.dovecot import Dovecot

from syncer.maildir.store import MaildirStore
from syncer.reconcile.fingerprint import of_octets
from syncer.reconcile.flags import FLAGGED, SEEN, FlagDelta
from syncer.reconcile.identity import MailboxName

pytestmark = pytest.mark.dovecot

MESSAGES = [
    b"Subject: usual\r\n\r\nbody\r\n",
    b"Subject: no body\r\n\r\n",
    b"Subject: no empty line\r\n",
    b"Subject: no line ending",
    b"\r\n\r\nonly a body\r\n",
    b"\r\n",
    b"no header\r\n\r\n\r\nat all\r\n",
    b"Subject: no end\r\n\r\nbody",
    b"Subject: folded\r\n more\r\n\t\r\n\r\nbody\r\n",
    b"Subject: bare cr\r\r\n\r\nbody\r\n",
    b"Subject: 8 bit \xff\r\n\r\n\xff\r\n",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_header_is_what_dovecot_gives_as_the_header(dovecot: Dovecot, message: bytes) -> None:
    with imaplib.IMAP4(dovecot.host, dovecot.port) as client:
        client.login(dovecot.new_user(), dovecot.password)
        assert client.append("INBOX", "", "", message)[0] == "OK"
        client.select("INBOX")
        got = {
            item: client.fetch("1", f"(BODY.PEEK[{item}])")[1][0][1]  # type: ignore[index]
            for item in ("HEADER", "")
        }
    found = of_octets(got[""])
    assert (found.size, found.content) == (len(got[""]), hashlib.sha256(got[""]).digest()[:16])
    assert found.header == hashlib.sha256(got["HEADER"]).digest()[:16]


@pytest.fixture
def shared(dovecot_with: Callable[..., Dovecot], tmp_path: Path) -> Iterator[tuple[imaplib.IMAP4, MaildirStore, Path]]:
    server = dovecot_with(fmt="maildir")
    user = server.new_user()
    with imaplib.IMAP4(server.host, server.port) as client:
        client.login(user, server.password)
        client.create("box")
        store = MaildirStore.open(str(server.mail(user)), "fs", str(tmp_path / "attic"), None)
        yield client, store, server.mail(user) / "box"
        store.close()


def test_keywords_are_shared_with_dovecot_in_both_directions(
    shared: tuple[imaplib.IMAP4, MaildirStore, Path],
) -> None:
    client, store, directory = shared
    box = MailboxName("box")
    for number in range(2):
        client.append("box", "", "", b"Subject: %d\r\n\r\nx\r\n" % number)
    client.select("box")
    client.store("1", "+FLAGS", "(theirs \\Seen)")
    client.store("2", "+FLAGS", "(later)")
    listing = store.scan(box, {})
    one, two = sorted(listing.messages)
    assert [set(listing.messages[name].flags) for name in (one, two)] == [{SEEN, "theirs"}, {"later"}]
    assert listing.complete

    store.change_flags(box, two, FlagDelta(add=frozenset({"ours", "THEIRS", FLAGGED})))
    owner = os.stat(directory)
    for path in directory.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid)
    client.select("box")
    answer = client.fetch("2", "(FLAGS)")[1][0]
    assert set(imaplib.ParseFlags(answer)) - {b"\\Recent"} == {b"\\Flagged", b"later", b"theirs", b"ours"}  # type: ignore[arg-type]

    client.store("1", "+FLAGS", "(another)")
    assert set(store.scan(box, {}).messages[one].flags) == {SEEN, "theirs", "another"}
    assert sorted(store.mapping(box).values()) == ["another", "later", "ours", "theirs"]
