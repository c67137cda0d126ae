"""Where a password comes from, and that nothing else shows it."""

import os
import sys
import time
import traceback
from pathlib import Path

import pytest

from syncer.config import Account, load_config
from syncer.errors import LoginError
from syncer.passwords import resolve_password
from syncer.settings import Secret
from syncer.values import replace

CANARY = "pass wörd-canary"


@pytest.fixture
def account(tmp_path: Path) -> Account:
    conf = tmp_path / "syncer.conf"
    conf.write_text('[accounts.work]\nhost = "h"\nuser = "u"\npassword_command = "true"\nmaildir = "/srv/mail"\n')
    conf.chmod(0o600)
    tmp_path.chmod(0o700)
    return load_config(conf).accounts[0]


def command(account: Account, *words: str) -> Account:
    return replace(account, password_command=words)


def python(account: Account, program: str) -> Account:
    return command(account, sys.executable, "-c", program)


def file(account: Account, path: Path) -> Account:
    return replace(account, password_command=None, password_file=path)


def refusal(account: Account) -> str:
    with pytest.raises(LoginError) as caught:
        resolve_password(account)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def test_a_password_in_the_configuration_is_taken_as_it_is(account: Account) -> None:
    given = replace(account, password_command=None, password=Secret(CANARY))
    assert resolve_password(given).reveal() == CANARY


def test_the_first_line_of_the_command_counts(account: Account) -> None:
    assert resolve_password(command(account, "printf", f"{CANARY}\r\nuser: me\n")).reveal() == CANARY


def test_no_shell_reads_the_command(account: Account) -> None:
    assert resolve_password(command(account, "echo", "$HOME;", "*")).reveal() == "$HOME; *"


def test_spaces_belong_to_the_password(account: Account) -> None:
    assert resolve_password(command(account, "printf", " a \n")).reveal() == " a "


def test_what_the_command_says_goes_to_the_user(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    resolve_password(command(account, "sh", "-c", "echo enter PIN >&2; echo x"))
    assert capfd.readouterr().err == "enter PIN\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("sh", "-c", "echo canary; exit 3"), "failed with exit status 3; run it by hand to see why"),
        (("sh", "-c", "kill -9 $$"), "was killed by signal 9; run it by hand to see why"),
        (("/no/such/command",), "cannot be run: No such file or directory"),
        (("true",), "gives a first line that is empty, not UTF-8, or has a NUL in it"),
        (("printf", r"canary\377\n"), "gives a first line that is empty, not UTF-8, or has a NUL in it"),
        (("printf", r"canary\0\n"), "gives a first line that is empty, not UTF-8, or has a NUL in it"),
    ],
)
def test_a_command_that_gives_no_password_is_named(account: Account, words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(LoginError) as caught:
        resolve_password(command(account, *words))
    assert str(caught.value).startswith("the password_command of account work, ")
    assert str(caught.value).endswith(f", {expected}")


@pytest.mark.parametrize("program", ["exec sleep 9", "exec >&-; exec sleep 9", "exec yes canary"])
def test_a_command_that_does_not_end_is_stopped(account: Account, program: str) -> None:
    begin = time.monotonic()
    with pytest.raises(LoginError, match=r"did not end within 0\.3 seconds, or printed more than 65536 bytes$"):
        resolve_password(command(account, "sh", "-c", program), seconds=0.3)
    assert time.monotonic() - begin < 3


def test_the_first_line_of_the_file_counts(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\nmore\n")
    path.chmod(0o600)
    assert resolve_password(file(account, path)).reveal() == CANARY


def test_a_file_that_others_can_read_is_refused(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(CANARY)
    path.chmod(0o640)
    assert refusal(file(account, path)) == (
        f"the password_file of account work, {path}, can be read by other users (mode 0640); run: chmod 600 {path}"
    )


def test_a_file_that_is_none_is_refused_without_hanging(account: Account, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(file(account, tmp_path / "pipe")).endswith("/pipe, is not a file")
    assert refusal(file(account, tmp_path / "none")).endswith("/none, cannot be read: No such file or directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(CANARY)
    path.chmod(0o600)
    os.chown(path, 4711, -1)
    account = file(account, path)
    assert refusal(account).endswith("belongs to another user (uid 4711)")


def test_an_empty_file_gives_no_password(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    assert refusal(file(account, path)).endswith("gives a first line that is empty, not UTF-8, or has a NUL in it")


def test_the_password_is_in_no_message(account: Account) -> None:
    assert "failed" in refusal(
        python(account, "import base64; print(base64.b64decode(b'Y2FuYXJ5')); raise SystemExit(1)")
    )
