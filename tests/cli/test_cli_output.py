"""Printing: nothing that a server says can steer the terminal, and nothing that fails to print stops a pass."""

import io
import json
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.cli.output import Line, Output, escape, on_terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream that fails as a full disk or a closed pipe does; `fileno` is a pipe's, so that it can be redirected."""

    def __init__(self, error: OSError, descriptor: int) -> None:
        super().__init__()
        self.error = error
        self.descriptor = descriptor

    def flush(self) -> None:
        raise self.error

    def fileno(self) -> int:
        return self.descriptor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lists/python", "Lists/python"),
        ("Entwürfe 下書き 📧", "Entwürfe 下書き 📧"),
        ("a\x1b[31mb\r\n\tc\x7f", r"a\x1b[31mb\r\n\tc\x7f"),
        ("\x9b2J", r"\x9b2J"),
        ("gepj.\u202egpj", r"gepj.\u202egpj"),
        ("a\u2028b\ufeff", r"a\u2028b\ufeff"),
        ("1.M2P3.\udcff", r"1.M2P3.\udcff"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_could_steer_a_terminal_is_written_out(text: str, expected: str) -> None:
    assert escape(text) == expected


@given(st.text())
def test_nothing_that_is_left_is_a_control_character(text: str) -> None:
    escaped = escape(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in escaped)
    assert not any(unicodedata.bidirectional(character) in {"RLO", "LRO", "RLE", "LRE", "PDF"} for character in escaped)
    escaped.encode()


@pytest.mark.parametrize(
    ("verbosity", "expected"), [(-1, "syncer: e\n"), (0, "syncer: e\ns\n"), (1, "syncer: e\ns\nv\n")]
)
def test_the_verbosity_decides_what_is_said(capsys: pytest.CaptureFixture[str], verbosity: int, expected: str) -> None:
    output = Output(verbosity)
    output.error("e")
    output.say("s")
    output.say("v", least=1)
    output.result("r")
    assert tuple(capsys.readouterr()) == ("r\n", expected)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm"}, "\x1b[31msyncer: e\x1b[0m\n"),
        ({"TERM": "dumb"}, "syncer: e\n"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "syncer: e\n"),
        ({"TERM": "xterm", "NO_COLOR": ""}, "\x1b[31msyncer: e\x1b[0m\n"),
    ],
)
def test_colour_is_for_terminals_that_have_it_and_people_who_want_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    Output().error("e")
    assert sys.stderr.getvalue() == expected  # type: ignore[attr-defined]


def test_a_stream_that_was_never_open_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output = Output()
    output.result("r")
    output.say("s")
    assert (output.failed, on_terminal(None)) == (False, False)


@pytest.mark.parametrize(("error", "failed"), [(BrokenPipeError(), False), (OSError(28, "No space left"), True)])
def test_a_result_that_cannot_be_written_is_remembered_unless_nobody_reads_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, error: OSError, failed: bool
) -> None:
    with open(f"{tmp_path}/x", "w") as file:
        monkeypatch.setattr(sys, "stdout", Broken(error, file.fileno()))
        output = Output()
        output.result("r")
        assert output.failed is failed
        file.write("goes nowhere")
    with open(f"{tmp_path}/x") as file:
        assert file.read() == ""


def test_words_for_people_that_cannot_be_written_are_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    with open(f"{tmp_path}/x", "w") as file:
        monkeypatch.setattr(sys, "stderr", Broken(OSError(28, "No space left"), file.fileno()))
        output = Output()
        output.error("e")
        assert not output.failed


def test_what_is_said_can_be_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncer.cli.output.time.gmtime", lambda: time.struct_time((2026, 11, 26, 13, 15, 0, 3, 330, 0)))
    output = Output(0, "json")
    output.tell(Line("syncer: work:Entwürfe: UID 7: refused", "error", -1, ("work", "Entwürfe")))
    output.say("work: tried again in 9 s", about=("work",))
    output.say("a\x1b[31mb", "warning", more=["  c\n", "d"])
    output.say("not now", least=1)
    output.result("r\x1b")
    out, err = capsys.readouterr()
    assert out == "r\\x1b\n"
    assert err.isascii()
    assert [json.loads(line) for line in err.splitlines()] == [
        {"at": "2026-11-26T13:15:00Z", "level": level, "account": account, "mailbox": mailbox, "message": message}
        for level, account, mailbox, message in (
            ("error", "work", "Entwürfe", "UID 7: refused"),
            ("info", "work", None, "tried again in 9 s"),
            ("warning", None, None, "a\\x1b[31mb\n  c\\n\nd"),
        )
    ]
