import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.index.codec import SET_SHIFT, SYSTEM_BITS, DamagedRowError, FlagCodec, to_bytes, to_json, to_text
from syncer.reconcile.flags import SYSTEM


def code(bits: int, set_id: int | None) -> int:
    return bits | (set_id or 0) << SET_SHIFT


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_one_spelling_in_bytes_and_back(text: str) -> None:
    assert to_text(to_bytes(text)) == text


@given(st.binary())
def test_any_file_name_survives(name: bytes) -> None:
    text = name.decode("utf-8", "surrogateescape")
    assert to_text(to_bytes(text)).encode("utf-8", "surrogateescape") == name


def test_texts_that_surrogate_escapes_would_merge_stay_apart() -> None:
    assert to_bytes("\udcc3\udca9") != to_bytes("é")


def test_json_is_ascii_and_always_in_the_same_order() -> None:
    assert to_json({"b": "\udcff", "a": "é"}) == '{"a":"\\u00e9","b":"\\udcff"}'


def test_the_stored_bits_of_the_system_flags_never_change() -> None:
    assert SYSTEM_BITS == {"\\Seen": 1, "\\Answered": 2, "\\Flagged": 4, "\\Deleted": 8, "\\Draft": 16}
    assert SYSTEM_BITS.keys() == SYSTEM
    assert max(SYSTEM_BITS.values()) < 1 << SET_SHIFT


@given(st.lists(st.frozensets(st.sampled_from([*sorted(SYSTEM), "$Forwarded", "a", "b", "c"]))))
def test_flags_come_back_from_this_codec_and_from_one_that_reads_what_it_saved(sets: list[frozenset[str]]) -> None:
    codec = FlagCodec([])
    rows = [codec.encoded[flags] for flags in sets]
    later = FlagCodec(codec.unsaved)
    assert [codec.decoded[code(*row)] for row in rows] == sets
    assert [later.decoded[code(*row)] for row in rows] == sets
    assert [later.encoded[flags] for flags in sets] == rows
    assert later.unsaved == []
    assert later.keywords() == codec.keywords()


def test_a_new_set_is_numbered_after_those_that_are_stored() -> None:
    codec = FlagCodec([(3, '["a"]'), (9, '["a","b"]')])
    assert codec.encoded[frozenset({"b", "\\Draft", "\\Seen"})] == (17, 10)
    assert codec.encoded[frozenset({"A", "B"})] == (0, 9)
    assert codec.encoded[frozenset()] == (0, None)
    assert codec.unsaved == [(10, '["b"]')]


def test_keywords_are_listed_in_the_order_in_which_they_were_first_recorded() -> None:
    codec = FlagCodec([(1, '["z"]'), (2, '["a","z"]')])
    codec.encoded[frozenset({"Z", "m"})]
    assert codec.keywords() == ("z", "a", "m")


def test_the_same_flags_are_the_same_object() -> None:
    codec = FlagCodec([(1, '["a"]')])
    assert codec.decoded[code(1, 1)] is codec.decoded[code(1, 1)]


def test_a_set_that_is_not_stored_is_not_guessed() -> None:
    with pytest.raises(DamagedRowError, match="no keyword set 1"):
        FlagCodec([]).decoded[code(0, 1)]
