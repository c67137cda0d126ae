"""Cyrus IMAP 3.6 out of an unpacked package; as root only. Mailboxes are siblings of INBOX, made on demand."""

import contextlib
import grp
import os
import pathlib
import platform
import pwd
import shutil
import socket
import subprocess

from servers.base import UNPACKED, Server

ROOT = UNPACKED / "cyrus"
PROGRAMS = ROOT / "usr/lib/cyrus/bin"
BELOW_CONF = ("db", "socket", "proc", "log", "msg", "ptclient", "lock", "quota", "user")


class Cyrus(Server):
    """A Cyrus of its own."""

    name = "cyrus"

    @classmethod
    def missing(cls) -> str | None:
        """Root, the unpacked package, its user and saslpasswd2 are needed."""
        if os.geteuid() != 0:
            return "needs root"
        if not (PROGRAMS / "master").exists():
            return f"nothing unpacked in {ROOT}"
        with contextlib.suppress(KeyError):
            pwd.getpwnam("cyrus")
            return None if shutil.which("saslpasswd2", path="/usr/sbin:/usr/bin") else "no saslpasswd2"
        return "no user cyrus"

    def environment(self) -> dict[str, str]:
        """Find the libraries of the unpacked package."""
        libraries = ROOT / "usr/lib" / f"{platform.machine()}-linux-gnu"
        return os.environ | {"LD_LIBRARY_PATH": str(libraries), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}

    def configure(self) -> None:
        """Write imapd.conf and cyrus.conf."""
        user = pwd.getpwnam("cyrus")
        conf = self.directory / "conf"
        for name in (conf, *(conf / below for below in BELOW_CONF), "spool", "spool/stage.", "run", "sasl"):
            (self.directory / name).mkdir(exist_ok=True)
        (self.directory / "imapd.conf").write_text(f"""configdirectory: {conf}
proc_path: {conf}/proc
mboxname_lockpath: {conf}/lock
defaultpartition: default
partition-default: {self.directory}/spool
cyrus_user: cyrus
cyrus_group: {grp.getgrgid(user.pw_gid).gr_name}
admins: cyrusadmin
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {self.directory}/sasl/sasldb2
sasl_mech_list: PLAIN LOGIN
unixhierarchysep: yes
altnamespace: yes
virtdomains: off
autocreate_quota: 0
autocreate_users: anyone
tls_server_cert: {self.certificate}
tls_server_key: {self.directory}/key.pem
idlesocket: {conf}/socket/idle
lmtpsocket: {conf}/socket/lmtp
notifysocket: {conf}/socket/notify
expunge_mode: delayed
delete_mode: immediate
skiplist_unsafe: yes
imapidlepoll: 1
maxmessagesize: 0
""")
        arguments = f"-C {self.directory}/imapd.conf"
        (self.directory / "cyrus.conf").write_text(f"""START {{
  recover cmd="{PROGRAMS}/ctl_cyrusdb {arguments} -r"
}}
SERVICES {{
  imap cmd="{PROGRAMS}/imapd {arguments} -U 30" listen="{self.host}:{self.port}" prefork=1 maxchild=200 proto="tcp4"
  imaps cmd="{PROGRAMS}/imapd {arguments} -s -U 30" listen="{self.host}:{self.tls_port}" maxchild=200 proto="tcp4"
}}
EVENTS {{
  checkpoint cmd="{PROGRAMS}/ctl_cyrusdb {arguments} -c" period=30
}}
DAEMON {{
  idled cmd="{PROGRAMS}/idled {arguments}"
}}
""")
        self._own(pathlib.Path(self.directory))
        for path in self.directory.rglob("*"):
            self._own(path)

    @staticmethod
    def _own(path: pathlib.Path) -> None:
        """Cyrus drops root's rights before it reads anything."""
        user = pwd.getpwnam("cyrus")
        os.chown(path, user.pw_uid, user.pw_gid)

    def add_user(self, user: str) -> None:
        """Cyrus reads the passwords afresh at every log-in."""
        database = self.directory / "sasl/sasldb2"
        subprocess.run(
            ["/usr/sbin/saslpasswd2", "-p", "-c", "-f", str(database), "-u", socket.gethostname(), user],
            input=self.password.encode(),
            check=True,
            capture_output=True,
        )
        self._own(database)

    def command(self) -> list[str]:
        """In the foreground, which Cyrus calls debugging (-D)."""
        files = ["-C", str(self.directory / "imapd.conf"), "-M", str(self.directory / "cyrus.conf")]
        pid = ["-p", str(self.directory / "run/master.pid")]
        return [str(PROGRAMS / "master"), *files, *pid, "-D", "-L", str(self.log)]
