# SPDX-License-Identifier: Apache-2.0
"""Forebay for Python: ZeroCopyByteStream, and what forebay.spark and forebay.pack are."""

from forebay.errors import (Cancelled, DeadlineExceeded, ForebayError, PackError, SignatureError,
                            StreamError, Unsupported, WorkerError)

__all__ = ["Cancelled", "DeadlineExceeded", "ForebayError", "Listener", "PackError",
           "SignatureError", "StreamError", "StreamStats", "Unsupported", "WorkerError",
           "ZeroCopyByteStream", "connect", "listen", "receive"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from forebay._stream import (Listener, StreamStats, ZeroCopyByteStream, connect, listen,
                                 receive)

_COMPILED = {"Listener", "StreamStats", "ZeroCopyByteStream", "connect", "listen", "receive"}


def __getattr__(name):
    # Loaded when it is used: forebay.spark runs from a checkout, where nothing is compiled.
    if name not in _COMPILED:
        raise AttributeError(f"module 'forebay' has no attribute {name!r}")
    from forebay import _stream

    value = globals()[name] = getattr(_stream, name)
    return value
