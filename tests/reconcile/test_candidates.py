"""What could be a counterpart, and what is read to know it."""

from builders import WORK, contents, file, look, message, pair, read

from syncer.reconcile.candidates import file_left, message_left, wanted_contents, wanted_files, wanted_headers
from syncer.reconcile.identity import INBOX, Uid, UniqueName
from syncer.reconcile.observations import Fingerprint, Intent, PairState


def intent(name: str, uidnext: int | None) -> Intent:
    return Intent(UniqueName(name), None if uidnext is None else Uid(uidnext))


class TestWhoseContentIsAskedFor:
    """Messages 5 and 6 have the size and header block of `a`, message 7 has not."""

    SEEN = (message(5, "a"), message(6, "a"), message(7, "b"))
    HEADERS = read(headers={"5": "a", "6": "a", "7": "b"}).headers
    TWIN = Fingerprint(contents("a").size, contents("a").header, b"twin")

    def wanted(self, own: dict[UniqueName, Uid] | None = None, **files: Fingerprint) -> set[Uid]:
        seen = look(files=[file(name) for name in files], messages=self.SEEN, own=own or {})
        found = {(INBOX, UniqueName(name)): fingerprint for name, fingerprint in files.items()}
        return {uid for _, uid in wanted_contents([seen], found, self.HEADERS)}

    def test_of_equal_messages_of_which_there_are_as_many_files_none(self) -> None:
        assert self.wanted(x=contents("a"), y=contents("a"), z=contents("b")) == set()

    def test_of_messages_without_any_such_file_none(self) -> None:
        assert self.wanted(z=contents("b")) == set()

    def test_where_the_files_differ(self) -> None:
        assert self.wanted(x=contents("a"), y=self.TWIN, z=contents("b")) == {5, 6}

    def test_where_there_are_fewer_files(self) -> None:
        assert self.wanted(x=contents("a"), z=contents("b")) == {5, 6}

    def test_of_one_like_a_message_whose_uid_is_gone_unless_its_email_id_says_which_it_is(self) -> None:
        known = [pair(1, "a", email_id="M1"), pair(2, "b")]
        new = [message(5, "a"), message(6, "a", email_id="M2"), message(7, "b"), message(8, "c")]
        seen = look(pairs=known, expunged=[1, 2], messages=new)
        headers = read(headers={"5": "a", "6": "a", "7": "b", "8": "c"}).headers
        assert wanted_contents([seen], {}, headers) == {(INBOX, Uid(5)), (INBOX, Uid(7))}

    def test_not_of_those_whose_file_has_their_uid_in_its_name(self) -> None:
        own = {UniqueName("x"): Uid(5), UniqueName("y"): Uid(6)}
        assert self.wanted(own, x=contents("a"), y=self.TWIN) == set()


class TestWhatIsAskedFor:
    def test_a_new_message_on_the_server_alone_costs_nothing(self) -> None:
        seen = look(messages=[message(5, "a")])
        assert (wanted_files([seen]), wanted_headers([seen], {})) == (set(), set())

    def test_a_new_file_alone_costs_nothing(self) -> None:
        seen = look(files=[file("a")])
        assert (wanted_files([seen]), wanted_headers([seen], {})) == (set(), set())

    def test_a_message_that_went_costs_nothing(self) -> None:
        seen = look(pairs=[pair(1, "a"), pair(2, "b")], expunged=[1], deleted=["b"])
        assert (wanted_files([seen]), wanted_headers([seen], {})) == (set(), set())

    def test_new_files_in_another_mailbox_than_new_messages_cost_nothing(self) -> None:
        seen = [look(files=[file("a")]), look(WORK, messages=[message(5, "a")])]
        assert (wanted_files(seen), wanted_headers(seen, {})) == (set(), set())

    def test_new_on_both_sides_is_read_and_headers_of_the_same_size_only(self) -> None:
        seen = look(files=[file("x")], messages=[message(5, "a"), message(6, "another")])
        files = wanted_files([seen])
        assert files == {(INBOX, "x")}
        assert wanted_headers([seen], read({"x": "b"}).files) == {(INBOX, 5)}

    def test_of_many_files_whose_name_and_size_say_which_message_it_is_a_few_headers_are_compared(self) -> None:
        names = [f"x{uid}" for uid in range(1, 101)]
        own = {UniqueName(name): Uid(uid) for uid, name in enumerate(names, start=1)}
        messages = [message(uid, "a") for uid in range(1, 101)]
        seen = look(files=[file(name) for name in names], messages=messages, own=own)
        files = read(dict.fromkeys(names, "a")).files
        few = {(INBOX, uid) for uid in range(16, 101, 16)}
        assert wanted_headers([seen], files) == few
        sound = read(headers={str(uid): "a" for _, uid in few}).headers
        assert wanted_headers([seen], files, sound) == few
        wrong = read(headers={str(uid): "a" for _, uid in few} | {"48": "b"}).headers
        assert wanted_headers([seen], files, wrong) == {(INBOX, uid) for uid in range(1, 101)}

    def test_of_few_files_with_our_own_names_every_header_is_compared(self) -> None:
        own = {UniqueName("x"): Uid(5), UniqueName("y"): Uid(6)}
        seen = look(files=[file("x"), file("y")], messages=[message(5, "a"), message(6, "another")], own=own)
        assert wanted_headers([seen], read({"x": "a", "y": "b"}).files) == {(INBOX, 5), (INBOX, 6)}

    def test_a_new_file_is_read_if_a_file_is_gone_anywhere(self) -> None:
        seen = [look(pairs=[pair(1, "a")], deleted=["a"]), look(WORK, files=[file("x")])]
        assert (wanted_files(seen), wanted_headers(seen, {})) == ({(WORK, "x")}, set())

    def test_a_new_file_is_read_if_a_mailbox_is_gone_with_files(self) -> None:
        seen = [look(pairs=[pair(1, "a")], local={"missing": True}), look(WORK, files=[file("x")])]
        assert wanted_files(seen) == {(WORK, "x")}

    def test_a_new_message_is_read_if_one_of_its_size_is_gone_from_any_mailbox(self) -> None:
        here = look(pairs=[pair(1, "a")], expunged=[1], messages=[message(5, "a")])
        there = look(WORK, messages=[message(7, "b"), message(8, "another")])
        assert wanted_headers([here, there], {}) == {(INBOX, 5), (WORK, 7)}

    def test_a_message_whose_file_is_gone_as_well_did_not_move(self) -> None:
        here = look(pairs=[pair(1, "a")], expunged=[1], deleted=["a"])
        assert wanted_headers([here, look(WORK, messages=[message(7, "a")])], {}) == set()

    def test_a_kept_copy_did_not_move(self) -> None:
        kept = [pair(1, "a", state=PairState.SERVER_ONLY), pair(2, "b", state=PairState.LOCAL_ONLY)]
        seen = look(pairs=kept, expunged=[1], deleted=["b"])
        assert (file_left(seen), message_left(seen)) == ([], [])

    def test_messages_of_one_size_and_date_are_read_whatever_names_there_are(self) -> None:
        own = {UniqueName("x"): Uid(5)}
        seen = look(files=[file("x")], messages=[message(5, "a"), message(6, "b")], own=own)
        assert wanted_headers([seen], read({"x": "a"}).files) == {(INBOX, 5), (INBOX, 6)}

    def test_an_open_intent_asks_for_its_file_and_for_everything_not_below_its_uidnext(self) -> None:
        messages = [message(uid, "another") for uid in (9, 10, 11)]
        seen = look(files=[file("x"), file("y")], messages=messages, intents=(intent("x", 10),))
        assert wanted_files([seen]) == {(INBOX, "x"), (INBOX, "y")}
        assert wanted_headers([seen], read({"x": "a"}).files) == {(INBOX, 10), (INBOX, 11)}

    def test_the_lowest_uidnext_counts_and_none_is_the_lowest(self) -> None:
        messages = [message(uid, "another") for uid in (3, 10, 11)]
        some = (intent("x", 11), intent("y", 10))
        seen = look(files=[file("x"), file("y")], messages=messages, intents=some)
        assert wanted_headers([seen], {}) == {(INBOX, 10), (INBOX, 11)}
        seen = look(files=[file("x"), file("y")], messages=messages, intents=(*some, intent("x", None)))
        assert wanted_headers([seen], {}) == {(INBOX, 3), (INBOX, 10), (INBOX, 11)}

    def test_an_intent_whose_file_is_gone_asks_for_nothing(self) -> None:
        seen = look(messages=[message(5, "a")], intents=(intent("x", 1),))
        assert (wanted_files([seen]), wanted_headers([seen], {})) == (set(), set())

    def test_an_intent_alone_asks_for_its_file(self) -> None:
        assert wanted_files([look(files=[file("x")], intents=(intent("x", 1),))]) == {(INBOX, "x")}
