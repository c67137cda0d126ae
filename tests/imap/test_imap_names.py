"""Mailbox names there and back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.errors import MailboxError
from syncer.imap.names import Namespace, decode, encode
from syncer.reconcile.identity import INBOX, MailboxName

SEPARATORS = [b"/", b".", b"\\", None]
SPACES = [Namespace(prefix, separator) for prefix in (b"", b"INBOX.", b"Mail/") for separator in SEPARATORS]
PIECES = [
    b"INBOX",
    b"inbox",
    b"Mail",
    b"/",
    b".",
    b"\\",
    b"&",
    b"-",
    b"&-",
    b"&AOQ-",
    b"%",
    b"2F",
    b"%26",
    b"%80",
    b"a",
    b"\x01",
]

octets = st.binary(max_size=12) | st.lists(st.sampled_from(PIECES), max_size=7).map(b"".join)
wire_names = octets.map(lambda raw: raw.translate(None, b"\0\r\n"))
texts = st.text(max_size=12) | st.lists(st.sampled_from([piece.decode() for piece in PIECES]), max_size=7).map("".join)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"inBox", "INBOX"),
        (b"inbox/x", "inbox/x"),
        (b"Work/Lists", "Work/Lists"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"&ZeVnLIqe-/&U,BTFw-", "日本語/台北"),
        (b"&2D3cqQ-", "💩"),
        (b"a&-b", "a&b"),
        (b"100%", "100%"),
        (b"%41", "%2541"),
        (b"%4g", "%4g"),
        (b"%%2f", "%%252f"),
        (b"a\x01\x7fb", "a%01%7Fb"),
        (b"a&AAE-", "a%26AAE-"),
        (b"a&AC8-b", "a%26AC8-b"),
        (b"a&b", "a%26b"),
        (b"&APw", "%26APw"),
        (b"&2D0-", "%262D0-"),
        (b"&A-", "%26A-"),
        (b"Entw\xfcrfe/x", "Entw%FCrfe/x"),
        (b"\xff%80", "%FF%2580"),
        (b"../../etc", "../../etc"),
        (b"", ""),
    ],
)
def test_a_name_is_shown_by_the_rules(raw: bytes, name: str) -> None:
    assert Namespace().from_wire(raw) == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"INBOX.Work.Lists", "Work/Lists"),
        (b"INBOX.a/b", "a%2Fb"),
        (b"INBOX.INBOX", "INBOX/INBOX"),
        (b"INBOX.inbox.x", "INBOX/inbox/x"),
        (b"INBOX.inboxes", "inboxes"),
        (b"inbox.x", "inbox/x"),
        (b"INBOX.", "INBOX/"),
        (b"shared.x", None),
        (b"Work", None),
    ],
)
def test_the_prefix_is_left_off_unless_that_would_make_another_inbox(raw: bytes, name: str | None) -> None:
    assert Namespace(b"INBOX.", b".").from_wire(raw) == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Mail/a", "a"),
        (b"Mail/inbox", "Mail/inbox"),
        (b"Mail/Mail/INBOX/x", "Mail/Mail/INBOX/x"),
        (b"Mail/", None),
        (b"INBOX/x", None),
    ],
)
def test_a_prefix_beside_inbox_is_left_off_as_well(raw: bytes, name: str | None) -> None:
    assert Namespace(b"Mail/", b"/").from_wire(raw) == name


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (Namespace(), ""),
        (Namespace(), "Inbox"),
        (Namespace(), "%41"),
        (Namespace(), "%2f"),
        (Namespace(), "a%0Ab"),
        (Namespace(), "a%00"),
        (Namespace(), "\udcff"),
        (Namespace(), "%FFä"),
        (Namespace(b"", b"."), "a.b"),
        (Namespace(b"", None), "a/b"),
        (Namespace(b"INBOX.", b"."), "INBOX/x"),
    ],
)
def test_a_name_that_the_server_cannot_have_is_refused(space: Namespace, name: str) -> None:
    with pytest.raises(MailboxError, match="rename it"):
        space.to_wire(MailboxName(name))


@pytest.mark.parametrize("space", SPACES, ids=repr)
@given(raw=wire_names)
@example(raw=b"Mail/Mail/INBOX")
@example(raw=b"INBOX.INBOX.x")
def test_every_name_of_a_server_comes_back_as_the_same_octets(space: Namespace, raw: bytes) -> None:
    name = space.from_wire(raw)
    if name is None:
        assert space.prefix
    elif name == INBOX:
        assert raw.upper() == b"INBOX"
    elif name:
        assert space.to_wire(name) == raw
        assert not any(char < " " or char == "\x7f" for char in name)


@pytest.mark.parametrize("space", SPACES, ids=repr)
@given(name=texts)
def test_every_name_that_is_accepted_comes_back_as_the_same_text(space: Namespace, name: str) -> None:
    try:
        raw = space.to_wire(MailboxName(name))
    except MailboxError:
        return
    assert space.from_wire(raw) == name
    assert not set(raw) & set(b"\0\r\n")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_survives_modified_utf_7(text: str) -> None:
    assert decode(encode(text)) == text


@given(st.binary(max_size=16) | wire_names)
def test_what_decodes_encodes_to_the_same_octets(raw: bytes) -> None:
    try:
        text = decode(raw)
    except UnicodeError:
        return
    assert encode(text) == raw
