import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import alembic
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import syncer
from syncer.errors import IndexFileError
from syncer.index import database, open_index, tables, upgrade
from syncer.index.revision import HEAD
from syncer.ports import KnownMailbox
from syncer.reconcile.epoch import Epoch
from syncer.reconcile.identity import INBOX, MailboxName, ModSeq, Uid, UidValidity, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, Pair, PairState

ROOT = Path(tables.__file__).parent.parent.parent
PAIR = Pair(Uid(1), UniqueName("a"), frozenset({"\\Seen", "x"}), Fingerprint(1, bytes(16), bytes(16)))

AFTER = f"{int(HEAD) + 1:04}"
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "{after}"
down_revision = "{head}"


def upgrade():
    with op.batch_alter_table("mailbox", recreate="always") as batch:
        batch.add_column(sa.Column("colour", sa.Text()))
    with op.batch_alter_table("keyword_set", recreate="always") as batch:
        batch.add_column(sa.Column("colour", sa.Text()))
    {more}
"""


def scripts(directory: Path) -> ScriptDirectory:
    return ScriptDirectory.from_config(upgrade.configuration(directory))


def schema(path: Path) -> dict[tuple[str, str], object]:
    """Everything that SQLite knows of it; of the text it was made with, all but the spaces."""
    with closing(sqlite3.connect(path)) as connection:
        found: dict[tuple[str, str], object] = {
            (kind, name): "".join((sql or "").split())
            for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master")
        }
        for kind, table in list(found):
            if kind == "table":
                for pragma in ("table_xinfo", "index_list", "foreign_key_list"):
                    found[pragma, table] = connection.execute(f"PRAGMA {pragma}({table})").fetchall()
        return found


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An index of the present revision with something in it."""
    with closing(open_index(tmp_path / "work.db", "work")) as index:
        index.record(INBOX, [PAIR])
        index.announce(INBOX, [Intent(UniqueName("b"), None)])
    return tmp_path / "work.db"


def later_syncer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: str = "") -> None:
    """Make this the program that has a revision after the present one."""
    directory = tmp_path / "100% later"
    shutil.copytree(upgrade.migrations(), directory)
    (directory / "versions" / f"{AFTER}_colours.py").write_text(NEXT.format(after=AFTER, head=HEAD, more=more))
    monkeypatch.setattr(upgrade, "migrations", lambda: directory)
    monkeypatch.setattr(upgrade.upgrade, "__kwdefaults__", {"directory": None, "target": AFTER})
    monkeypatch.setattr(database, "HEAD", AFTER)


def test_the_head_is_the_newest_revision_and_revisions_are_numbered() -> None:
    found = scripts(upgrade.migrations())
    assert found.get_heads() == [HEAD]
    revisions = [script.revision for script in found.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert all(len(revision) == 4 and revision.isdecimal() for revision in revisions)


def test_the_statements_the_tables_and_the_migrations_give_the_same_schema(tmp_path: Path) -> None:
    open_index(tmp_path / "new.db", "work").close()
    with upgrade.make_engine(tmp_path / "tables.db").begin() as connection:
        tables.metadata.create_all(connection)
        tables.version.create(connection)
    assert schema(tmp_path / "tables.db") == schema(tmp_path / "new.db")
    engine = upgrade.make_engine(tmp_path / "steps.db")
    with engine.begin() as connection:
        config = upgrade.configuration(upgrade.migrations())
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert schema(tmp_path / "steps.db") == schema(tmp_path / "new.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": tables.metadata}
        )
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, tables.metadata) == []


def test_every_column_says_what_it_means() -> None:
    assert [str(column) for table in tables.metadata.tables.values() for column in table.c if not column.comment] == []


def test_the_migrations_run_on_a_url_as_well(tmp_path: Path) -> None:
    config = upgrade.configuration(upgrade.migrations())
    config.set_main_option("sqlalchemy.url", f"sqlite:///{tmp_path}/url.db")
    command.upgrade(config, "head")
    open_index(tmp_path / "new.db", "work").close()
    assert schema(tmp_path / "url.db") == schema(tmp_path / "new.db")


def test_there_is_no_way_back(path: Path) -> None:
    with upgrade.make_engine(path).begin() as connection:
        config = upgrade.configuration(upgrade.migrations())
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError, match="before-"):
            command.downgrade(config, "base")


def test_an_older_index_is_copied_and_brought_up_to_date_with_everything_in_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(path)
    later_syncer(monkeypatch, tmp_path)
    with closing(open_index(path, "work")) as index:
        assert index.pairs(INBOX) == (PAIR,)
        assert index.intents(INBOX) == (Intent(UniqueName("b"), None),)
    assert "colour" in str(schema(path)["table", "mailbox"])
    copy = tmp_path / f"work.db.before-{HEAD}"
    assert content(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [
        "work.db",
        f"work.db.before-{HEAD}",
        "work.db.lock",
    ]


def test_an_index_of_revision_0001_keeps_its_rows_and_knows_nothing_of_what_it_did_not_record(tmp_path: Path) -> None:
    path, work = tmp_path / "old.db", MailboxName("Work/a")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent / "revision_0001.sql").read_text("ascii"))
    open_index(tmp_path / "new.db", "work").close()
    for _ in range(2):
        with closing(open_index(path, "work")) as index:
            assert index.store_id == "store"
            assert index.mailboxes() == (
                KnownMailbox(
                    INBOX,
                    Epoch(UidValidity(7), Uid(9), ModSeq(2**63 - 1), "F1"),
                    mapping={"a": "work"},
                    synced_at=1_700_000_001,
                    held=frozenset({"server"}),
                    highest=Uid(2),
                ),
                KnownMailbox(work, None, error="no \udcff", highest=Uid(1)),
            )
            first = Fingerprint(100, bytes(16), b"1" * 16)
            assert index.pairs(INBOX) == (
                Pair(Uid(1), UniqueName("1.host"), frozenset({"\\Seen", "work"}), first),
                Pair(
                    Uid(2),
                    UniqueName("2.host\udcff"),
                    frozenset(),
                    Fingerprint(200, bytes(16), b"2" * 16),
                    "M2",
                    PairState.SERVER_ONLY,
                ),
            )
            assert index.pairs(work) == (Pair(Uid(1), UniqueName("1.host"), frozenset({"work", "later"}), first),)
            assert index.intents(work) == (
                Intent(UniqueName("3.host"), Uid(4), 1_600_000_000),
                Intent(UniqueName("4.host"), None, None, sent=True),
            )
            assert index.deleted_since(0) == {(INBOX, "local"): 3}
    assert schema(path) == schema(tmp_path / "new.db")
    assert (tmp_path / "old.db.before-0001").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('op.execute("INSERT INTO nowhere VALUES (1)")', "no such table: nowhere"),
        ('op.execute("DELETE FROM keyword_set")', "rows without the row they refer to; nothing was changed"),
    ],
)
def test_a_migration_that_fails_changes_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, words: str
) -> None:
    before = content(path)
    later_syncer(monkeypatch, tmp_path, more)
    with pytest.raises(IndexFileError, match=words):
        open_index(path, "work")
    assert content(path) == before


def test_a_revision_that_nobody_knows_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000x'")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(IndexFileError, match="newer syncer"):
        open_index(path, "work")
    assert path.read_bytes() == before


def test_missing_migrations_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer, "__file__", str(tmp_path / "syncer" / "__init__.py"))
    with pytest.raises(IndexFileError, match=r"migrations of the index are missing from .*; install syncer again"):
        upgrade.migrations()


FOUND = """
import site, sys
site.addsitedir(sys.argv[1])
sys.path.append(sys.argv[2])  # its .pth files are left out: this very checkout may be installed there
from syncer.index.upgrade import configuration, migrations
from alembic.script import ScriptDirectory
print(migrations())
print(ScriptDirectory.from_config(configuration(migrations())).get_heads())
"""


@pytest.mark.parametrize(
    ("build", "expected"), [("build_wheel", "{site}/syncer/_migrations"), ("build_editable", "{root}/migrations")]
)
def test_the_migrations_are_found_in_an_installed_syncer(tmp_path: Path, build: str, expected: str) -> None:
    pytest.importorskip("hatchling")
    site = tmp_path / "site"
    script = f"import sys; from hatchling.build import {build}; {build}(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        wheel.extractall(site)
    assert not [name for name in names if name.startswith("migrations/") or name.endswith(".pyc")]
    libraries = Path(alembic.__file__).parent.parent
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", FOUND, site, libraries],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [expected.format(site=site, root=ROOT), f"['{HEAD}']"]
