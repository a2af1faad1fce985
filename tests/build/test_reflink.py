"""`immure build --mode reflink` on a file system that can: the root shares its blocks with the host's files."""
import os
import shutil
import subprocess
import tempfile
import unittest

from roots import IMMURE


def shared_extents(path):
    """Whether every extent of the file is also another's, as filefrag(8) tells it."""
    lines = subprocess.run(["filefrag", "-v", path], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    extents = [line for line in lines if ".." in line]
    return bool(extents) and all("shared" in line for line in extents)


class Reflinks(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, who may mount")
        for program in ("mkfs.btrfs", "filefrag"):
            if shutil.which(program) is None:
                self.skipTest(f"{program} is not installed")
        with open("/proc/filesystems", encoding="ascii") as known:
            if "btrfs" not in known.read().split() and subprocess.run(["modprobe", "-q", "btrfs"], check=False).returncode:
                self.skipTest("this kernel has no btrfs")
        self.folder = tempfile.mkdtemp(prefix="immure-reflink-")
        self.addCleanup(shutil.rmtree, self.folder)
        disk, self.place = self.folder + "/disk", self.folder + "/mount"
        os.mkdir(self.place)
        with open(disk, "wb") as file:
            file.truncate(200 << 20)
        subprocess.run(["mkfs.btrfs", "-q", disk], check=True, stdout=subprocess.DEVNULL)
        if subprocess.run(["mount", "-o", "loop", disk, self.place], check=False).returncode != 0:
            self.skipTest("a file cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.place], check=True)
        os.mkdir(self.place + "/data")
        self.file = self.place + "/data/large"
        with open(self.file, "wb") as file:
            file.write(os.urandom(1 << 20))
            os.fsync(file.fileno())

    def build(self, mode):
        root = f"{self.place}/{mode}"
        done = subprocess.run([IMMURE, "build", root, "--no-dev", "--mode", mode, "--file", self.file],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        made = root + self.file
        os.sync()
        with open(made, "rb") as copy, open(self.file, "rb") as source:
            self.assertEqual(copy.read(), source.read())
        return root, made

    def test_the_blocks_are_shared(self):
        root, made = self.build("reflink")
        self.assertTrue(shared_extents(made))
        self.assertEqual(subprocess.run([IMMURE, "root", "verify", root], check=False,
                                        stdout=subprocess.DEVNULL).returncode, 0)

    def test_a_copy_shares_none(self):
        self.assertFalse(shared_extents(self.build("copy")[1]))


if __name__ == "__main__":
    unittest.main()
