"""Where a file is by its path, and what comes back from the attic."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncer.config import Account, Config, load_config
from syncer.maildir.attic import Kept
from syncer.maildir.store import MaildirStore
from syncer.reconcile.fingerprint import of_octets
from syncer.reconcile.identity import INBOX, MailboxName, UniqueName
from syncer.wiring import history
from syncer.wiring.parts import opened

ONE = UniqueName("1.one")
WHOLE, DAMAGED = b"Subject: one\n\nwhole\n", b"Subject: one\n\nwh\0le\n"


def configured(tmp_path: Path, maildir: Path) -> tuple[Config, Account]:
    path = tmp_path / "syncer.conf"
    lines = ["[accounts.work]", 'host = "127.0.0.1"', 'user = "me"', 'password_command = "true"']
    path.write_text("\n".join([f'state_dir = "{tmp_path}/state"', *lines, f'maildir = "{maildir}"', ""]))
    config = load_config(path)
    return config, config.accounts[0]


class TestWhereAFileIs:
    def test_a_link_may_lead_to_it_in_the_settings_or_in_the_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "disk" / "Mail" / "Work" / "cur").mkdir(parents=True)
        (tmp_path / "link").symlink_to(tmp_path / "disk")
        for named in ("disk", "link"):
            config, account = configured(tmp_path, tmp_path / named / "Mail")
            expected = (account, MailboxName("Work"), ONE)
            for given in ("disk", "link"):
                path = tmp_path / given / "Mail" / "Work" / "cur"
                assert history.place_of(config, str(path / "1.one:2,S")) == expected
                monkeypatch.chdir(path)
                assert history.place_of(config, "1.one:2,S") == expected

    def test_a_link_in_the_place_of_a_mailbox_is_the_mailbox(self, tmp_path: Path) -> None:
        (tmp_path / "big" / "cur").mkdir(parents=True)
        (tmp_path / "Mail").mkdir()
        (tmp_path / "Mail" / "Work").symlink_to(tmp_path / "big")
        config, account = configured(tmp_path, tmp_path / "Mail")
        found = history.place_of(config, str(tmp_path / "Mail" / "Work" / "cur" / "1.one:2,S"))
        assert found == (account, MailboxName("Work"), ONE)

    def test_what_is_in_no_maildir_is_nowhere(self, tmp_path: Path) -> None:
        config, _ = configured(tmp_path, tmp_path / "Mail")
        assert history.place_of(config, str(tmp_path / "Other" / "Work" / "cur" / "1.one:2,S")) is None


class TestWhatComesBack:
    @pytest.fixture
    def config(self, tmp_path: Path) -> Config:
        return configured(tmp_path, tmp_path / "Mail")[0]

    @contextmanager
    def store(self, config: Config) -> Iterator[MaildirStore]:
        with opened(config, config.accounts[0], stop=threading.Event()) as workshop:
            workshop.store.create(INBOX)
            yield workshop.store

    @pytest.fixture
    def inbox(self, tmp_path: Path) -> Path:
        return tmp_path / "Mail" / "INBOX" / "cur"

    def brought_back(self, config: Config, wish: history.Wish) -> list[tuple[MailboxName, bool]]:
        found = history.restore_from_attic(config, config.accounts[0], wish, dry_run=False)
        return [(one.mailbox, one.error is None) for one in found]

    def test_a_damaged_file_whose_message_was_mended_comes_back_only_by_its_name(
        self, config: Config, inbox: Path
    ) -> None:
        whole = WHOLE.replace(b"\n", b"\r\n")
        with self.store(config) as store:
            (inbox / "1.one:2,S").write_bytes(DAMAGED)
            assert store.mend(INBOX, ONE, of_octets(whole), 1_500_000_000, [whole])
        assert self.brought_back(config, history.Wish([None])) == []
        assert self.brought_back(config, history.Wish([None], message=ONE)) == [(INBOX, True)]
        assert sorted(file.read_bytes() for file in inbox.iterdir()) == sorted([DAMAGED, WHOLE])

    @pytest.mark.parametrize("name", ["a:2,b", "tilde~3", "1.one"])
    @pytest.mark.parametrize("info", ["", ":2,S"])
    def test_whatever_a_message_is_called_it_comes_back_by_its_name(
        self, config: Config, inbox: Path, name: str, info: str
    ) -> None:
        with self.store(config) as store:
            for file in (f"{name}:2,S", "other:2,S"):
                (inbox / file).write_bytes(WHOLE)
            for unique in (name, "other"):
                store.remove(INBOX, UniqueName(unique))
        assert self.brought_back(config, history.Wish([None], message=name + info)) == [(INBOX, True)]
        assert len(list(inbox.iterdir())) == 1

    @pytest.mark.parametrize("name", ["tilde~3", "tilde"])
    def test_what_a_sync_removed_is_found_whether_the_number_at_its_end_is_its_own_or_the_attics(
        self, name: str
    ) -> None:
        kept = Kept("2026-11-27", INBOX, UniqueName("tilde"), b"/attic/2026-11-27/INBOX/tilde~3:2,S")
        assert history.Wish([None], run=1).includes(kept, {(INBOX, UniqueName(name))})
        assert not history.Wish([None], run=1).includes(kept, {(INBOX, UniqueName("tilde~2"))})

    def test_a_mailbox_that_cannot_be_made_keeps_nothing_else_in_the_attic(
        self, config: Config, inbox: Path, tmp_path: Path
    ) -> None:
        gone = MailboxName("Gone")
        with self.store(config) as store:
            store.create(gone)
            for directory in (tmp_path / "Mail" / "Gone" / "cur", inbox):
                (directory / "1.one:2,S").write_bytes(WHOLE)
            for mailbox in (gone, INBOX):
                store.remove(mailbox, ONE)
            store.delete(gone)
        (tmp_path / "Mail" / "Gone").write_bytes(b"a file is in the way")
        assert self.brought_back(config, history.Wish([None])) == [(gone, False), (INBOX, True)]
