# SPDX-License-Identifier: Apache-2.0
"""Forebay for Python: see forebay.spark."""

from forebay.errors import ForebayError, SignatureError, Unsupported, WorkerError

__all__ = ["ForebayError", "SignatureError", "Unsupported", "WorkerError"]
