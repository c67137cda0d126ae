"""The fakes keep the contracts: what is tested on them holds for the real ports."""

from dataclasses import dataclass, field

import pytest
from contract.test_index_contract import IndexContract
from contract.test_local_contract import Foreign, LocalStoreContract
from contract.test_server_contract import DATE, ServerContract, ServerEnv
from fake_index import FakeIndex
from fake_server import FakeAccount, FakeServer
from fake_store import FakeStore

from syncer.ports import Index, LocalStore, Server
from syncer.reconcile.flags import NONE, Flags
from syncer.reconcile.identity import MailboxName, UniqueName


@dataclass
class FakeEnv(ServerEnv):
    account: FakeAccount = field(default_factory=FakeAccount)

    @property
    def uidplus(self) -> bool:  # type: ignore[override]
        return self.account.uidplus

    def connect(self) -> Server:
        return FakeServer(self.account)

    def deliver(self, mailbox: MailboxName, octets: bytes, flags: Flags = NONE, internaldate: int = DATE) -> None:
        self.account.deliver(mailbox, octets, flags, internaldate)


class TestFakeServer(ServerContract):
    @pytest.fixture(
        params=[
            pytest.param({}, id="everything"),
            pytest.param({"atomic_move": False}, id="no MOVE"),
            pytest.param({"uidplus": False, "atomic_move": False}, id="neither MOVE nor UIDPLUS"),
        ]
    )
    def server_env(self, request: pytest.FixtureRequest) -> ServerEnv:
        return FakeEnv(FakeAccount(**request.param))


@dataclass
class FakeProgram:
    """Another program that works on a FakeStore."""

    store: FakeStore

    def put(self, mailbox: MailboxName, name: UniqueName, content: bytes, flags: Flags = NONE) -> None:
        self.store.put(mailbox, name, content, flags)

    def set_flags(self, mailbox: MailboxName, name: UniqueName, flags: Flags) -> None:
        directory = self.store.directories[mailbox]
        directory.files[name].flags = directory.sayable(flags)

    def drop(self, mailbox: MailboxName, name: UniqueName) -> None:
        del self.store.directories[mailbox].files[name]

    def drop_mailbox(self, mailbox: MailboxName) -> None:
        del self.store.directories[mailbox]

    def set_letters(self, mailbox: MailboxName, mapping: dict[str, str]) -> None:
        self.store.directories[mailbox].mapping = dict(mapping)

    def attic(self) -> list[bytes]:
        return sorted(octets for _, _, octets in self.store.attic)


class TestFakeStore(LocalStoreContract):
    @pytest.fixture
    def store(self) -> LocalStore:
        return FakeStore()

    @pytest.fixture
    def foreign(self, store: LocalStore) -> Foreign:
        assert isinstance(store, FakeStore)
        return FakeProgram(store)


class TestFakeIndex(IndexContract):
    @pytest.fixture
    def index(self) -> Index:
        return FakeIndex()
