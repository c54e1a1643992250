# SPDX-License-Identifier: Apache-2.0
"""The stubs say what the extension has, and importing it costs little."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import forebay
from forebay import _stream

STUBS = ast.parse((Path(forebay.__file__).parent / "_stream.pyi").read_text(encoding="utf-8"))


def signature_text(function):
    """How a function is called: from CPython's own signature, or from nanobind's."""
    if hasattr(function, "__nb_signature__"):
        (text, *_), = function.__nb_signature__
        return text
    return f"def {function.__name__}{inspect.signature(function)}"


def parameters(definition):
    """Names, kinds and which have defaults; what they are called in `self`'s place is left out."""
    arguments = definition.args
    positional = [one.arg for one in arguments.posonlyargs + arguments.args]
    optional = set(positional[len(positional) - len(arguments.defaults):] if arguments.defaults
                   else [])
    keyword = {one.arg: default is not None
               for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults)}
    if positional and positional[0] == "self":
        positional = positional[1:]
    return (positional, optional, keyword, arguments.vararg is not None)


def parse(text):
    # nanobind shows values that are no literals as \\0, and names no variable arguments' type.
    return ast.parse(text.replace("\\", "_") + ": ...").body[0]


def check_function(where, stub, function):
    assert parameters(stub) == parameters(parse(signature_text(function))), where


def members(cls):
    return {name for name in vars(cls) if not name.startswith("_")}


def test_each_name_of_the_stubs_is_there_with_the_same_parameters():
    checked = 0
    for node in STUBS.body:
        if isinstance(node, ast.FunctionDef):
            check_function(node.name, node, getattr(_stream, node.name))
            checked += 1
        if not isinstance(node, ast.ClassDef):
            continue
        cls = getattr(_stream, node.name)
        for stub in node.body:
            actual = inspect.getattr_static(cls, stub.name)
            where = f"{node.name}.{stub.name}"
            if stub.decorator_list:
                assert isinstance(actual, property) or hasattr(actual, "__get__"), where
            elif stub.name not in ("__next__", "__iter__"):
                check_function(where, stub, actual)
            checked += 1
    assert checked > 35


def test_each_public_name_is_in_the_stubs():
    in_stubs = {node.name: node for node in STUBS.body
                if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assert {name for name in vars(_stream) if not name.startswith("_")} == set(in_stubs)
    for name, node in in_stubs.items():
        if isinstance(node, ast.ClassDef):
            public = {stub.name for stub in node.body if not stub.name.startswith("_")}
            assert public == members(getattr(_stream, name)), name


def test_everything_public_is_there_and_described():
    for name in forebay.__all__:
        assert getattr(forebay, name).__doc__, name
    for cls in (forebay.ZeroCopyByteStream, forebay.Listener, forebay.StreamStats):
        assert cls.__module__ == "forebay"
    assert (Path(forebay.__file__).parent / "py.typed").exists()


def test_importing_the_package_loads_no_extension():
    code = "import sys, forebay; sys.exit('forebay._stream' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_extension_imports_nothing_large():
    code = ("import sys, forebay; before = set(sys.modules); import forebay._stream; "
            "print(*sorted(set(sys.modules) - before))")
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                            text=True).stdout.split()
    assert set(loaded) <= {"forebay._stream", "atexit"}
