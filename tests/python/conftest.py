# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share."""

import threading
import time

import pytest

PATIENCE_S = 30  # for what must happen, and does at once


class Background:
    """A function on a thread of its own, with what it returned or raised."""

    def __init__(self, function, *args, **kwargs):
        self._outcome = None
        self._error = None

        def run():
            try:
                self._outcome = function(*args, **kwargs)
            except BaseException as error:  # noqa: B902, handed to whoever asks
                self._error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def running(self):
        return self._thread.is_alive()

    def result(self):
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the call did not come back"
        if self._error is not None:
            raise self._error
        return self._outcome


@pytest.fixture
def background():
    return Background


def waits(stream, side, before):
    """Returns once a thread waits in that side of the stream, which had `before` waits."""
    end = time.monotonic() + PATIENCE_S
    while getattr(stream.stats(), f"{side}_waits") == before:
        assert time.monotonic() < end, "nobody waits"
        time.sleep(0.001)


@pytest.fixture
def until_reader_waits():
    return lambda stream, before=0: waits(stream, "reader", before)


@pytest.fixture
def until_writer_waits():
    return lambda stream, before=0: waits(stream, "writer", before)
