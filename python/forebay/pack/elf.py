# SPDX-License-Identifier: Apache-2.0
"""What an ELF file asks of other files by versioned symbols, and how to ask for less."""

import struct
from collections import defaultdict

from forebay.errors import PackError

_DYNSYM = 11
_VERSYM = 0x6FFFFFFF
_VERNEED = 0x6FFFFFFE
_UNDEFINED = 0


def glibc_version(name):
    """(2, 34) of GLIBC_2.34, None of what is no version of glibc."""
    prefix, _, numbers = name.partition("_")
    if prefix != "GLIBC" or not numbers[:1].isdigit():
        return None
    return tuple(int(number) for number in numbers.split("."))


def _elf_hash(name):
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high
    return value


class _Need:
    """One version that is asked of one file; `place` is where it stands."""

    def __init__(self, place, file, index, name_offset, name):
        self.place = place
        self.file = file
        self.index = index
        self.name_offset = name_offset
        self.name = name


class Elf:
    """A 64-bit little-endian ELF file, read whole."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self._data = bytearray(file.read())
        if self._data[:6] != b"\x7fELF\x02\x01":
            raise PackError(f"{path} is no 64-bit little-endian ELF file")
        try:
            self._read()
        except (struct.error, IndexError, KeyError) as error:
            raise PackError(f"{path} is no whole ELF file: {error}") from error

    def _read(self):
        (sections_at,) = struct.unpack_from("<Q", self._data, 0x28)
        size, count = struct.unpack_from("<HH", self._data, 0x3A)
        sections = [
            struct.unpack_from("<IIQQQQIIQQ", self._data, sections_at + i * size)
            for i in range(count)
        ]
        by_type = {section[1]: section for section in sections}
        self._needs = []
        self.defined = set()
        self.asked = defaultdict(set)
        if _VERNEED in by_type:
            self._read_needs(by_type[_VERNEED], sections)
        if _DYNSYM in by_type:
            self._read_symbols(by_type[_DYNSYM], by_type.get(_VERSYM), sections)

    def _text(self, strings, offset):
        begin = strings[4] + offset
        return self._data[begin : self._data.index(0, begin)].decode()

    def _read_needs(self, section, sections):
        strings = sections[section[6]]
        at = section[4]
        for _ in range(section[7]):
            _, count, file, first, following = struct.unpack_from("<HHIII", self._data, at)
            place = at + first
            for _ in range(count):
                _, _, index, name, step = struct.unpack_from("<IHHII", self._data, place)
                self._needs.append(
                    _Need(
                        place, self._text(strings, file), index & 0x7FFF, name,
                        self._text(strings, name),
                    )
                )
                place += step
            at += following

    def _read_symbols(self, section, versions, sections):
        strings = sections[section[6]]
        names = {need.index: need for need in self._needs}
        for i in range(section[5] // 24):
            name, _, _, where = struct.unpack_from("<IBBH", self._data, section[4] + i * 24)
            if name == 0:
                continue
            if where != _UNDEFINED:
                self.defined.add(self._text(strings, name))
            elif versions is not None:
                (index,) = struct.unpack_from("<H", self._data, versions[4] + i * 2)
                need = names.get(index & 0x7FFF)
                if need is not None:
                    self.asked[need.name].add(self._text(strings, name))

    def glibc(self):
        """The newest version of glibc that is asked for, as (2, 34); (0,) where none is."""
        return max((v for v in map(glibc_version, self._version_names()) if v), default=(0,))

    def _version_names(self):
        return [need.name for need in self._needs]

    def ask_for_less(self, most, provided):
        """Where all that is asked for by a version of glibc after `most` is among `provided`, which
        the program itself defines, asks for it by an older version. A program's own symbols have
        no version and fit any."""
        changed = False
        for need in self._needs:
            version = glibc_version(need.name)
            if version is None or version <= most or not self.asked[need.name] <= provided:
                continue
            older = [
                other
                for other in self._needs
                if other.file == need.file and (glibc_version(other.name) or most + (1,)) <= most
            ]
            if not older:
                continue
            newest = max(older, key=lambda other: glibc_version(other.name))
            struct.pack_into("<I", self._data, need.place, _elf_hash(newest.name))
            struct.pack_into("<I", self._data, need.place + 8, newest.name_offset)
            changed = True
        if changed:
            with open(self.path, "wb") as file:
                file.write(self._data)
            self._read()
