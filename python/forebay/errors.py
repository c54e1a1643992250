# SPDX-License-Identifier: Apache-2.0
"""The errors that this package raises. Their text begins with the name of their type."""


class ForebayError(Exception):
    """The base of all of them."""

    def __init__(self, what):
        super().__init__(f"{type(self).__name__}: {what}")


class WorkerError(ForebayError):
    """The worker program cannot be run on this machine, or does not describe its functions."""


class SignatureError(ForebayError):
    """A function is not there, or is not called with what it takes."""


class Unsupported(ForebayError):
    """Something that cannot be had here."""


class PackError(ForebayError):
    """A worker program cannot be packed."""


class StreamError(ForebayError):
    """A stream cannot go on."""


class Cancelled(StreamError):
    """The stream was cancelled or closed."""


class DeadlineExceeded(StreamError, TimeoutError):
    """The timeout of a call passed."""
