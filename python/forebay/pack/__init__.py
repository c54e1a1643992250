# SPDX-License-Identifier: Apache-2.0
"""One archive of a worker program and all that it needs: the command forebay-pack."""

from forebay.pack.pack import Packed, pack

__all__ = ["Packed", "pack"]
