"""The files for service managers, and the recipes beside them."""

import os
import plistlib
import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from syncer.daemon import children
from syncer.daemon.children import Bounds, Ended
from syncer.daemon.hooks import Hook
from syncer.daemon.pending import Batch, Change, document
from syncer.reconcile.identity import INBOX, MailboxName

CONTRIB = Path(__file__).parents[2] / "contrib"
UNIT, AGENT, README = CONTRIB / "syncer.service", CONTRIB / "io.syncer.watch.plist", CONTRIB / "README.md"
SINCE_254 = {"RestartSteps", "RestartMaxDelaySec"}
"""What older versions of systemd say that they ignore."""


def installed(command: str) -> str:
    path = shutil.which(command)
    if path is None:
        pytest.skip(f"{command} is not installed")
    return path


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    analyze = installed("systemd-analyze")
    program(tmp_path / ".local/bin/syncer", "exit 0")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)}
    ended = subprocess.run(
        [analyze, "--user", "verify", "--man=no", str(UNIT)],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    faults = [line for line in ended.stderr.splitlines() if UNIT.name in line]
    unknown = [re.search(r"Unknown key (?:name )?'(\w+)'", line) for line in faults]
    assert ended.returncode == 0, ended.stderr
    assert all(found and found[1] in SINCE_254 for found in unknown), faults


def test_the_unit_says_what_syncer_does() -> None:
    unit = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    told = ("Type", "ExecStart", "ExecReload", "Restart", "SuccessExitStatus", "RestartPreventExitStatus", "KillMode")
    assert {key: service[key] for key in told} == {
        "Type": "notify",
        "ExecStart": "%h/.local/bin/syncer watch",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        "Restart": "on-failure",
        "SuccessExitStatus": "130 143",
        "RestartPreventExitStatus": "2",
        "KillMode": "mixed",
    }
    assert {"WatchdogSec", "RestartSec"} <= service.keys()
    assert unit["Install"]["WantedBy"] == "default.target"


def test_what_launchd_starts_is_syncer_itself_with_its_output_in_the_log(tmp_path: Path) -> None:
    agent = plistlib.loads(AGENT.read_bytes())
    assert agent["Label"] == AGENT.stem
    assert (agent["RunAtLoad"], agent["KeepAlive"], agent["Umask"]) == (True, {"SuccessfulExit": False}, 0o077)
    program(tmp_path / ".local/bin/syncer", 'echo "$$ $*"; echo trouble >&2; exit 7')
    (tmp_path / "Library/Logs").mkdir(parents=True)
    log = tmp_path / "Library/Logs/syncer.log"
    log.write_text("before\n")
    environment = {**agent["EnvironmentVariables"], "HOME": str(tmp_path)}
    with subprocess.Popen(agent["ProgramArguments"], env=environment) as process:
        status = process.wait(60)
    assert (status, log.read_text()) == (7, f"before\n{process.pid} watch\ntrouble\n")


def test_every_file_is_told_of() -> None:
    others = {path.name for path in CONTRIB.iterdir()} - {README.name}
    assert others == {"syncer.service", "io.syncer.watch.plist"}
    assert all(f"contrib/{name}" in README.read_text() for name in others)


def recipes() -> list[list[str]]:
    """Every `on_change` of the README."""
    lines = re.findall(r"on_change = \[.*?\]", README.read_text())
    return [tomllib.loads(line)["on_change"] for line in lines]


def test_every_recipe_is_a_list_of_words() -> None:
    assert [command[0] for command in recipes()] == ["notmuch", "mu", "emacsclient", "sh", "sh"]
    assert all(isinstance(word, str) for command in recipes() for word in command)


@pytest.mark.notmuch
def test_the_recipe_for_notmuch_works(tmp_path: Path) -> None:
    installed("notmuch")
    maildir = tmp_path / "Mail"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    message = maildir / "new/1.a"
    message.write_text("From: a@example.org\nSubject: hello\nMessage-ID: <1@example.org>\n\nhello\n")
    (tmp_path / ".notmuch-config").write_text(
        f"[database]\npath={maildir}\n[user]\nname=Ada\nprimary_email=ada@example.org\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    on_change = Hook(recipes()[0], environment)
    on_change.note("work", [Change(INBOX, added=[str(message)])])
    on_change.close(patience=60)
    found = subprocess.run(
        ["notmuch", "search", "--output=files", "*"], env=environment, capture_output=True, check=True, text=True
    )
    assert found.stdout == f"{message}\n"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ([Change(INBOX, added=["/m/1", "/m/2"]), Change(MailboxName("Spam"), added=["/m/3"])], "2 new messages\n"),
        ([Change(INBOX, removed=["/m/1"], changed=[("/m/2", "/m/3")])], ""),
    ],
)
def test_the_recipe_for_a_notification_works(tmp_path: Path, changes: list[Change], shown: str) -> None:
    jq = installed("jq")
    (recipe,) = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "mail-came").write_text(recipe)
    (tmp_path / "shown").touch()
    program(tmp_path / "bin/notify-send", f'echo "$2" >> "{tmp_path}/shown"')
    ended = children.run(
        ["sh", str(tmp_path / "mail-came")],
        document(Batch("work", tuple(changes))),
        environment={"PATH": f"{tmp_path}/bin:{os.path.dirname(jq)}:/usr/bin:/bin"},
        directory="/",
        bounds=Bounds(seconds=60),
        stopped=lambda: False,
        say=print,
    )
    assert (ended, (tmp_path / "shown").read_text()) == (Ended("itself", 0), shown)


def test_the_document_in_the_readme_is_the_one_that_is_given() -> None:
    mail = "/path/to/Mail/work/INBOX"
    change = Change(INBOX, added=[f"{mail}/new/1.a"], changed=[(f"{mail}/new/1.b", f"{mail}/cur/1.b:2,S")])
    (shown,) = re.findall(r'^    (\{"version".*?\]\})$', README.read_text(), re.DOTALL | re.MULTILINE)
    assert re.sub(r"\s", "", shown).encode() == document(Batch("work", (change,))).strip()
