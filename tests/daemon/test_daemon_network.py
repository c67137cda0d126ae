"""A change of this machine's addresses is heard, in a network of the test's own."""

import subprocess
import sys
import threading

import pytest

from syncer.daemon.network import Network

SCRIPT = """
import fcntl, socket, struct, sys, threading
from syncer.daemon.network import Network

def loopback(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x1 if up else 0))  # SIOCSIFFLAGS, IFF_UP

calls = threading.Semaphore(0)
with Network(calls.release, quiet=0.05):
    print("silent" if not calls.acquire(timeout=0.3) else "heard something")
    for up in (True, False):
        loopback(up)
        print("heard" if calls.acquire(timeout=20) else "deaf")
    loopback(True); loopback(False); loopback(True)
    print("heard" if calls.acquire(timeout=20) else "deaf")
"""

RENEWED = """
import subprocess, threading
from syncer.daemon.network import Network

def ip(*words):
    subprocess.run(["ip", *words], check=True)

ip("link", "set", "lo", "up")
ip("addr", "add", "10.1.2.3/24", "dev", "lo", "valid_lft", "1000", "preferred_lft", "1000")
calls = threading.Semaphore(0)
with Network(calls.release, quiet=0.05):
    for seconds in ("900", "800"):
        ip("addr", "change", "10.1.2.3/24", "dev", "lo", "valid_lft", seconds, "preferred_lft", seconds)
        print("heard" if calls.acquire(timeout=0.5) else "silent")
    ip("addr", "add", "10.1.2.4/24", "dev", "lo")
    print("heard" if calls.acquire(timeout=20) else "silent")
    ip("addr", "del", "10.1.2.3/24", "dev", "lo")
    print("heard" if calls.acquire(timeout=20) else "silent")
"""


def test_addresses_that_come_and_go_are_heard_of() -> None:
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", SCRIPT],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "unshare" in ran.stderr:
        pytest.skip(f"no network of its own: {ran.stderr.strip()}")
    assert (ran.stderr, ran.stdout.split("\n")) == ("", ["silent", "heard", "heard", "heard", ""])


def test_it_ends_at_once_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with Network(lambda: None):
        assert threading.active_count() <= before + 1
    assert threading.active_count() == before


def test_an_address_that_is_announced_again_is_no_change() -> None:
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", RENEWED],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "unshare" in ran.stderr or "No such file or directory: 'ip'" in ran.stderr:
        pytest.skip(f"no network of its own: {ran.stderr.strip()}")
    assert (ran.stderr, ran.stdout.split()) == ("", ["silent", "silent", "heard", "heard"])
