"""The messages of the benchmark, and its accounts."""

import re

from bench.accounts import ACCOUNTS, TREE
from bench.mail import SMALLEST, letters, sizes
from bench.wire import letters_of, uid_set


def test_the_same_seed_gives_the_same_messages() -> None:
    lengths = sizes(3, 50, 2_000_000)
    assert list(letters(7, lengths)) == list(letters(7, lengths))
    assert [letter.octets for letter in letters(7, lengths)] != [letter.octets for letter in letters(8, lengths)]


def test_messages_have_exactly_the_sizes_that_were_asked_for() -> None:
    lengths = [SMALLEST, 1_201, 1_277, 20_000, 20_001, 20_078, 9_000_000]
    assert [len(letter.octets) for letter in letters(1, lengths)] == lengths


def test_every_line_ends_with_crlf_and_every_message_has_its_own_identity() -> None:
    made = [letter.octets for letter in letters(1, [SMALLEST + step for step in range(200)])]
    assert all(octets.endswith(b"\r\n") for octets in made)
    assert all(octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r") for octets in made)
    assert len({re.findall(rb"Message-ID: (\S+)", octets)[0] for octets in made}) == 200


def test_sizes_add_up_and_differ() -> None:
    lengths = sizes(1, 20_000, 535_000_000)
    assert abs(sum(lengths) - 535_000_000) < 20_000
    assert min(lengths) >= SMALLEST
    assert max(lengths) > 20 * sum(lengths) / len(lengths)
    assert set(sizes(1, 10, 20_000, spread=0)) == {2_000}


def test_the_tree_has_30_mailboxes_and_the_first_is_the_fullest() -> None:
    lengths = ACCOUNTS["tree"].lengths()
    counts = [len(each) for each in lengths.values()]
    assert list(lengths) == list(TREE)
    assert len(TREE) == len(set(TREE)) == 30
    assert sum(counts) == 20_000
    assert counts[0] == max(counts)


def test_a_small_scale_makes_fewer_messages_or_smaller_ones() -> None:
    tree, huge = ACCOUNTS["tree"].scaled(0.01), ACCOUNTS["huge"].scaled(0.01)
    assert (tree.count, tree.octets) == (200, 5_350_000)
    assert (huge.count, huge.octets) == (20, 10_000_000)
    assert ACCOUNTS["tree"].scaled(0.0001).count == 30


def test_a_sequence_set_has_ranges() -> None:
    assert uid_set([7, 1, 2, 3, 9, 10]) == "1:3,7,9:10"


def test_flags_become_the_letters_of_a_maildir() -> None:
    assert letters_of([b"\\Seen", b"\\Recent", b"\\Answered", b"todo", b"$Forwarded"]) == "PRS"
