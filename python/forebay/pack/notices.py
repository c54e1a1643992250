# SPDX-License-Identifier: Apache-2.0
"""The licences of what goes into an archive."""

import glob
import os
import re
import subprocess

from forebay.errors import PackError

# What is compiled into every worker: headers, whose packages need not be there where it is packed.
_COMPILED_IN = ("libconcurrentqueue-dev", "libcli11-dev", "nlohmann-json3-dev")
# Where Debian's copyright files say that a whole licence stands.
_COMMON = re.compile(r"/usr/share/common-licenses/[\w.-]*\w")


def _debian_package(path):
    """The Debian package that a file belongs to, or None."""
    names = [path]
    if path.startswith("/usr/lib/"):
        names.append(path[len("/usr") :])
    for name in names:
        try:
            done = subprocess.run(
                ["dpkg-query", "--search", name], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return None
        if done.returncode == 0:
            return done.stdout.split(":", 1)[0]
    return None


def _wheel_licences(path):
    """The licences of the wheel that installed a file, wherever it stands in the wheel."""
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        top = os.path.basename(folder)
        folder = os.path.dirname(folder)
        if os.path.basename(folder) == "site-packages":
            pattern = os.path.join(folder, top.removesuffix(".libs") + "-*.dist-info")
            return sorted(
                file
                for found in glob.glob(pattern)
                for file in glob.glob(os.path.join(found, "**", "*"), recursive=True)
                if os.path.isfile(file)
                and os.path.basename(file).upper().startswith(("LICEN", "NOTICE", "COPYING"))
            )
    return []


def _of_debian(package):
    file = f"/usr/share/doc/{package}/copyright"
    return [file] if os.path.isfile(file) else []


def _read(file):
    with open(file, encoding="utf-8", errors="replace") as text:
        return text.read().rstrip() + "\n"


def notices(libraries, changed, more):
    """The text of NOTICES.txt: of the libraries, by their paths on this machine, of what is compiled
    in, and of the files `more`. `changed` are the names of libraries that were changed."""
    own = os.path.join(os.path.dirname(os.path.dirname(__file__)), "LICENSE")
    parts = [("Forebay", [own])]
    by_files = {}
    for path in libraries:
        package = _debian_package(path)
        files = _of_debian(package) if package else _wheel_licences(path)
        if not files:
            raise PackError(f"there is no licence to be found of {path}: name one with --notice")
        by_files.setdefault(tuple(files), []).append(os.path.basename(path))
    parts += [(", ".join(names), files) for files, names in by_files.items()]
    for package in _COMPILED_IN:
        parts.append((package + ", headers compiled in", _of_debian(package)))
    parts += [(os.path.basename(file), [file]) for file in more]
    text = ""
    seen = set()
    for title, files in parts:
        fresh = [file for file in files if file not in seen]
        seen.update(fresh)
        if not fresh:
            continue
        text += f"{'=' * 80}\n{title}\n{'=' * 80}\n\n" + "\n".join(map(_read, fresh)) + "\n"
    for file in sorted(set(_COMMON.findall(text))):
        if os.path.isfile(file):
            text += f"{'=' * 80}\n{file}\n{'=' * 80}\n\n{_read(file)}\n"
    if changed:
        text += (
            f"{'=' * 80}\nChanged\n{'=' * 80}\n\n"
            "These ask for symbols that the program defines by an older version of glibc than they "
            f"did:\n{', '.join(changed)}\n"
        )
    return text
