# SPDX-License-Identifier: Apache-2.0
"""Forebay for Python: see forebay.spark and forebay.pack."""

from forebay.errors import ForebayError, PackError, SignatureError, Unsupported, WorkerError

__all__ = ["ForebayError", "PackError", "SignatureError", "Unsupported", "WorkerError"]
