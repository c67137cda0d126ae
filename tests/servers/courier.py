"""Courier-IMAP 5.0 out of an unpacked package; as root only, in a mount namespace of its own.

Courier's authentication has its paths compiled in (`/etc/courier`, `/run/courier`, `/usr/lib/courier*`). In a mount
namespace of its own these are directories of this server, so several can run at once and none touches the system.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from servers.base import UNPACKED, Server, descendants

ROOT = UNPACKED / "courier"
AUTHLIB = ROOT / "usr/lib/courier/courier-authlib"
CAPABILITIES = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"
USERS = 1000
"""Accounts that can log in. They are all there from the start: the password database is written once."""

OWNER = "nobody"
"""Whose the stores are. Courier's file monitor wants a user with a name, else every command waits for it in vain."""

NAMESPACES = ["unshare", "--mount", "--pid"]

SCRIPT = r"""
set -e
mount --bind "$1/etc" /etc/courier
mount --bind "$1/run" /run/courier
mount --bind "$2/usr/lib/courier-authlib" /usr/lib/courier-authlib
mount --bind "$2/usr/lib/courier" /usr/lib/courier
/usr/lib/courier/courier-authlib/authdaemond &
shift 2
exec "$@"
"""


class Courier(Server):
    """A Courier of its own. It has neither MOVE nor CONDSTORE, and its mailboxes lie below `INBOX.`; no TLS."""

    name = "courier"
    separator = "."
    prefix = "INBOX."

    def __init__(self, directory: pathlib.Path | None = None) -> None:
        """See the class."""
        super().__init__(directory)
        self.tls_port = None

    @classmethod
    def missing(cls) -> str | None:
        """Root, the unpacked package and mount namespaces are needed."""
        if os.geteuid() != 0:
            return "needs root"
        if not (ROOT / "usr/sbin/couriertcpd").exists():
            return f"nothing unpacked in {ROOT}"
        if not shutil.which("unshare"):
            return "no unshare"
        permitted = subprocess.run([*NAMESPACES, "true"], check=False, capture_output=True).returncode == 0
        return None if permitted else "mount namespaces are not permitted"

    def mail(self, user: str) -> pathlib.Path:
        """The account's Maildir."""
        return self.directory / "home" / user / "Maildir"

    def environment(self) -> dict[str, str]:
        """Courier's imapd is configured by its environment."""
        return os.environ | {
            "LD_LIBRARY_PATH": f"{ROOT}/usr/lib:{ROOT}/usr/lib/courier-authlib",
            "GAM_CLIENT_ID": str(self.port),  # a file monitor of its own for each server
            "IMAP_CAPABILITY": CAPABILITIES,
            "IMAP_CAPABILITY_TLS": CAPABILITIES,
            "IMAP_KEYWORDS": "1",
            "IMAP_ACL": "1",
            "IMAP_IDLE_TIMEOUT": "5",
            "IMAP_MAILBOX_SANITY_CHECK": "1",
            "IMAP_DISABLETHREADSORT": "0",
            "IMAP_CHECK_ALL_FOLDERS": "1",
            "IMAP_OBSOLETE_CLIENT": "0",
            "IMAP_UMASK": "022",
            "IMAP_USELOCKS": "1",
            "IMAP_ENHANCEDIDLE": "0",
            "IMAP_TRASHFOLDERNAME": "Trash",
            "IMAP_EMPTYTRASH": "",
            "IMAP_STARTTLS": "NO",
            "IMAP_TLS_REQUIRED": "0",
            "IMAP_MOVE_EXPUNGE_TO_TRASH": "0",
            "MAILDIRPATH": "Maildir",
            "SENDMAIL": "/bin/false",
            "IMAP_SHAREDINDEXFILE": "/etc/courier/shared/index",
        }

    def configure(self) -> None:
        """Write the password database and what the authentication daemon reads; make the mount points."""
        etc, home = self.directory / "etc", self.directory / "home"
        for directory in (etc, home, self.directory / "run/authdaemon"):
            directory.mkdir(parents=True, exist_ok=True)
        for point in ("/etc/courier", "/run/courier", "/usr/lib/courier-authlib", "/usr/lib/courier"):
            pathlib.Path(point).mkdir(parents=True, exist_ok=True)
        self._own(home)
        (etc / "authdaemonrc").write_text(
            'authmodulelist="authuserdb"\nauthmodulelistorig="authuserdb"\ndaemons=2\n'
            'authdaemonvar=/run/courier/authdaemon\nsubsystem=mail\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=""\nLOGGEROPTS=""\n'
        )
        digest = subprocess.run(
            ["openssl", "passwd", "-5", self.password], check=True, capture_output=True, text=True
        ).stdout.strip()
        users = [f"user{number}" for number in range(1, USERS + 1)]
        owner = pwd.getpwnam(OWNER)
        ids = f"uid={owner.pw_uid}|gid={owner.pw_gid}"
        self._database("userdb", [f"{user}\t{ids}|home={home}/{user}|shell=/bin/sh\n" for user in users])
        self._database("userdbshadow", [f"{user}\tsystempw={digest}\n" for user in users])

    @staticmethod
    def _own(path: pathlib.Path) -> None:
        """Courier's imapd runs as the owner of the account."""
        owner = pwd.getpwnam(OWNER)
        os.chown(path, owner.pw_uid, owner.pw_gid)

    def _database(self, name: str, lines: list[str]) -> None:
        """Turn lines of `key TAB value` into the database that Courier reads."""
        target = self.directory / "etc" / f"{name}.dat"
        subprocess.run(
            [str(AUTHLIB / "makedatprog"), "-", f"{target}.tmp", str(target)],
            input="".join([*lines, ".\n"]).encode(),
            check=True,
            env=self.environment(),
        )
        target.chmod(0o600)

    def add_user(self, user: str) -> None:
        """Make the account's Maildir, which Courier does not do itself."""
        for directory in ("cur", "new", "tmp"):
            (self.mail(user) / directory).mkdir(parents=True, exist_ok=True)
        home = self.mail(user).parent
        for path in (home, *home.rglob("*")):
            self._own(path)

    def command(self) -> list[str]:
        """The listener, which starts a log-in program for each connection."""
        listener = [str(ROOT / "usr/sbin/couriertcpd"), f"-address={self.host}", "-maxprocs=200", "-maxperip=200"]
        login = [str(ROOT / "usr/lib/courier/courier/imaplogin"), str(ROOT / "usr/bin/imapd"), "Maildir"]
        inside = [*listener, "-nodnslookup", "-noidentlookup", str(self.port), *login]
        script = ["sh", "-c", SCRIPT, "courier", str(self.directory), str(ROOT)]
        return [*NAMESPACES, "--propagation", "private", "--fork", "--kill-child", *script, *inside]

    def stop(self, *, timeout: float = 10) -> None:
        """End the first process of the namespace, with which the kernel ends all the others there."""
        if self.process is not None:
            for pid in descendants(self.process.pid)[:1]:
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        super().stop(timeout=timeout)
