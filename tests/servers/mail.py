"""Messages for tests and the demonstration: made from a seed, so that a run can be repeated to the octet.

`letters` gives what one finds in a mailbox that was used for years: threads, plain text, HTML, attachments, 8-bit text,
1 to 200 kB, dates over ten years. `note` gives one small message that carries a token.
"""

import base64
import calendar
import random
import re
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate

PEOPLE = [
    ("Ada Lovelace", "ada@analytical.example"),
    ("Grace Hopper", "grace@compiler.example"),
    ("Alan Turing", "alan@bletchley.example"),
    ("Hedy Lamarr", "hedy@hopping.example"),
    ("Katherine Johnson", "katherine@orbit.example"),
    ("Edsger Dijkstra", "edsger@shortest.example"),
    ("Margaret Hamilton", "margaret@apollo.example"),
    ("Barbara Liskov", "barbara@substitution.example"),
    ("=?utf-8?Q?J=C3=BCrgen_M=C3=BCller?=", "juergen@umlaut.example"),
    ("=?utf-8?B?5bGx55Sw6Iqx5a2Q?=", "hanako@kyoto.example"),
]

SUBJECTS = [
    "Minutes of Tuesday",
    "Invoice for the punched cards",
    "A moth in relay 70",
    "Lunch on Friday?",
    "Draft of chapter three",
    "The train at 8:14",
    "Photographs from the summer",
    "Re-entry trajectory, corrected",
    "Your library books are due",
    "=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_Z=C3=BCrich?=",
    "Password of the guest network",
    "Notes on the engine",
    "Keys for the house by the lake",
    "Review of the second proof",
]

SENTENCES = [
    "Thank you for the notes; I have read them twice and found only one mistake, which was mine.",
    "We meet at eight, in the small room, since the large one is being painted.",
    "The second table has an error in line four: the sign is wrong and all that follows is wrong with it.",
    "I have attached the drawings, and the list of parts that have not come yet.",
    "Could you bring the keys when you come by? The neighbours are away until Sunday.",
    "It rained for three days, so we stayed in, played cards and repaired the old clock.",
    "There is no hurry, but it would be good to have it before the end of the month.",
    "From here it looks as though the engine would do it in seven steps rather than nine.",
    "The children send their love and ask whether the cat has come back.",
    "If the figures agree with yours, I shall send them to the printer on Monday.",
]

EIGHT_BIT = [
    "Über Straßen und Brücken: der Zug fährt um 8:14 ab Gleis 3.",
    "L'été dernier à Besançon, où nous étions très à l'aise.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "山田です。資料をお送りします。",
]

TOKEN = re.compile(rb"^X-Token: (\S+)", re.MULTILINE)
FIRST_DAY, LAST_DAY = calendar.timegm((2016, 1, 4, 8, 0, 0)), calendar.timegm((2025, 12, 30, 18, 0, 0))


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: its octets as a server has them (CRLF), and what a reader of the list would see."""

    octets: bytes
    date: int
    """Seconds since the epoch; the same as in its `Date` field."""
    sender: str
    subject: str


def token_of(octets: bytes) -> str:
    """The token of a message made here."""
    found = TOKEN.search(octets)
    assert found, f"a message without a token: {octets[:200]!r}"
    return found.group(1).decode()


def note(token: str, *, size: int = 0, date: int = FIRST_DAY) -> bytes:
    """A small message that carries `token`, with CRLF; padded to about `size` octets."""
    lines = [
        f"From: Ada Lovelace <ada@analytical.example>\r\nSubject: note {token}\r\nDate: {formatdate(date)}\r\n",
        f"Message-ID: <{token}@analytical.example>\r\nX-Token: {token}\r\n\r\nThis is {token}.\r\n",
    ]
    lines += ["Nothing else is said in this line, and in none below.\r\n"] * (size // 55)
    return "".join(lines).encode()


def letters(seed: int, count: int, *, largest: int = 200_000) -> Iterator[Letter]:
    """`count` realistic messages, oldest first, none larger than about `largest` octets."""
    rng = random.Random(seed)
    dates = sorted(rng.randrange(FIRST_DAY, LAST_DAY) for _ in range(count))
    threads: list[tuple[str, list[str]]] = []
    for number, date in enumerate(dates):
        (sender, address), (reader, reader_address) = rng.sample(PEOPLE, 2)
        identity = f"{seed}.{number}.{rng.getrandbits(48):012x}@{address.partition('@')[2]}"
        if threads and rng.random() < 0.45:
            subject, references = rng.choice(threads[-12:])
            subject = f"Re: {subject}"
        else:
            subject, references = rng.choice(SUBJECTS), []
            threads.append((subject, references))
        host = f"mail.{address.partition('@')[2]}"
        fields = [
            f"Return-Path: <{address}>",
            f"Received: from {host} ({host} [192.0.2.{number % 250}])",
            f"\tby mx.analytical.example (Postfix) with ESMTPS id {rng.getrandbits(40):010X}",
            f"\tfor <{reader_address}>; {formatdate(date + 3)}",
            f"From: {sender} <{address}>",
            f"To: {reader} <{reader_address}>",
            f"Subject: {subject}",
            f"Date: {formatdate(date)}",
            f"Message-ID: <{identity}>",
            *([f"In-Reply-To: <{references[-1]}>", _references(references)] if references else []),
            f"X-Token: s{seed}n{number}",
            "MIME-Version: 1.0",
        ]
        references.append(identity)
        head = "\r\n".join(fields).encode()
        yield Letter(head + b"\r\n" + _content(rng, largest), date, sender, subject)


def _references(identities: list[str]) -> str:
    return "References: " + "\r\n ".join(f"<{identity}>" for identity in identities[-8:])


def _paragraphs(rng: random.Random, at_least: int) -> str:
    text: list[str] = []
    length = 0
    while length < at_least:
        text.append(textwrap.fill(" ".join(rng.sample(SENTENCES, rng.randint(2, 5))), 72) + "\n")
        length += len(text[-1])
    return "\n".join(text).replace("\n", "\r\n")


def _part(kind: str, encoding: str, body: bytes) -> bytes:
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def _text(rng: random.Random, size: int) -> bytes:
    """Plain text: mostly ASCII, else UTF-8 or ISO 8859-1 as 8-bit text."""
    text = _paragraphs(rng, size)
    chance = rng.random()
    if chance < 0.6:
        return _part("text/plain; charset=us-ascii", "7bit", text.encode())
    if chance < 0.85:
        return _part("text/plain; charset=utf-8", "8bit", (rng.choice(EIGHT_BIT) + "\r\n\r\n" + text).encode())
    return _part("text/plain; charset=iso-8859-1", "8bit", (EIGHT_BIT[0] + "\r\n\r\n" + text).encode("iso-8859-1"))


def _html(rng: random.Random, size: int) -> bytes:
    rows = _paragraphs(rng, size).replace("\r\n\r\n", "</p>\r\n<p>")
    return _part("text/html; charset=utf-8", "8bit", f"<html><body><p>{rows}</p></body></html>\r\n".encode())


def _attachment(rng: random.Random, size: int) -> bytes:
    name = rng.choice(["drawing.pdf", "photograph.jpg", "figures.ods", "proof.tar.gz"])
    data = base64.encodebytes(rng.randbytes(size * 3 // 4)).replace(b"\n", b"\r\n")
    return _part(f'application/octet-stream; name="{name}"', "base64", data)


def _multipart(rng: random.Random, kind: str, parts: list[bytes]) -> bytes:
    boundary = f"=_{rng.getrandbits(64):016x}".encode()
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n%s--%s--\r\n' % (kind.encode(), boundary, body, boundary)


def _content(rng: random.Random, largest: int) -> bytes:
    """The content fields, the empty line and the body of one message."""
    small = rng.randint(600, min(6_000, largest))
    chance = rng.random()
    if chance < 0.55:
        return _text(rng, small)
    if chance < 0.85 or largest < 20_000:
        return _multipart(rng, "alternative", [_text(rng, small), _html(rng, small)])
    size = int(largest * rng.random() ** 2 * 0.9) + 1_000
    return _multipart(rng, "mixed", [_text(rng, small), _attachment(rng, size)])


def stamp(seconds: int) -> str:
    """A point in time for people."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
