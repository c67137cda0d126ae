"""syncer.conf: what is accepted, what is refused and in which words."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config import EXAMPLE, Account, Config, find_config, load_config
from syncer.configfile import _distrust
from syncer.errors import ConfigError
from syncer.patterns import matches
from syncer.settings import ACCOUNT_SETTINGS, CREDENTIALS, Secret

SAMPLE = Path(__file__).parent.parent / "sample.conf"

MINIMAL = """
[accounts.work]
host = "imap.example.org"
user = "me"
password_command = "pass show work"
maildir = "Mail/work"
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    directory.mkdir(mode=0o700)
    return directory / "syncer.conf"


def load(conf: Path, text: str | bytes, mode: int = 0o600) -> Config:
    conf.write_bytes(text if isinstance(text, bytes) else text.encode())
    conf.chmod(mode)
    return load_config(conf, {"HOME": "/home/me"})


def problems(conf: Path, text: str | bytes, mode: int = 0o600) -> list[str]:
    """What is wrong with the text, without the name of the file, which every line begins with."""
    with pytest.raises(ConfigError) as caught:
        load(conf, text, mode)
    assert all(line.startswith(f"{conf}: ") for line in caught.value.problems)
    return [line.removeprefix(f"{conf}: ") for line in caught.value.problems]


def with_key(line: str) -> str:
    key = line.split(" ", maxsplit=1)[0]
    return "".join(f"{row}\n" for row in [*MINIMAL.splitlines(), line] if not row.startswith(f"{key} ") or row == line)


def test_the_shortest_file_gives_every_default_of_the_contract(conf: Path) -> None:
    assert load(conf, MINIMAL) == Config(
        accounts=(
            Account(
                name="work",
                host="imap.example.org",
                port=993,
                tls="implicit",
                user="me",
                password_command=("pass", "show", "work"),
                password_file=None,
                password=None,
                maildir=conf.parent / "Mail/work",
                layout="fs",
                include=("*",),
                exclude=(),
                direction="both",
                tls_ca_file=None,
                tls_fingerprint=None,
                allow_insecure=False,
                connections=3,
                max_delete=0.5,
                keep_deleted=30 * 86_400,
                on_local_delete="expunge",
                mailbox_changes="create",
                full_interval=7 * 86_400,
                idle=("INBOX",),
                poll_interval=120,
                keepalive=540,
                timeout=60,
                compress=False,
                durability="batch",
            ),
        ),
        state_dir=Path("/home/me/.local/state/syncer"),
        path=conf,
    )


def test_the_settings_are_the_fields_of_an_account() -> None:
    fields = set(Account.__struct_fields__)
    assert fields - {"name"} == set(ACCOUNT_SETTINGS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('tls = "starttls"', {"tls": "starttls", "port": 143}),
        ("port = 1143", {"port": 1143}),
        ('keep_deleted = "45m"', {"keep_deleted": 2700}),
        ('keep_deleted = "2w"', {"keep_deleted": 1_209_600}),
        ("keep_deleted = 0", {"keep_deleted": 0}),
        ('full_interval = "12h"', {"full_interval": 43_200}),
        ('idle = ["INBOX", "Work"]', {"idle": ("INBOX", "Work")}),
        ('poll_interval = "10m"', {"poll_interval": 600}),
        ('keepalive = "29m"', {"keepalive": 1740}),
        ("timeout = 90", {"timeout": 90}),
        ("compress = true", {"compress": True}),
        ('durability = "file"', {"durability": "file"}),
        ("max_delete = 1", {"max_delete": 1.0}),
        ('password_command = ["sh", "-c", "cat x | head"]', {"password_command": ("sh", "-c", "cat x | head")}),
        ('include = ["INBOX", "Lists/%"]', {"include": ("INBOX", "Lists/%")}),
        ('maildir = "/srv/../srv/mail"', {"maildir": Path("/srv/mail")}),
        ('host = "::1"', {"host": "::1"}),
    ],
)
def test_a_key_is_read_as_it_is_meant(conf: Path, line: str, expected: dict[str, object]) -> None:
    account = load(conf, with_key(line)).accounts[0]
    assert {key: getattr(account, key) for key in expected} == expected


def test_idle_takes_names_and_no_patterns(conf: Path) -> None:
    with pytest.raises(ConfigError, match=r"a list of names of mailboxes, .*, without \* and %"):
        load(conf, with_key('idle = ["Lists/*"]'))


def test_a_fingerprint_is_kept_without_colons_in_lower_case(conf: Path) -> None:
    account = load(conf, with_key(f'tls_fingerprint = "{":".join(["AB"] * 32)}"')).accounts[0]
    assert account.tls_fingerprint == "ab" * 32


def test_a_tilde_stands_for_the_home_directory(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    config = load(conf, 'state_dir = "~/state"\n' + with_key('maildir = "~/Mail"'))
    assert (config.state_dir, config.accounts[0].maildir) == (Path("/home/me/state"), Path("/home/me/Mail"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("port = 0", "port: found 0, allowed: a whole number from 1 to 65535"),
        ("port = true", "port: found true, allowed: a whole number from 1 to 65535"),
        ('port = "993"', 'port: found "993", allowed: a whole number from 1 to 65535'),
        ('tls = "ssl"', 'tls: found "ssl", allowed: "implicit" or "starttls" or "off"'),
        ("tls = []", 'tls: found [], allowed: "implicit" or "starttls" or "off"'),
        ("max_delete = 1.1", "max_delete: found 1.1, allowed: a number from 0 (hold every deletion) to 1 (hold none)"),
        ("max_delete = nan", "max_delete: found NaN, allowed: a number from 0 (hold every deletion) to 1 (hold none)"),
        ("connections = 0", "connections: found 0, allowed: a whole number from 1 to 16"),
        ('allow_insecure = "no"', 'allow_insecure: found "no", allowed: true or false'),
        (
            'include = "*"',
            'include: found "*", allowed: a list of patterns, such as ["INBOX", "Lists/*"]',
        ),
        ("include = []", 'include: found [], allowed: a list of patterns, such as ["INBOX", "Lists/*"]'),
        (
            'exclude = ["a", 1]',
            ('exclude: found ["a", 1], allowed: a list of patterns, each a string that is not empty and has no '
            "control characters"),
        ),
        (
            'exclude = ["/a"]',
            ('exclude: found ["/a"], allowed: patterns of names whose levels are joined by one "/"; '
            "'/a' matches no mailbox"),
        ),
        (
            'keep_deleted = "a month"',
            ('keep_deleted: found "a month", allowed: a duration of at most 100 years, such as "30d", "12h", "45m", '
            '"90s" or a whole number of seconds'),
        ),
        (
            "timeout = 0",
            ('timeout: found 0, allowed: a duration from 1 to 3600 seconds, such as "30d", "12h", "45m", "90s" or a '
            "whole number of seconds"),
        ),
        (
            'tls_fingerprint = "sha1:ab"',
            ('tls_fingerprint: found "sha1:ab", allowed: the SHA-256 digest of the certificate: 64 hexadecimal digits, '
            "with or without colons"),
        ),
        (
            'host = "imap.example.org:993"',
            ('host: found "imap.example.org:993", allowed: the name or address of the server and nothing else, such as '
            '"imap.example.org"; the port has a key'),
        ),
        (
            r'user = "me\r\nA1 DELETE INBOX"',
            r'user: found "me\r\nA1 DELETE INBOX", allowed: a string that is not empty and has no control characters',
        ),
        ("maildir = 1979-05-27", 'maildir: found "1979-05-27", allowed: a path'),
        (
            'maildir = "~nobody-at-all/x"',
            'maildir: found "~nobody-at-all/x", allowed: a path; this "~" has no home directory',
        ),
        (
            'password_command = "pass show work | head -1"',
            ('password_command: found a string, allowed: a command; no shell reads it, so for pipes write '
            '["sh", "-c", "..."]'),
        ),
        (
            "password_command = \"pass 'show\"",
            "password_command: found a string, allowed: a command whose quotes match (No closing quotation)",
        ),
        (
            'password_command = ""',
            (
                "password_command: found a string, allowed: "
                'a command such as "pass show mail/work", or a list of its words'
            ),
        ),
        (
            r'password_command = "a\u0000b"',
            (
                "password_command: found a string, allowed: "
                "a string that is not empty and has no control characters"
            ),
        ),
        (
            "password_command = 3",
            (
                "password_command: found a number, allowed: "
                'a command such as "pass show mail/work", or a list of its words'
            ),
        ),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named_with_what_can(conf: Path, line: str, expected: str) -> None:
    assert problems(conf, with_key(line)) == [f"accounts.work.{expected}"]


def test_every_problem_of_a_file_is_reported_at_once(conf: Path) -> None:
    text = """
    acounts = 1
    host = "x"
    state_dir = 3
    colour = "red"
    [accounts.work]
    hots = "imap.example.org"
    port = 99999
    user = "me"
    password = "canary"
    password_file = "x"
    maildir = "/srv/mail"
    [accounts."../x"]
    nonsense = 1
    host = "h"
    user = "u"
    password_command = "p"
    maildir = "/srv/mail/x"
    """
    known = ", ".join(ACCOUNT_SETTINGS)
    assert problems(conf, text, 0o640) == [
        'acounts: unknown key; did you mean "accounts"?',
        "host: unknown key here; it belongs below a line such as [accounts.work]",
        "colour: unknown key, allowed: accounts, state_dir, on_change, metrics_file",
        "state_dir: found 3, allowed: a path",
        'accounts.work.hots: unknown key; did you mean "host"?',
        "accounts.work.host: missing, and there is no default",
        "accounts.work.port: found 99999, allowed: a whole number from 1 to 65535",
        (
            "accounts.work: found password_file and password, allowed: exactly one of "
            "password_command, password_file, password"
        ),
        (
            "accounts.work.password: other users have access to the file (mode 0640); "
            f"run: chmod 600 {conf}, or use password_command"
        ),
        (
            'accounts."../x": found the name "../x", allowed: at most 64 letters, digits and . _ @ + - of ASCII, '
            "beginning with a letter, a digit or _"
        ),
        f'accounts."../x".nonsense: unknown key, allowed: {known}',
        (
            'accounts."../x".maildir: found "/srv/mail/x", inside accounts.work.maildir (/srv/mail), '
            "allowed: a directory apart from it"
        ),
    ]


@pytest.mark.parametrize("value", ["3", '"a\\u0000canary"', "['canary']"])
def test_the_value_of_a_password_is_never_shown(conf: Path, value: str) -> None:
    lines = problems(conf, MINIMAL.replace('password_command = "pass show work"', f"password = {value}"))
    assert "canary" not in repr(lines)
    assert len(lines) == 1


def test_a_password_is_not_in_the_repr_of_an_account(conf: Path) -> None:
    config = load(conf, MINIMAL.replace('password_command = "pass show work"', 'password = "canary"'))
    password = config.accounts[0].password
    assert "canary" not in f"{config!r} {password} {password!r}"
    assert password is not None
    assert password.reveal() == "canary"
    assert (password == Secret("canary"), password == Secret("x"), password == "canary") == (True, False, False)
    assert hash(password) == hash(Secret("canary"))


def test_an_account_without_a_password_is_told_the_three_ways(conf: Path) -> None:
    assert problems(conf, MINIMAL.replace('password_command = "pass show work"', "")) == [
        "accounts.work: found none of them, allowed: exactly one of password_command, password_file, password"
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_tls_may_be_off_to_a_loopback_address(conf: Path, host: str) -> None:
    account = load(conf, MINIMAL.replace("imap.example.org", host) + 'tls = "off"').accounts[0]
    assert (account.tls, account.port) == ("off", 143)


@pytest.mark.parametrize("host", ["imap.example.org", "127.0.0.1.example.org", "localhost.example.org", "10.0.0.1"])
def test_tls_may_be_off_elsewhere_only_with_allow_insecure(conf: Path, host: str) -> None:
    text = MINIMAL.replace("imap.example.org", host) + 'tls = "off"\n'
    assert problems(conf, text) == [
        (
            'accounts.work.tls: found "off", which sends the password in the clear, allowed: "implicit" or "starttls"; '
            '"off" only to a loopback address, or with allow_insecure = true'
        )
    ]
    assert load(conf, text + "allow_insecure = true").accounts[0].tls == "off"


def two(first: str, second: str, names: tuple[str, str] = ("a", "b")) -> str:
    return "".join(
        MINIMAL.replace("work]", f"{name}]").replace("Mail/work", place)
        for name, place in zip(names, (first, second), strict=True)
    )


def test_two_accounts_cannot_share_a_maildir(conf: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert problems(conf, two(f"{tmp_path}/real", f"{tmp_path}/link")) == [
        (
            f'accounts.b.maildir: found "{tmp_path}/real", the same as accounts.a.maildir ({tmp_path}/real), '
            "allowed: a directory apart from it"
        )
    ]
    assert len(problems(conf, two("/srv/mail/sub", "/srv/mail"))) == 1
    assert len(load(conf, two("/srv/mail", "/srv/mail2")).accounts) == 2


@pytest.mark.parametrize("place", ["/", "/home/me"])
def test_a_maildir_cannot_be_the_root_or_the_home_directory(
    conf: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert f'found "{place}", allowed: a directory that holds nothing but this Maildir' in " ".join(
        problems(conf, with_key(f'maildir = "{place}"'))
    )


def test_the_state_directory_cannot_lie_in_a_maildir(conf: Path) -> None:
    assert len(problems(conf, 'state_dir = "/srv/mail/state"\n' + with_key('maildir = "/srv/mail"'))) == 1


def test_names_that_differ_only_in_case_are_refused(conf: Path) -> None:
    assert problems(conf, two("/srv/a", "/srv/b", ("work", "Work"))) == [
        "accounts.Work: differs from accounts.work in nothing but case"
    ]


@pytest.mark.parametrize("text", ["", "accounts = 3", "[accounts]"])
def test_a_file_without_an_account_is_told_what_to_write(conf: Path, text: str) -> None:
    assert problems(conf, text) == ["accounts: there is none; write at least one section such as [accounts.work]"]


def test_an_account_that_is_not_a_section_is_refused(conf: Path) -> None:
    assert problems(conf, "accounts.work = 2020-01-01") == [
        "accounts.work: found a date or time, allowed: a section such as [accounts.work]"
    ]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"a = \xff", "not UTF-8 at byte 4, as TOML has to be"),
        (b"[accounts", "not valid TOML: Expected ']' at the end of a table declaration (at end of document)"),
        (b"#" * 1_048_577, "larger than 1 MiB, so this is not a configuration file"),
    ],
)
def test_a_file_that_is_not_toml_is_refused(conf: Path, octets: bytes, expected: str) -> None:
    assert problems(conf, octets) == [expected]


def test_deep_nesting_and_huge_numbers_are_refused_like_any_other_nonsense(conf: Path) -> None:
    for text in ("a = " + "[" * 100_000, f"a = {'9' * 5000}"):
        (problem,) = problems(conf, text)
        assert problem.startswith("not valid TOML: ")


def test_a_byte_order_mark_is_passed_over(conf: Path) -> None:
    assert load(conf, b"\xef\xbb\xbf" + MINIMAL.encode()).accounts[0].name == "work"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}: cannot be read: Is a directory$"):
        load_config(tmp_path)


def test_a_file_that_others_can_write_is_refused(conf: Path) -> None:
    assert problems(conf, MINIMAL, 0o620) == [
        f"other users can write it (mode 0620), and it names commands to run; run: chmod go-w {conf}"
    ]
    assert load(conf, MINIMAL, 0o644).accounts


def test_a_file_that_others_can_replace_is_refused(conf: Path) -> None:
    conf.parent.chmod(0o770)
    (problem,) = problems(conf, MINIMAL)
    assert problem.startswith("other users can replace it, since they can write to ")
    assert problem.endswith(f"mode 0770); run: chmod go-w {conf.parent}")
    conf.parent.chmod(0o1777)
    assert load(conf, MINIMAL).accounts


def test_the_directory_that_a_link_leads_to_counts_as_well(conf: Path, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    load(conf, MINIMAL)
    conf.rename(loose / "real.conf")
    conf.symlink_to(loose / "real.conf")
    with pytest.raises(ConfigError, match=f"chmod go-w {loose}$"):
        load_config(conf, {"HOME": "/home/me"})


def test_a_file_of_another_user_is_refused(conf: Path) -> None:
    load(conf, MINIMAL)
    status = list(conf.stat()[:10])
    status[4] = os.geteuid() + 4711
    assert _distrust(conf, os.stat_result(status)) == [
        f"belongs to another user (uid {status[4]}), and it names commands to run"
    ]


def test_the_option_comes_before_the_environment_and_both_before_the_usual_places(tmp_path: Path) -> None:
    usual = tmp_path / "home/.config/syncer/syncer.conf"
    usual.parent.mkdir(parents=True)
    usual.touch()
    environ = {"SYNCER_CONFIG": "/e", "XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path / "home")}
    assert find_config("/o", environ) == Path("/o")
    assert find_config(None, environ) == Path("/e")
    environ["SYNCER_CONFIG"] = ""
    assert find_config(None, environ) == usual
    xdg = tmp_path / "xdg/syncer/syncer.conf"
    xdg.parent.mkdir(parents=True)
    xdg.touch()
    assert find_config(None, environ) == xdg


def test_without_a_file_it_says_where_it_looked_and_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(None, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "relative"})
    assert caught.value.problems == [
        (
            f"no configuration file (looked at -c FILE, $SYNCER_CONFIG, {tmp_path}/.config/syncer/syncer.conf). "
            "Write one, for instance:"
        ),
        *(f"    {line}" for line in EXAMPLE.splitlines()),
    ]
    assert len(EXAMPLE.splitlines()) == 8


def test_the_example_that_it_prints_is_valid(conf: Path) -> None:
    assert [account.name for account in load(conf, EXAMPLE).accounts] == ["work"]


def test_the_state_directory_follows_the_environment(conf: Path) -> None:
    load(conf, MINIMAL)
    assert load_config(conf, {"XDG_STATE_HOME": "/var/state"}).state_dir == Path("/var/state/syncer")
    assert load_config(conf, {"XDG_STATE_HOME": "not/absolute", "HOME": "/h"}).state_dir == Path(
        "/h/.local/state/syncer"
    )


def test_without_any_home_the_state_directory_has_to_be_given(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(conf, MINIMAL)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="state_dir: missing, and there is no default"):
        load_config(conf, {})


def uncommented(text: str) -> str:
    return re.sub(r"^#(\[.*\]|[a-z_]+ = .*)$", r"\1", text, flags=re.MULTILINE)


def test_the_sample_is_valid_as_it_is(conf: Path) -> None:
    assert [account.name for account in load(conf, SAMPLE.read_text()).accounts] == ["work"]


def test_the_sample_is_valid_with_every_key_uncommented(conf: Path) -> None:
    config = load(conf, uncommented(SAMPLE.read_text()))
    assert [account.name for account in config.accounts] == ["work", "home", "local"]


def test_the_sample_shows_the_defaults(conf: Path) -> None:
    plain = load(conf, SAMPLE.read_text())
    full = load(conf, uncommented(SAMPLE.read_text()))
    examples = {"tls_ca_file", "tls_fingerprint"}
    keys = set(ACCOUNT_SETTINGS) - examples
    assert {key: getattr(full.accounts[0], key) for key in keys} == {
        key: getattr(plain.accounts[0], key) for key in keys
    }
    assert str(full.state_dir).endswith("/.local/state/syncer")
    assert (plain.on_change, full.on_change) == (None, ("notmuch", "new"))


def test_a_command_for_changes_is_words(conf: Path) -> None:
    assert load(conf, 'on_change = "notmuch new"\n' + MINIMAL).on_change == ("notmuch", "new")
    with pytest.raises(ConfigError, match=r"on_change: found 3, allowed: a command such as"):
        load(conf, "on_change = 3\n" + MINIMAL)


def test_the_file_for_prometheus_has_a_name_that_its_collector_reads(conf: Path) -> None:
    assert load(conf, 'metrics_file = "m/s.prom"\n' + MINIMAL).metrics_file == conf.parent / "m" / "s.prom"
    for wrong in ('"/m/syncer.txt"', '"/m/.prom"', '"/m/"', "3"):
        with pytest.raises(ConfigError, match=r"metrics_file: found .*, allowed: a path"):
            load(conf, f"metrics_file = {wrong}\n" + MINIMAL)


def test_the_sample_has_every_key_and_no_other() -> None:
    document = tomllib.loads(uncommented(SAMPLE.read_text()))
    assert set(document) == {"state_dir", "on_change", "metrics_file", "accounts"}
    assert {key for account in document["accounts"].values() for key in account} == set(ACCOUNT_SETTINGS)
    assert set(document["accounts"]["work"]) == set(ACCOUNT_SETTINGS) - set(CREDENTIALS[1:])


@pytest.mark.parametrize(
    ("pattern", "mailbox", "expected"),
    [
        ("*", "Lists/python", True),
        ("%", "Lists/python", False),
        ("%", "Lists", True),
        ("Lists/*", "Lists/a/b", True),
        ("Lists/%", "Lists/a/b", False),
        ("Lists/%/b", "Lists/a/b", True),
        ("%*", "a/b", True),
        ("lists", "Lists", False),
        ("inbox", "INBOX", True),
        ("in*", "INBOX", True),
        ("Inbox/*", "INBOX/Sub", True),
        ("INBOX/sub", "INBOX/Sub", False),
        ("a.c", "abc", False),
        ("100%25", "100%25", True),
        ("[Gmail]/%", "[Gmail]/All Mail", True),
        ("ab", "abc", False),
    ],
)
def test_patterns_are_those_of_list(pattern: str, mailbox: str, expected: bool) -> None:
    assert matches([pattern], mailbox) is expected


@given(st.text(alphabet="ab/%*I", min_size=1, max_size=12))
def test_a_name_used_as_a_pattern_matches_itself(name: str) -> None:
    assert matches([name], name)


def test_exclude_wins(conf: Path) -> None:
    account = load(conf, MINIMAL + 'include = ["*"]\nexclude = ["Spam", "Lists/*"]').accounts[0]
    names = ("INBOX", "Spam", "Lists", "Lists/a", "spam")
    assert [name for name in names if account.wants(name)] == ["INBOX", "Lists", "spam"]
