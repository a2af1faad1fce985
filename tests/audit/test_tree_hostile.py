"""Trees made to do harm to whoever looks: no hang, no crash, nothing followed, nothing spoofed."""
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import zoo


class Hostile(unittest.TestCase):
    def test_names_spoof_nothing(self):
        tree = zoo.Tree(self)
        name = "x\ncritical  nothing  \x1b[2J\x1b]0;title\x07\u202e\r"
        tree.file("opt/" + name, mode=0o4755)
        tree.link("../../" + name, "opt/up" + name)
        for words in ([], ["-v"], ["--colour"]):
            said = zoo.audit(tree.path, *words, text=True).out
            plain = re.sub("\x1b\\[[0-9;]*m", "", said) if "--colour" in words else said
            self.assertIn("x\\x0acritical  nothing", plain)
            for char in "\x1b\x07\r\u202e":
                self.assertNotIn(char, plain)
            self.assertNotIn("\ncritical  nothing", plain)
        self.assertEqual(zoo.audit(tree.path).ids, {"tree-set-uid-root", "tree-link-up"})

    @unittest.skipUnless(os.geteuid() == 0, "takes root")
    def test_a_baseline_of_others_is_refused(self):
        tree = zoo.Tree(self)
        tree.file("opt/x", mode=0o4755)
        with tempfile.NamedTemporaryFile() as baseline:
            command = [zoo.IMMURE, "audit", tree.path, "--json"]
            subprocess.run(command, stdout=baseline, check=False)
            command[-1:] = ["--baseline", baseline.name]
            self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 0)
            for change in (lambda: os.chown(baseline.name, 4711, 4711),
                           lambda: (os.chown(baseline.name, 0, 0), os.chmod(baseline.name, 0o666))):
                change()
                said = subprocess.run(command, capture_output=True, text=True, check=False)
                self.assertEqual(said.returncode, 125, said)
                self.assertIn("cannot use the baseline", said.stderr)

    def test_fifos_in_place_of_files_block_nobody(self):
        tree = zoo.Tree(self)
        for name in ("etc/passwd", "etc/shadow", "core", "opt/key.pem", "root/.bash_history", "etc/ld.so.preload"):
            if os.path.exists(tree.at(name)):
                os.unlink(tree.at(name))
            os.mkfifo(tree.at(name), 0o644)
        start = time.monotonic()
        self.assertEqual(zoo.audit(tree.path).ids, {"tree-fifo"})
        self.assertLess(time.monotonic() - start, 10)

    def test_a_million_names_in_a_folder(self):
        home = tempfile.mkdtemp(prefix="immure-zoo-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, home, True)
        os.chmod(home, 0o755)
        top = os.path.join(home, "root")
        os.mkdir(top, 0o755)
        folder = os.open(top, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        for number in range(1_000_000):
            os.mknod(str(number), 0o100644, dir_fd=folder)
        start = time.monotonic()
        said = zoo.audit(top)
        self.assertLess(time.monotonic() - start, 60)
        self.assertEqual(said.above_advice, [])

    def test_depth(self):
        tree = zoo.Tree(self)
        at = os.open(tree.at("opt"), os.O_RDONLY)
        for _ in range(10_000):
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(os.open("x", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=at))
        os.chmod("x", 0o4755, dir_fd=at)
        os.close(at)
        self.assertEqual(zoo.audit(tree.path).ids, {"tree-set-uid-root"})

    def test_ten_thousand_faults_end(self):
        tree = zoo.Tree(self)
        for number in range(12_000):
            os.symlink("../../x", tree.at(f"opt/{number}"))
        said = zoo.audit(tree.path)
        self.assertEqual(said.ids, {"tree-link-up"})
        self.assertEqual(len(said.of("tree-link-up")), 10_000)

    def test_what_changes_while_it_is_read(self):
        tree = zoo.Tree(self)
        secret = os.path.join(tree.home, "outside")
        os.mkdir(secret)
        with open(os.path.join(secret, "set-id"), "w", encoding="utf-8") as file:
            file.write("x")
        os.chmod(os.path.join(secret, "set-id"), 0o4755)
        stop = threading.Event()

        def change():
            place = tree.at("opt/x")
            while not stop.is_set():
                os.mkdir(place)
                os.rmdir(place)
                os.symlink(secret, place)
                os.unlink(place)
                with open(place, "w", encoding="utf-8") as file:
                    file.write("x")
                os.unlink(place)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(20):
                self.assertEqual(zoo.audit(tree.path).above_advice, [])
        finally:
            stop.set()
            thread.join()

    @unittest.skipIf(zoo.ROOT, "root reads everything")
    def test_what_cannot_be_read_is_said(self):
        tree = zoo.Tree(self)
        tree.folder("opt/closed", 0)
        said = zoo.audit(tree.path)
        self.assertEqual(said.ids, set())
        self.assertIn("/opt/closed", said.out)


if __name__ == "__main__":
    unittest.main()
