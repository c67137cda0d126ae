"""Line endings and fingerprints: the same whatever the pieces, and back to what the server sent."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.maildir import eol
from syncer.reconcile.fingerprint import Fingerprinter, of_octets
from syncer.reconcile.observations import Fingerprint

messages = st.lists(
    st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"a", b"line", b"\0", b"\xff" * 9]), max_size=30
).map(b"".join)
crlf_messages = st.lists(st.sampled_from([b"\r\n", b"a", b"line"]), max_size=30).map(b"".join)


def pieces(octets: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in cuts:
        yield octets[at : at + cut]
        at += cut
    yield octets[at:]


cut_lists = st.lists(st.integers(0, 7), max_size=40)


def header_of(octets: bytes) -> bytes:
    if octets.startswith(b"\r\n"):
        return b"\r\n"
    head, end, _ = octets.partition(b"\r\n\r\n")
    return head + end


def simple(octets: bytes) -> Fingerprint:
    header, content = hashlib.sha256(header_of(octets)).digest()[:16], hashlib.sha256(octets).digest()[:16]
    return Fingerprint(len(octets), header, content)


def stored(octets: bytes) -> bytes:
    bare = octets.replace(b"\r\n", b"")
    return octets if b"\r" in bare or b"\n" in bare else octets.replace(b"\r\n", b"\n")


def written(path: Path, body: Iterator[bytes]) -> tuple[bytes, Fingerprint]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        found = eol.write(fd, body)
    finally:
        os.close(fd)
    return path.read_bytes(), found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eol") / "file"


@pytest.mark.parametrize("small", [1 << 20, 16, 0])
@given(octets=messages, cuts=cut_lists)
def test_what_is_written_does_not_depend_on_the_pieces(path: Path, small: int, octets: bytes, cuts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eol, "SMALL", small)
        patch.setattr(eol, "CHUNK", 5)
        assert written(path, pieces(octets, cuts)) == (stored(octets), simple(octets))


@given(octets=crlf_messages | messages.filter(lambda octets: b"\r" in octets), cuts=cut_lists)
def test_a_message_comes_back_as_the_server_gave_it(octets: bytes, cuts: list[int]) -> None:
    file = stored(octets)
    verbatim = eol.is_verbatim(pieces(file, cuts))
    assert b"".join(eol.server_form(pieces(file, cuts), verbatim=verbatim)) == octets


@given(octets=messages, cuts=cut_lists)
def test_a_fingerprint_does_not_depend_on_the_pieces(octets: bytes, cuts: list[int]) -> None:
    taker = Fingerprinter()
    for piece in pieces(octets, cuts):
        taker.update(piece)
    assert taker.result() == of_octets(octets) == simple(octets)


@pytest.mark.parametrize("bare_at", [0, 1 << 16, (1 << 20) + 17, 3 << 20])
@pytest.mark.parametrize("bare", [b"\n", b"\r"])
def test_a_large_message_is_turned_back_at_its_first_bare_line_ending(path: Path, bare_at: int, bare: bytes) -> None:
    line = b"x" * 61 + b"\r\n"
    octets = line * (bare_at // len(line)) + bare + line * 40_000
    body = (octets[at : at + 65_536] for at in range(0, len(octets), 65_536))
    assert written(path, body) == (octets, simple(octets))


def test_a_large_message_of_crlf_lines_is_stored_with_lf(path: Path) -> None:
    octets = b"Subject: x\r\n\r\n" + b"y" * 70_001 + b"\r\n" * 1_000_000
    body = (octets[at : at + 65_537] for at in range(0, len(octets), 65_537))
    assert written(path, body) == (octets.replace(b"\r\n", b"\n"), simple(octets))
