# SPDX-License-Identifier: Apache-2.0
"""forebay-pack, without Spark: what is packed runs where nothing else is, and asks for little."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from forebay import PackError
from forebay.pack import pack
from forebay.pack.elf import Elf
from support import WORKER

GLIBC_MOST = (2, 34)


def glibc_versions(path):
    """What a file asks of glibc, by another's reading of it."""
    listing = subprocess.run(
        ["readelf", "--version-info", "--wide", path], capture_output=True, text=True, check=True
    ).stdout
    needs = listing.partition("Version needs section")[2]
    return {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([0-9.]+)", needs)}


class Packed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="forebay-pack-test-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.archive = os.path.join(cls.folder.name, "worker.tar.gz")
        cls.packed = pack(WORKER, cls.archive)
        cls.unpacked = os.path.join(cls.folder.name, "elsewhere")
        os.mkdir(cls.unpacked)
        subprocess.run(["tar", "-xzf", cls.archive, "-C", cls.unpacked], check=True)
        cls.program = os.path.join(cls.unpacked, os.path.basename(WORKER))

    def binaries(self):
        library = os.path.join(self.unpacked, "lib")
        return [self.program] + [os.path.join(library, name) for name in sorted(os.listdir(library))]

    def test_starts_with_no_environment_and_no_virtual_environment(self):
        """It sees an empty folder where the libraries came from: in a namespace of its own, so that
        nobody else misses them."""
        hidden = {
            os.path.dirname(line.split(" => ")[1].split(" (")[0])
            for line in subprocess.run(
                ["ldd", WORKER], capture_output=True, text=True, check=True
            ).stdout.splitlines()
            if "libarrow" in line
        }
        self.assertEqual(len(hidden), 1)
        script = f"mount -t tmpfs none {hidden.pop()} && exec env -i {self.program} --describe"
        original = script.replace(self.program, WORKER)
        namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
        run = subprocess.run([*namespace, script], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn('"identity"', run.stdout)
        # So it was hidden: the program that was packed does not start there.
        run = subprocess.run([*namespace, original], capture_output=True, text=True, check=False)
        self.assertIn("libarrow", run.stderr)
        self.assertNotEqual(run.returncode, 0)

    def test_loads_every_library_but_those_of_glibc_from_the_archive(self):
        listing = subprocess.run(
            ["ldd", self.program], capture_output=True, text=True, check=True,
            env={"PATH": os.environ["PATH"]},
        ).stdout
        paths = re.findall(r"(\S+) => (\S+)", listing)
        own = {name for name, path in paths if path.startswith(self.unpacked + os.sep)}
        self.assertEqual(own, set(os.listdir(os.path.join(self.unpacked, "lib"))))
        others = {name for name, _ in paths} - own
        self.assertTrue(others <= {
            "libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0",
        }, others)
        self.assertFalse([name for name in own if "grpc" in name])

    def test_asks_for_no_newer_glibc_than_it_says(self):
        versions = {path: max(glibc_versions(path), default=(0,)) for path in self.binaries()}
        self.assertLessEqual(max(versions.values()), GLIBC_MOST, versions)
        self.assertEqual(self.packed.glibc, max(versions.values()))
        self.assertEqual(self.packed.newest_symbols, {})

    def test_throws_through_the_packed_libraries(self):
        """Their lookup of frames goes through the program."""
        run = subprocess.run(
            [self.program, "--replay", "/nowhere"], capture_output=True, text=True, check=False,
            env={"LD_DEBUG": "bindings"},
        )
        self.assertEqual(run.returncode, 1)
        self.assertIn("/nowhere", run.stderr)
        self.assertRegex(
            run.stderr, rf"libgcc_s\S* \[0\] to {re.escape(self.program)} .*_dl_find_object"
        )

    def test_is_stripped_and_names_no_folder_of_this_machine(self):
        for path in self.binaries():
            sections = subprocess.run(
                ["readelf", "--sections", "--wide", path], capture_output=True, text=True, check=True
            ).stdout
            self.assertNotRegex(sections, r"\.symtab|\.debug_info", path)
            dynamic = subprocess.run(
                ["readelf", "--dynamic", "--wide", path], capture_output=True, text=True, check=True
            ).stdout
            run_path = "$ORIGIN/lib" if path == self.program else "$ORIGIN"
            self.assertEqual(re.findall(r"R(?:UN)?PATH.*\[(.*)\]", dynamic), [run_path], path)

    def test_brings_the_licence_of_each_library(self):
        with open(os.path.join(self.unpacked, "NOTICES.txt"), encoding="utf-8") as file:
            text = file.read()
        for name in os.listdir(os.path.join(self.unpacked, "lib")):
            self.assertIn("\n" + name.removesuffix(".so.2600").split(".so")[0], text)
        self.assertIn("GCC RUNTIME LIBRARY EXCEPTION", text.upper())
        self.assertIn("GNU GENERAL PUBLIC LICENSE\n                       Version 3", text)

    def test_command_makes_the_same_again_and_says_how_to_ship_it(self):
        again = os.path.join(self.folder.name, "again.tar.gz")
        copy = os.path.join(self.folder.name, "a copy", os.path.basename(WORKER))
        os.mkdir(os.path.dirname(copy))
        shutil.copyfile(WORKER, copy)
        os.chmod(copy, 0o700)
        run = subprocess.run(
            [sys.executable, "-m", "forebay.pack", copy, "--output", again],
            capture_output=True, text=True, check=False,
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(f"--archives {again}#functions", run.stdout)
        self.assertIn(f'CppWorker(spark, "functions/{os.path.basename(WORKER)}")', run.stdout)
        with open(self.archive, "rb") as first, open(again, "rb") as second:
            self.assertTrue(first.read() == second.read())

    def test_packs_the_grpc_channel_where_it_is_asked_for(self):
        self.assertFalse([name for name in os.listdir(self.unpacked + "/lib") if "grpc" in name])
        with tempfile.TemporaryDirectory(prefix="forebay-pack-grpc-") as folder:
            packed = pack(WORKER, os.path.join(folder, "worker.tar.gz"), grpc=True)
            self.assertLessEqual(packed.glibc, GLIBC_MOST)
            subprocess.run(["tar", "-xzf", "worker.tar.gz"], cwd=folder, check=True)
            listing = subprocess.run(
                ["ldd", os.path.join(folder, "lib", "libforebay_udf_grpc.so")],
                capture_output=True, text=True, check=True,
            ).stdout
            http2 = [line for line in listing.splitlines() if "libnghttp2" in line]
            self.assertIn(f" => {folder}/lib/", http2[0])
            program = os.path.join(folder, os.path.basename(WORKER))
            socket = os.path.join(folder, "w.sock")
            worker = subprocess.Popen([program, "--id", "a", "--connection", socket], env={})
            try:
                until = time.monotonic() + 20
                while not os.path.exists(socket) and time.monotonic() < until:
                    self.assertIsNone(worker.poll())
                    time.sleep(0.01)
            finally:
                worker.terminate()
            self.assertEqual(worker.wait(20), 0)
            copy = os.path.join(folder, "alone", os.path.basename(WORKER))
            os.mkdir(os.path.dirname(copy))
            shutil.copyfile(WORKER, copy)
            os.chmod(copy, 0o700)
            os.remove(os.path.join(folder, "lib", "libforebay_udf_grpc.so"))
            with self.assertRaisesRegex(PackError, "no libforebay_udf_grpc.so in any of"):
                pack(copy, os.path.join(folder, "other.tar.gz"), grpc=True)

    def test_says_what_cannot_be_packed(self):
        for executable, output, said in (
            (WORKER, "worker.zip", "must end with .tar.gz"),
            ("/nowhere/worker", self.archive, "no file /nowhere/worker"),
            (__file__, self.archive, "ldd"),
        ):
            with self.subTest(executable=executable, output=output):
                with self.assertRaisesRegex(PackError, "^PackError: .*" + re.escape(said)):
                    pack(executable, output)

    def test_leaves_alone_what_nobody_else_provides(self):
        """gcc's own library, with a program that does not define what it misses."""
        listing = subprocess.run(["ldd", WORKER], capture_output=True, text=True, check=True).stdout
        of_gcc = re.search(r"libstdc\S+ => (\S+)", listing).group(1)
        copy = os.path.join(self.folder.name, "libstdc++.so.6")
        shutil.copyfile(of_gcc, copy)
        elf = Elf(copy)
        before = elf.glibc()
        self.assertEqual(before, max(glibc_versions(copy)))
        elf.ask_for_less((2, 17), {"not_asked_for"})
        self.assertEqual(Elf(copy).glibc(), before)
        everything = set().union(*elf.asked.values())
        elf.ask_for_less((2, 17), everything)
        self.assertLessEqual(max(glibc_versions(copy)), (2, 17))
        self.assertEqual(set().union(*elf.asked.values()), everything)


if __name__ == "__main__":
    unittest.main()
