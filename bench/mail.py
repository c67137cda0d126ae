"""Realistic messages, fast: made from a seed, of exact sizes, several hundred megabytes a second.

What a reader would see (people, subjects, sentences) is that of the tests' generator; the bodies are cut out of two
pools that are made once, so that a message costs a copy. Every message has a Message-ID of its own.
"""

import base64
import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

from servers.mail import FIRST_DAY, LAST_DAY, PEOPLE, SENTENCES, SUBJECTS

SMALLEST: Final = 1_200
"""Octets; no message is smaller, since the fields alone take about 700."""

PROSE_WIDTH, BASE64_WIDTH = 72, 76
POOL: Final = 4_000_000
ATTACHED: Final = 20_000
"""Messages of more octets have an attachment."""

FLAGS: Final = (("\\Seen", 0.8), ("\\Answered", 0.15), ("\\Flagged", 0.04))
"""How likely each flag is."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a server has it (CRLF), its flags and its INTERNALDATE in seconds since the epoch."""

    octets: bytes
    flags: tuple[str, ...]
    date: int


def sizes(seed: int, count: int, total: int, *, spread: float = 1.5) -> list[int]:
    """The octets of `count` messages, `total` altogether, in a log-normal distribution with sigma `spread`.

    None is smaller than SMALLEST, so the total is larger where it would leave less for each.
    """
    rng = random.Random(seed)
    weights = [rng.lognormvariate(0, spread) for _ in range(count)]
    above = max(0, total - SMALLEST * count) / sum(weights)
    return [SMALLEST + int(weight * above) for weight in weights]


def letters(seed: int, lengths: list[int]) -> Iterator[Letter]:
    """Messages of exactly these sizes in octets, oldest first."""
    rng = random.Random(seed)
    step = (LAST_DAY - FIRST_DAY) // max(1, len(lengths))
    for number, length in enumerate(lengths):
        date = FIRST_DAY + number * step
        flags = tuple(flag for flag, chance in FLAGS if rng.random() < chance)
        yield Letter(_message(rng, f"{seed}.{number}", date, length), flags, date)


def _message(rng: random.Random, identity: str, date: int, length: int) -> bytes:
    (sender, address), (reader, reader_address) = rng.sample(PEOPLE, 2)
    when, host = formatdate(date), f"mail.{address.partition('@')[2]}"
    head = (
        f"Return-Path: <{address}>\r\n"
        f"Received: from {host} ({host} [192.0.2.{rng.randrange(250)}])\r\n"
        f"\tby mx.analytical.example (Postfix) with ESMTPS id {rng.getrandbits(40):010X}\r\n"
        f"\tfor <{reader_address}>; {when}\r\n"
        f"From: {sender} <{address}>\r\nTo: {reader} <{reader_address}>\r\n"
        f"Subject: {rng.choice(SUBJECTS)}\r\nDate: {when}\r\n"
        f"Message-ID: <{identity}.{rng.getrandbits(48):012x}@{host}>\r\nMIME-Version: 1.0\r\n"
    ).encode()
    if length <= ATTACHED:
        head += b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        return head + _cut(rng, _prose(), PROSE_WIDTH, length - len(head))
    boundary = b"=_%016x" % rng.getrandbits(64)
    head += b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (boundary, boundary)
    head += b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + _cut(rng, _prose(), PROSE_WIDTH, 2_000)
    head += b'--%s\r\nContent-Type: application/pdf; name="proof.pdf"\r\n' % boundary
    head += b"Content-Transfer-Encoding: base64\r\n\r\n"
    tail = b"--%s--\r\n" % boundary
    return head + _cut(rng, _attachments(), BASE64_WIDTH, length - len(head) - len(tail)) + tail


def _cut(rng: random.Random, pool: bytes, width: int, length: int) -> bytes:
    """`length` octets (2 or more) from somewhere in the pool: whole lines, the last one cut short."""
    start = rng.randrange(len(pool) // (width + 2) // 2) * (width + 2)
    piece = pool[start : start + length - 2]
    while len(piece) < length - 2:
        piece += pool[: length - 2 - len(piece)]
    return piece.removesuffix(b"\r") + (b"=\r\n" if piece.endswith(b"\r") else b"\r\n")


@functools.cache
def _prose() -> bytes:
    rng = random.Random(1843)
    text = " ".join(rng.choice(SENTENCES) for _ in range(POOL // 80)).encode("ascii")
    return _lines(text, PROSE_WIDTH)


@functools.cache
def _attachments() -> bytes:
    return _lines(base64.b64encode(random.Random(1815).randbytes(POOL * 3 // 4)), BASE64_WIDTH)


def _lines(text: bytes, width: int) -> bytes:
    whole = len(text) // width * width
    return b"".join(text[start : start + width] + b"\r\n" for start in range(0, whole, width))
