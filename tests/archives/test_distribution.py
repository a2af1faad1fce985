"""`immure build --from debian:SUITE`: what is refused, and, when it is asked for, a real one."""
import os
import shutil
import unittest

from hostile import ArchiveTest


class Distributions(ArchiveTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("mmdebstrap"):
            self.skipTest("needs the package mmdebstrap")
        if not os.path.exists("/usr/share/keyrings/debian-archive-keyring.gpg"):
            self.skipTest("needs the package debian-archive-keyring")

    def test_what_is_refused(self):
        self.refuse("debian:jessie", "has ended")
        self.refuse("debian:bokworm", "bookworm")
        self.refuse("debian:trixie", "no mirror", "--mirror", "file:///etc")
        self.refuse("debian:trixie", "no name of a package", "--package=-o")

    def test_a_mirror_that_is_not_there(self):
        self.refuse("debian:trixie", "mmdebstrap failed", "--mirror", "http://127.0.0.1:9/debian")

    def test_a_real_one(self):
        if not os.environ.get("IMMURE_NETWORK"):
            self.skipTest("takes minutes and some 100 MB from the network: IMMURE_NETWORK=1 asks for it")
        done = self.immure("build", self.target, "--from", "debian:trixie", "--no-smoke", seconds=900)
        self.assertEqual(done.returncode, 0, done.stderr)
        ran = self.immure("run", "--root", self.target, "--", "/bin/sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME")
        self.assertEqual(ran.stdout, b"trixie\n", ran.stderr)
        self.assertEqual(sorted(os.listdir(self.work)), ["root", "root.immure.json"])


if __name__ == "__main__":
    unittest.main()
