"""Response lines as values."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncer.errors import ProtocolError
from syncer.imap.responses import (
    FLAGS_LINE,
    LITERAL,
    MAX_DEPTH,
    MAX_TOKENS,
    Code,
    Continuation,
    Counted,
    Data,
    Fetch,
    Status,
    names,
    number,
    object_id,
    pairs,
    parse,
    shown,
    values_of,
)


@pytest.mark.parametrize(
    ("line", "response"),
    [
        (b"s1 OK done", Status(b"s1", "OK", None, "done")),
        (b"s1 no [TRYCREATE] Missing", Status(b"s1", "NO", Code("TRYCREATE"), "Missing")),
        (b"s1 BAD", Status(b"s1", "BAD", None, "")),
        (b"* BYE bye", Status(b"", "BYE", None, "bye")),
        (b"* PREAUTH hi", Status(b"", "PREAUTH", None, "hi")),
        (b"* OK [UIDNEXT 5]", Status(b"", "OK", Code("UIDNEXT", (b"5",)), "")),
        (b"* OK [HIGHESTMODSEQ 715194045007]", Status(b"", "OK", Code("HIGHESTMODSEQ", (b"715194045007",)), "")),
        (b"* OK [NOMODSEQ] no", Status(b"", "OK", Code("NOMODSEQ"), "no")),
        (b"* OK [PERMANENTFLAGS (a] \\*)] x", Status(b"", "OK", Code("PERMANENTFLAGS", ([b"a]", b"\\*"],)), "x")),
        (b"* OK [PERMANENTFLAGS ()]", Status(b"", "OK", Code("PERMANENTFLAGS", ([],)), "")),
        (b"* OK [MAILBOXID (F2212ea87)] x", Status(b"", "OK", Code("MAILBOXID", ([b"F2212ea87"],)), "x")),
        (b"s1 OK [APPENDUID 38505 3955] x", Status(b"s1", "OK", Code("APPENDUID", (b"38505", b"3955")), "x")),
        (b"* OK [COPYUID 3 1,3:4 5:7]", Status(b"", "OK", Code("COPYUID", (b"3", b"1,3:4", b"5:7")), "")),
        (b'* NO [BADCHARSET ("a]b")] x', Status(b"", "NO", Code("BADCHARSET", ([b"a]b"],)), "x")),
        (b"* OK [X (a] b", Status(b"", "OK", Code("X", ()), "b")),
        (b"* OK [X a b", Status(b"", "OK", None, "[X a b")),
        (b"* OK", Status(b"", "OK", None, "")),
        (b"* OK \x1b[31mred\x00", Status(b"", "OK", None, "\\x1b[31mred\\x00")),
        (b"+ idling", Continuation(b"idling")),
        (b"+", Continuation(b"")),
        (b"* 23 EXISTS", Counted("EXISTS", 23)),
        (b"* 5 expunge", Counted("EXPUNGE", 5)),
        (b"* CAPABILITY IMAP4rev1 X", Data("CAPABILITY", (b"IMAP4rev1", b"X"))),
        (b'* LIST (\\Noselect) "/" ~/Mail', Data("LIST", ([b"\\Noselect"], b"/", b"~/Mail"))),
        (b'* LIST () NIL "a\\"b\\\\"', Data("LIST", ([], None, b'a"b\\'))),
        (b'* LIST () "/" 12', Data("LIST", ([], b"/", b"12"))),
        (b'* LIST () "/" "a"b"', Data("LIST", ([], b"/", b"a", b'b"'))),
        (b"* STATUS box (UIDNEXT 4 X 0)", Data("STATUS", (b"box", [b"UIDNEXT", b"4", b"X", b"0"]))),
        (b"* STATUS box ()", Data("STATUS", (b"box", []))),
        (b'* ESEARCH (TAG "a") UID ALL 4,6:9', Data("ESEARCH", ([b"TAG", b"a"], b"UID", b"ALL", b"4,6:9"))),
        (b"* SEARCH", Data("SEARCH", ())),
        (b"* VANISHED (EARLIER) 41,43:116", Data("VANISHED", ([b"EARLIER"], b"41,43:116"))),
        (b"* ENABLED", Data("ENABLED", ())),
        (b"* 1 FETCH (UID 2 FLAGS (\\Seen a))", Fetch(1, {"UID": b"2", "FLAGS": [b"\\Seen", b"a"]})),
        (b"* 1 FETCH (BODY[HEADER (A B)]<0> NIL uid 4)", Fetch(1, {"BODY[HEADER (A B)]<0>": None, "UID": b"4"})),
        (b'* 1 FETCH (BODY[] "" MODSEQ (5))', Fetch(1, {"BODY[]": b"", "MODSEQ": [b"5"]})),
        (b"* 1 FETCH ((UID) 2)", Fetch(1, {})),
        (b"* 1 FETCH (FLAGS (BODY[x UID))", Fetch(1, {"FLAGS": [b"BODY[x", b"UID"]})),
        (b"* 1 FETCH (X (((a) b)))", Fetch(1, {"X": [[[b"a"], b"b"]]})),
    ],
)  # fmt: skip
def test_a_line_becomes_a_value(line: bytes, response: object) -> None:
    assert parse([line]) == response


def test_literals_stand_where_they_were() -> None:
    assert parse([b'* LIST () "/" ', b"a)b", b""]) == Data("LIST", ([], b"/", b"a)b"))
    assert parse([b"* 1 FETCH (BODY[] ", b"x", b" UID 3)"]) == Fetch(1, {"BODY[]": b"x", "UID": b"3"})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"* 1 FETCH",
        b"* 1 FETCH UID 3",
        b"* 1 FETCH (UID)",
        b"* 1 FETCH (UID 3",
        b"* 1 FETCH (UID 3))",
        b"* LIST (",
        b"* LIST )",
        b"* X " + b"(" * (MAX_DEPTH + 1) + b")" * (MAX_DEPTH + 1),
        b"* X " + b"a " * (MAX_TOKENS + 1),
        b"s1 YES done",
        b" OK done",
        b"\x16\x03\x01",
        b"HTTP/1.1 400 Bad Request",
    ],
    ids=lambda line: line[:20].decode("latin-1"),
)
def test_what_is_no_response_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse([line])


@pytest.mark.parametrize(
    ("line", "size"),
    [(b"x {5}\r\n", b"5"), (b"x ~{5}\r\n", b"5"), (b"x {5+}\n", b"5"), (b"{5} x\r\n", None), (b"x {-5}\r\n", None)],
)
def test_the_head_of_a_literal_is_recognised(line: bytes, size: bytes | None) -> None:
    match = LITERAL.search(line)
    assert (match and match[1]) == size


@pytest.mark.parametrize(
    ("line", "groups"),
    [
        (b"* 1 FETCH (UID 2 FLAGS (\\Seen a))\r\n", (b"2", b"\\Seen a", None, None)),
        (b"* 1 FETCH (FLAGS () UID 2)\r\n", (None, None, b"", b"2")),
        (b"* 1 FETCH (UID 2 FLAGS () MODSEQ (7))\r\n", (b"2", b"", None, None)),
    ],
)
def test_the_fast_path_knows_both_orders(line: bytes, groups: tuple[bytes | None, ...]) -> None:
    match = FLAGS_LINE.fullmatch(line)
    assert match is not None
    assert match.groups() == groups


@pytest.mark.parametrize(
    "line", [b"* 1 FETCH (FLAGS ())\r\n", b"* 1 FETCH (UID 2 FLAGS (a (b)))\r\n", b"* 1 FETCH (UID 2 FLAGS ()"]
)
def test_the_fast_path_leaves_everything_else_to_the_long_way(line: bytes) -> None:
    assert FLAGS_LINE.fullmatch(line) is None


def test_small_readers_pass_over_what_is_not_theirs() -> None:
    assert [number(value) for value in (b"12", b"-1", b"1" * 21, None, [b"1"])] == [12, None, None, None, None]
    assert names([b"a", None, [b"c"], b"d"]) == (b"a", b"d")
    assert names(b"a") == ()
    assert [object_id(value) for value in ([b"M-1_"], b"M2", [b"a b"], [b"\xff"], [], None)] == [
        "M-1_",
        "M2",
        *[None] * 4,
    ]
    assert pairs([b"a", b"1", None, b"2", b"b"]) == {"A": b"1"}
    assert shown(b"a\r\nb\x07\xff" + b"x" * 500).startswith("a\\x0d\\x0ab\\x07\\xffxxx")
    assert len(shown(b"x" * 500)) == 200


def test_the_words_of_a_status_name_its_code() -> None:
    assert Status(b"", "NO", Code("OVERQUOTA"), "full").words == "[OVERQUOTA] full"
    assert Status(b"", "NO", Code("OVERQUOTA"), "").words == "[OVERQUOTA]"
    assert Status(b"", "NO", None, "no").words == "no"
    assert Status(b"", "NO", None, "").words == "NO"
    assert Status(b"", "NO", Code("LIMIT"), "").has("X", "LIMIT")
    assert not Status(b"", "NO", None, "").has("LIMIT")


ALPHABET = [
    b"* ",
    b"1 ",
    b"FETCH ",
    b"(",
    b")",
    b'"',
    b"\\",
    b"UID 5",
    b" ",
    b"BODY[",
    b"]",
    b"OK ",
    b"[",
    b"NIL",
    b"{3}",
    b"s1 ",
    b"\xff",
]
lines = st.binary(max_size=60) | st.lists(st.sampled_from(ALPHABET), max_size=25).map(b"".join)


@settings(max_examples=500)
@given(st.lists(lines, min_size=1, max_size=5))
@example([b"* OK [" + b"(" * 5000])
@example([b"* OK [" + b"(a)" * 5000])
@example([b'* OK ["' + b"\\" * 5000])
def test_any_octets_give_a_value_or_a_protocol_error(parts: list[bytes]) -> None:
    try:
        found: object = parse(parts)
    except ProtocolError as error:
        found = str(error)
    assert not isinstance(found, str) or found.isprintable()


@given(st.lists(st.binary(max_size=20)))
def test_any_strings_survive_as_literals(strings: list[bytes]) -> None:
    parts = [part for string in strings for part in (b" ", string)]
    assert values_of([*parts, b""]) == strings
