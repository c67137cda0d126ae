"""What is logged is said for as long as a command runs."""

import logging

import pytest

from syncer.cli.logs import logs_said
from syncer.cli.output import Output

LOG = logging.getLogger("syncer.imap")


def test_an_inner_one_takes_the_place_of_the_outer_one_and_nothing_is_left_of_either(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger("syncer")
    before = (root.handlers[:], root.level)
    output = Output(0)
    with logs_said(output, logging.WARNING):
        LOG.info("not said")
        with logs_said(output, logging.INFO):
            LOG.info("work: one")
            LOG.warning("work: two")
        LOG.info("not said")
        LOG.error("work: three")
    output.close()
    assert (root.handlers, root.level) == before
    assert capsys.readouterr().err.splitlines() == ["work: one", "work: two", "work: three"]
