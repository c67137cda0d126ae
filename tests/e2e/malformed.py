"""Messages that nobody should send and everybody has got: the corpus, by name, in the octets that are sent."""

from collections.abc import Iterator

MEGABYTE = 1_000_000


def head(name: str, *fields: bytes) -> bytes:
    """An ordinary header with more fields, without the empty line at its end."""
    plain = f"From: Ada Lovelace <ada@analytical.example>\r\nSubject: {name}\r\n"
    return plain.encode() + b"".join(field + b"\r\n" for field in fields)


def dated(name: str, *fields: bytes) -> bytes:
    """The same, with what every message should have."""
    return head(name, b"Date: Mon, 04 Jan 2016 08:00:00 +0000", f"Message-ID: <{name}@example>".encode(), *fields)


def letter(name: str, body: bytes, *fields: bytes) -> bytes:
    """An ordinary header and this body."""
    return dated(name, *fields) + b"\r\n" + body


def corpus() -> dict[str, bytes]:
    """Every message by name; one is as it should be."""
    return dict(
        [
            ("plain", letter("plain", b"Nothing is wrong with this one.\r\n")),
            *_frames(),
            *_octets(),
            *_sizes(),
            *_headers(),
            *_mime(),
            *_protocol(),
        ]
    )


def _frames() -> Iterator[tuple[str, bytes]]:
    """Header, empty line, body: some of them missing."""
    yield "no octets", b""
    yield "only a newline", b"\r\n"
    yield "only newlines", b"\r\n\r\n\r\n"
    yield "no header", b"\r\nThere is a body all the same.\r\n"
    yield "no header, no empty line", b"This is no header.\r\nNor is this.\r\n"
    yield "no body", dated("no body") + b"\r\n"
    yield "no body, no empty line", dated("no body, no empty line")
    yield "no body, no newline", dated("no body, no newline").removesuffix(b"\r\n")
    yield "no final newline", letter("no final newline", b"It ends here")
    yield "one octet", b"x"


def _octets() -> Iterator[tuple[str, bytes]]:
    """Octets that are not text, or not the ends of lines that they should be."""
    yield "NUL in the body", letter("nul", b"before\0after\r\n")
    yield "NUL in a header field", letter("nul", b"x\r\n", b"X-Odd: before\0after")
    yield "bare CR", letter("bare cr", b"one\rtwo\r\n")
    yield "bare CR in a header field", letter("bare cr", b"x\r\n", b"X-Odd: one\rtwo")
    yield "CR at the end", letter("cr at the end", b"one\r")
    yield "CR CR LF", letter("cr cr lf", b"one\r\r\ntwo\r\r\n")
    yield "bare LF", letter("bare lf", b"one\r\ntwo\r\n").replace(b"\r\n", b"\n")
    yield "bare LF in the body", letter("bare lf in the body", b"one\ntwo\r\n")
    yield "mixed line ends", letter("mixed", b"one\rtwo\nthree\r\nfour\n\rfive\r\n\nsix")
    yield "header ended by LF LF", dated("lf lf").removesuffix(b"\r\n") + b"\n\nbody\r\n"
    yield "8 bit in a header field", letter("8 bit", b"x\r\n", "X-Odd: Grüße".encode("iso-8859-1"))
    yield "UTF-8 in a header field", letter("utf-8", b"x\r\n", "X-Odd: Grüße, 山田".encode())
    yield "not UTF-8", letter("not utf-8", b"\xc3\x28 \xff\xfe \xed\xa0\x80 \xf8\x88\r\n", b"X-Odd: \xc3\x28\xff")
    yield "every octet", letter("every octet", bytes(range(1, 256)).translate(None, b"\r\n") + b"\r\n")
    yield "control characters in Subject", letter("controls", b"x\r\n", b"Subject: \x1b[31mred\x07\x08\x7f")
    yield "Ctrl-Z", letter("ctrl-z", b"before\x1a\r\nafter\r\n\x1a")
    yield "byte order mark first", b"\xef\xbb\xbf" + letter("bom", b"x\r\n")


def _sizes() -> Iterator[tuple[str, bytes]]:
    """More of something than anybody expects."""
    yield "a line of 1 MB", letter("long line", b"x" * MEGABYTE + b"\r\n")
    yield "a line of 11,000 octets", letter("line", b"x" * 11_000 + b"\r\n")
    yield "a header line of 1 MB", letter("long header line", b"x\r\n", b"X-Odd: " + b"y" * MEGABYTE)
    yield "100,000 header lines", letter("many", b"x\r\n", *(b"X-Odd: %d" % number for number in range(100_000)))
    recipients = b",\r\n ".join(b"reader%d@analytical.example" % number for number in range(1_000))
    yield "1,000 recipients", letter("recipients", b"x\r\n", b"To: " + recipients)
    yield "a Message-ID of 100 kB", head("long id", b"Message-ID: <" + b"i" * 100_000 + b"@example>") + b"\r\nx\r\n"
    yield "a field name of 100 kB", letter("long name", b"x\r\n", b"X-" + b"n" * 100_000 + b": y")


def _headers() -> Iterator[tuple[str, bytes]]:
    """Headers that no parser likes."""
    yield "From line first", b"From ada@analytical.example Mon Jan  4 08:00:00 2016\r\n" + letter("from", b"x\r\n")
    yield "quoted From line first", b">From ada@analytical.example Mon Jan\r\n" + letter("quoted from", b"x\r\n")
    yield "From line in the body", letter("from inside", b"From here on it\r\n\r\nFrom there\r\n")
    yield "header line without colon", letter("no colon", b"x\r\n", b"this is no field", b"X-After: yes")
    yield "a field without a name", letter("no name", b"x\r\n", b": nameless")
    yield "space before the colon", letter("space", b"x\r\n", b"X-Odd : y", b"X Odd: z")
    yield "folded first line", b" folded: before anything\r\n" + letter("folded", b"x\r\n")
    yield "folded line of spaces", letter("spaces", b"x\r\n", b"X-Odd: y", b" ", b"\t", b"X-After: yes")
    yield "no Message-ID", head("no id") + b"\r\nx\r\n"
    yield "the same Message-ID, one", letter("twins", b"This is the first of two.\r\n")
    yield "the same Message-ID, two", letter("twins", b"This is another body here\r\n")
    yield "two Message-IDs", letter("two ids", b"x\r\n", b"Message-ID: <another@example>")
    yield "a Message-ID that is none", head("bad id", b'Message-ID: "><)(\\ \x01 not one') + b"\r\nx\r\n"
    yield "fields of mbox", letter("mbox", b"x\r\n", b"Status: RO", b"X-Status: A", b"X-UID: 7", b"Content-Length: 3")
    yield "a date that cannot be read", head("bad date", b"Date: yesterday, at half past nine") + b"\r\nx\r\n"
    yield "a date in the year 0", head("year 0", b"Date: Sat, 00 Jan 0000 25:61:61 -0330") + b"\r\nx\r\n"
    yield "a date in the year 99999", head("year 99999", b"Date: 1 Jan 99999 00:00:00 +9999") + b"\r\nx\r\n"


def _mime() -> Iterator[tuple[str, bytes]]:
    """Content that says of itself what is not true."""
    mixed = b'Content-Type: multipart/mixed; boundary="b"'
    yield "parts that never end", letter("open", b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>", mixed)
    yield "no boundary", letter("no boundary", b"--b\r\n\r\none\r\n--b--\r\n", b"Content-Type: multipart/mixed")
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(500)
    )
    yield "500 levels of parts", dated("deep") + deep
    yield "binary", letter("binary", bytes(range(1, 256)) * 4, b"Content-Transfer-Encoding: binary")
    yield "base64 that is none", letter("base64", b"=!?====\r\nA\r\n", b"Content-Transfer-Encoding: base64")
    yield "no such charset", letter("charset", b"\xfe\r\n", b'Content-Type: text/plain; charset="\xff;;=x')


def _protocol() -> Iterator[tuple[str, bytes]]:
    """What looks like a part of the conversation."""
    yield "a lonely dot", letter("dot", b"before\r\n.\r\nafter\r\n..\r\n.")
    yield "a literal inside", letter("literal", b"{1000000}\r\n~{3+}\r\n{0}\r\n{99999999999999999999}\r\n")
    yield "a literal at the end", letter("literal at the end", b"BODY[] {42}")
    yield "a literal in a header field", letter("literal", b"x\r\n", b"X-Odd: {42}", b"Subject: * 1 FETCH (BODY[] {7}")
    replies = b"* BYE gone\r\n* 1 EXPUNGE\r\n* VANISHED 1:*\r\n* 1 FETCH (UID 1 FLAGS (\\Deleted) BODY[] {3}\r\n"
    tagged = b"".join(
        b"%b%d OK done\r\n%b%04d NO [TRYCREATE]\r\n" % (tag, n, tag, n) for tag in (b"A", b"a") for n in range(9)
    )
    yield "replies inside", letter("replies", replies + tagged + b"+ go ahead\r\n)\r\nA1 LOGOUT\r\n")
    yield "the end of a reply at the end", letter("paren", b' FLAGS (\\Deleted) INTERNALDATE "x" UID 7)\r\n)\r\n')
