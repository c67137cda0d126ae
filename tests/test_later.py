"""What is loaded or compiled late behaves as if it had been there from the start."""

import re
import sys

import pytest

from syncer.later import Later, later


def test_a_module_is_loaded_when_something_of_it_is_first_used(monkeypatch: pytest.MonkeyPatch) -> None:

    late = Later("colorsys")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)

    assert "colorsys" not in sys.modules
    assert late.rgb_to_hls(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)
    assert "colorsys" in sys.modules


def test_a_pattern_is_compiled_when_it_is_first_used() -> None:
    broken = later("(")

    with pytest.raises(re.error):
        broken.fullmatch("(")


def test_a_late_pattern_finds_what_a_compiled_one_finds() -> None:
    late, compiled = later(rb"a(b+)", re.IGNORECASE), re.compile(rb"a(b+)", re.IGNORECASE)

    for text in (b"xABBy", b"none"):
        found, wanted = late.search(text), compiled.search(text)
        assert (found and found.groups()) == (wanted and wanted.groups())
    assert (late.pattern, late.flags, late.sub(rb"\1", b"abab")) == (compiled.pattern, compiled.flags, b"bb")
