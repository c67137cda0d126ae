r"""Dovecot 2.3, as root or as an ordinary user. Any user name logs in."""

import grp
import os
import pathlib
import pwd
import shutil
import subprocess
from collections.abc import Sequence

from servers.base import MAIL_UID, Server

CAPABILITIES = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS "
    "THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED "
    "I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE "
    "SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE COMPRESS=DEFLATE"
)
"""What Dovecot 2.3.19 offers after log-in with this configuration."""


class Dovecot(Server):
    """A Dovecot of its own.

    Args:
        directory: as for every server.
        fmt: how mail is stored: "sdbox", "mdbox" or "maildir".
        separator: between the levels of a mailbox name, "/" or ".".
        prefix: of the personal namespace, for instance "INBOX." (with "." as separator).
        hide: capabilities that it does not announce. It would still obey the commands.
        quota: the most an account may hold, for instance "100k"; None for any amount.
        acl: whether access control lists are kept: a file `dovecot-acl` in a mailbox's directory then counts.
        extra: text put at the end of the configuration.
    """

    name = "dovecot"

    def __init__(
        self,
        directory: pathlib.Path | None = None,
        *,
        fmt: str = "sdbox",
        separator: str = "/",
        prefix: str = "",
        hide: Sequence[str] = (),
        quota: str | None = None,
        acl: bool = False,
        extra: str = "",
    ) -> None:
        """See the class."""
        super().__init__(directory)
        self.fmt, self.separator, self.prefix = fmt, separator, prefix
        self.hide, self.quota, self.acl, self.extra = tuple(hide), quota, acl, extra

    @classmethod
    def missing(cls) -> str | None:
        """Dovecot and OpenSSL are needed."""
        return next((f"no {tool}" for tool in ("dovecot", "doveadm", "openssl") if not program(tool)), None)

    @property
    def configuration(self) -> pathlib.Path:
        """The file for `-c`."""
        return self.directory / "dovecot.conf"

    def home(self, user: str) -> pathlib.Path:
        """Where everything of one account lies."""
        return self.directory / "home" / user

    def mail(self, user: str) -> pathlib.Path:
        """The top of an account's mail store."""
        return self.home(user) / "mail"

    def mailbox_directory(self, user: str, mailbox: str) -> pathlib.Path:
        """The directory of one mailbox (sdbox only)."""
        return self.mail(user) / "mailboxes" / mailbox / "dbox-Mails"

    def configure(self) -> None:
        """Write dovecot.conf."""
        root = os.geteuid() == 0
        for name in ("run", "state", "home"):
            (self.directory / name).mkdir(exist_ok=True)
        if root:
            os.chown(self.directory / "home", MAIL_UID, MAIL_UID)
        uid, gid = (MAIL_UID, MAIL_UID) if root else (os.geteuid(), os.getegid())
        layout = ":LAYOUT=fs" if self.fmt == "maildir" and self.separator == "/" else ""
        plugins = ["quota"] * bool(self.quota) + ["acl"] * self.acl
        imap_plugins = ["zlib", "imap_zlib", *plugins] + ["imap_quota"] * bool(self.quota) + ["imap_acl"] * self.acl
        shown = [capability for capability in CAPABILITIES.split() if capability not in self.hide]
        capability = f"imap_capability = {' '.join(shown)}" if self.hide else ""
        self.configuration.write_text(f"""
base_dir = {self.directory}/run
state_dir = {self.directory}/state
instance_name = test-{self.port}
log_path = {self.log}
protocols = imap
listen = {self.host}
ssl = yes
ssl_cert = <{self.certificate}
ssl_key = <{self.directory}/key.pem
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_max_userip_connections = 10000
mail_fsync = never
mailbox_list_index = yes
mail_location = {self.fmt}:~/mail{layout}
mailbox_idle_check_interval = 1 secs
first_valid_uid = 1
first_valid_gid = 1
mail_plugins = {" ".join(plugins)}
{capability}
passdb {{
  driver = static
  args = password={self.password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={self.directory}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = {self.separator}
  prefix = {self.prefix}
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
}}
plugin {{
  {"acl = vfile" if self.acl else ""}
  {"quota = count:User quota" if self.quota else ""}
  {"quota_vsizes = yes" if self.quota else ""}
  {f"quota_rule = *:storage={self.quota}" if self.quota else ""}
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 1000
  {"" if root else "chroot ="}
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.tls_port}
    ssl = yes
  }}
}}
service imap {{
  service_count = 100
  process_limit = 1000
  vsz_limit = 0
}}
service anvil {{
  client_limit = 4000
  {"" if root else "chroot ="}
}}
service auth {{
  client_limit = 4000
}}
service stats {{
  {"" if root else "chroot ="}
}}
protocol imap {{
  mail_plugins = {" ".join(imap_plugins)}
}}
{"" if root else self._own_user()}
{self.extra}
""")

    def _own_user(self) -> str:
        """Dovecot wants two unprivileged users; without root both must be the one that runs it."""
        me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        return f"default_internal_user = {me}\ndefault_internal_group = {group}\ndefault_login_user = {me}"

    def command(self) -> list[str]:
        """In the foreground."""
        return [str(program("dovecot")), "-F", "-c", str(self.configuration)]

    def doveadm(self, *arguments: str) -> str:
        """Run doveadm on this server; returns what it prints."""
        command = [str(program("doveadm")), "-c", str(self.configuration), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def program(name: str) -> str | None:
    """The path of a program, the system administrator's directories included."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
