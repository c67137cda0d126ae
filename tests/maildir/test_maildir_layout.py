"""Mailbox names and directories: one for each other, and never outside the root."""

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.errors import MailboxError
from syncer.maildir.layout import Layout, from_path, to_path
from syncer.reconcile.identity import INBOX, MailboxName

LAYOUTS: tuple[Layout, ...] = ("fs", "maildir++")


def escaped(level: str) -> str:
    """A level of a server's name as `MailboxName` writes it (see identity.py)."""
    return "".join(
        "%25"
        if char == "%" and len(rest := level[at + 1 : at + 3]) == 2 and set(rest) <= set(string.hexdigits)
        else f"%{ord(char):02X}"
        if char in "/\x7f" or char < " "
        else char
        for at, char in enumerate(level)
    )


raw_levels = st.text(
    st.one_of(
        st.sampled_from("./%~: curnewtmp25EF37A"),
        st.characters(exclude_categories=["Cs"]),
        st.characters(max_codepoint=127),
    ),
    max_size=12,
) | st.sampled_from(
    ["", ".", "..", "cur", "new", "tmp", "CUR", "%63ur", "%2E", "%5F", "~root", "a.b", "a ", "...", " "]
)
mailbox_names = (
    st.lists(raw_levels, min_size=1, max_size=4)
    .map(lambda levels: MailboxName("/".join(map(escaped, levels))))
    .filter(lambda name: name == INBOX or name.upper() != INBOX)
)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(name=mailbox_names)
def test_every_mailbox_name_has_one_directory_and_back(layout: Layout, name: MailboxName) -> None:
    path = to_path(name, layout)
    assert from_path(path, layout) == name
    inside = os.path.normpath(b"/root/" + path)
    assert inside.startswith(b"/root/") or (name == INBOX and layout == "maildir++")
    parts = path.split(b"/")
    assert not {b".", b"..", b"cur", b"new", b"tmp"} & set(parts)
    assert layout == "fs" or len(parts) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
@given(one=mailbox_names, other=mailbox_names)
def test_two_mailboxes_never_share_a_directory(layout: Layout, one: MailboxName, other: MailboxName) -> None:
    assert (to_path(one, layout) == to_path(other, layout)) == (one == other)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(path=st.binary(max_size=30))
def test_a_directory_that_we_would_not_make_has_no_name(layout: Layout, path: bytes) -> None:
    name = from_path(path, layout)
    assert name is None or to_path(name, layout) == path


@pytest.mark.parametrize(
    ("name", "fs", "maildirpp"),
    [
        ("INBOX", b"INBOX", b""),
        ("INBOX/Sub", b"INBOX/Sub", b".INBOX.Sub"),
        ("Work/Lists", b"Work/Lists", b".Work.Lists"),
        ("chess.com", b"chess.com", b".chess%2Ecom"),
        ("Entwürfe", "Entwürfe".encode(), ".Entwürfe".encode()),
        ("../../.ssh", b"%2E%2E/%2E%2E/%2Essh", b".%2E%2E.%2E%2E.%2Essh"),
        ("..", b"%2E%2E", b".%2E%2E"),
        ("~root", b"%7Eroot", b".%7Eroot"),
        ("cur", b"%63ur", b".%63ur"),
        ("a:b", b"a%3Ab", b".a%3Ab"),
        ("a /b.", b"a%20/b%2E", b".a%20.b%2E"),
        ("a//b", b"a/%5F/b", b".a.%5F.b"),
        ("a%2Fb", b"a%2Fb", b".a%2Fb"),
    ],
)
def test_where_mailboxes_live(name: str, fs: bytes, maildirpp: bytes) -> None:
    assert (to_path(MailboxName(name), "fs"), to_path(MailboxName(name), "maildir++")) == (fs, maildirpp)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["Inbox", "a\nb", "a\0b", "\udcff", "%2Ea", "%63ur", "%5F", "x" * 256, "ü/" * 2000])
def test_what_is_no_mailbox_name_or_too_long_is_refused(layout: Layout, name: str) -> None:
    with pytest.raises(MailboxError, match="exclude"):
        to_path(MailboxName(name), layout)


@pytest.mark.parametrize(
    ("path", "layout"),
    [
        (b"\xff", "fs"),
        (b"a\nb", "fs"),
        (b".hidden", "fs"),
        (b"Inbox", "fs"),
        (b"a/../b", "fs"),
        (b"/etc", "fs"),
        (b"", "fs"),
        (b"cur", "fs"),
        (b"work", "maildir++"),
        (b".a/b", "maildir++"),
        (b".", "maildir++"),
        (b".a..b", "maildir++"),
        (b".INBOX", "maildir++"),
    ],
)
def test_a_directory_of_another_spelling_is_not_guessed_at(path: bytes, layout: Layout) -> None:
    assert from_path(path, layout) is None
