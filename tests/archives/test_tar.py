"""`immure build --from` an archive: what comes out of it, and what does not."""
import bz2
import gzip
import io
import lzma
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import time
import unittest

from hostile import IMMURE, ArchiveTest, busybox, entry, folder, hardlink, symlink, tar_bytes


def flip(content, at=5000):
    """Another bit in the middle."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


class Ordinary(ArchiveTest):
    def test_a_root_that_works(self):
        self.make(self.tar(busybox()))
        done = self.immure("run", "--root", self.target, "--", "/bin/busybox", "echo", "ok")
        self.assertEqual(done.stdout, b"ok\n", done.stderr)

    def test_every_compression(self):
        plain = tar_bytes([entry("a", content=b"content")])
        packed = {"gz": gzip.compress(plain), "xz": lzma.compress(plain), "bz2": bz2.compress(plain)}
        if shutil.which("zstd"):
            packed["zst"] = subprocess.run(["zstd", "-c"], input=plain, stdout=subprocess.PIPE, check=True).stdout
        for name, content in packed.items():
            with self.subTest(name):
                self.make(self.file("archive." + name, content), "--replace")
                self.assertEqual(self.text("a"), b"content")

    def test_what_is_taken_over_and_what_is_not(self):
        self.make(self.tar([
            folder("d", 0o777), entry("d/f", content=b"1", mode=0o6755), folder("tmp", 0o1777),
            entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3), entry("sda", tarfile.BLKTYPE, devmajor=8),
            entry("fifo", tarfile.FIFOTYPE), symlink("link", "/etc/passwd"), hardlink("d/g", "d/f"),
            entry("cap", content=b"2", mode=0o755,
                  pax_headers={"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"})]))
        tree = self.tree()
        self.assertEqual(sorted(tree), ["cap", "d", "d/f", "d/g", "link", "tmp"])
        self.assertEqual(stat.S_IMODE(tree["d"].st_mode), 0o755)
        self.assertEqual(stat.S_IMODE(tree["d/f"].st_mode), 0o755)
        self.assertEqual(stat.S_IMODE(tree["tmp"].st_mode), 0o1777)
        self.assertEqual(tree["d/f"].st_ino, tree["d/g"].st_ino)
        self.assertEqual(os.readlink(self.target + "/link"), "/etc/passwd")
        self.assertEqual(os.listxattr(self.target + "/cap"), [])
        self.assertEqual({one.st_uid for one in tree.values()}, {os.geteuid()})

    def test_two_builds_are_the_same(self):
        path = self.tar(busybox() + [entry("x/y/z", content=b"1", mtime=1234567)])
        self.make(path)
        first = subprocess.run(["tar", "--sort=name", "--numeric-owner", "-C", self.target, "-c", "."],
                               stdout=subprocess.PIPE, check=True).stdout
        self.make(path, "--replace")
        second = subprocess.run(["tar", "--sort=name", "--numeric-owner", "-C", self.target, "-c", "."],
                                stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(first, second)

    def test_names_of_every_kind(self):
        names = ["new\nline", "\x1b[31mred", "spa ce", "häßlich", "x" * 255, "-rf", "back\\slash", "\u202egnp",
                 "/".join(["deep"] * 200)]
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            done = self.make(self.tar([entry(name, content=b"1") for name in names], form=form), "--replace")
            for name in names:
                self.assertEqual(self.text(name), b"1", name)
            self.assertNotIn(b"\x1b[31mred", done.stdout + done.stderr)

    def test_bytes_that_are_no_utf8(self):
        name = b"latin1-\xe9\xff"
        path = self.tar([entry(name.decode("utf-8", "surrogateescape"), content=b"1")], form=tarfile.GNU_FORMAT)
        self.make(path)
        self.assertIn(name, os.listdir(self.target.encode()))

    def test_gzip_in_members(self):
        plain = tar_bytes([entry("a", content=bytes(100_000))])
        self.make(self.file("members.gz", gzip.compress(plain[:50_000]) + gzip.compress(plain[50_000:]) + bytes(512)))
        self.assertEqual(self.text("a"), bytes(100_000))

    def test_a_refresh_from_another_folder(self):
        with open(self.tar(busybox()), "rb"):
            pass
        done = subprocess.run([IMMURE, "build", self.target, "--from", "archive.tar", "--no-smoke"], cwd=self.top,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.target + ".immure.json", encoding="utf-8") as file:
            self.assertIn(f"--from={self.top}/archive.tar", file.read())

    def test_a_sparse_file(self):
        large = os.path.join(self.top, "sparse")
        with open(large, "wb") as file:
            file.seek(64 << 20)
            file.write(b"end")
        archive = os.path.join(self.top, "sparse.tar")
        subprocess.run(["tar", "-S", "-C", self.top, "-cf", archive, "sparse"], check=True)
        self.make(archive)
        found = os.stat(self.target + "/sparse")
        self.assertEqual(found.st_size, (64 << 20) + 3)
        self.assertLess(found.st_blocks * 512, 1 << 20)

    def test_the_root_is_known_to_the_other_verbs(self):
        self.make(self.tar(busybox()))
        self.assertTrue(os.path.exists(self.target + ".immure.json"))
        self.assertEqual(self.immure("root", "verify", self.target).returncode, 0)
        with open(self.target + "/planted", "w", encoding="ascii") as file:
            file.write("x")
        self.assertNotEqual(self.immure("root", "verify", self.target).returncode, 0)
        os.unlink(self.target + "/planted")
        self.assertEqual(self.immure("root", "remove", self.target).returncode, 0)
        self.assertEqual(os.listdir(self.work), [])


class Interrupted(ArchiveTest):
    def start(self):
        """A build in the middle of its work: the tree is there, under another name."""
        large = os.path.join(self.top, "large.tar.gz")
        with tarfile.open(large, "w:gz", compresslevel=1) as archive:
            for number in range(40):
                info, _ = entry(f"f{number}")
                info.size = 6 << 20
                archive.addfile(info, io.BytesIO(os.urandom(1 << 20) * 6))
        running = subprocess.Popen([IMMURE, "build", self.target, "--from", large, "--no-smoke"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(running.stderr.close)
        self.addCleanup(running.kill)
        end = time.monotonic() + 30
        while time.monotonic() < end and running.poll() is None:
            if any(name.startswith(".root.immure-") and os.path.exists(f"{self.work}/{name}/f2")
                   for name in os.listdir(self.work)):
                return running
            time.sleep(0.001)
        self.fail("the build was done before it could be stopped")

    def test_a_signal_leaves_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                running = self.start()
                running.send_signal(number)
                self.assertNotEqual(running.wait(20), 0)
                self.assertEqual(os.listdir(self.work), [])

    def test_what_a_killed_one_left_is_cleared(self):
        running = self.start()
        running.kill()
        running.wait(20)
        self.assertNotEqual(os.listdir(self.work), [])
        self.make(self.tar(busybox()))
        self.assertEqual(sorted(os.listdir(self.work)), ["root", "root.immure.json"])


class Hostile(ArchiveTest):
    def test_absolute_names_are_below_the_root(self):
        self.make(self.tar([entry(self.outside + "/planted", content=b"1"), entry("//etc/x", content=b"2")]))
        self.assertEqual(self.text(self.outside.lstrip("/") + "/planted"), b"1")
        self.assertEqual(self.text("etc/x"), b"2")

    def test_dot_dot_is_refused(self):
        for name in ("../planted", "a/../../planted", "..", "a/..", "./../outside/victim"):
            with self.subTest(name):
                self.refuse(self.tar([entry(name, content=b"1")]), "..")

    def test_nothing_is_written_through_a_link(self):
        for target in (self.outside, "../../outside", "/", "."):
            with self.subTest(target):
                self.refuse(self.tar([symlink("out", target), entry("out/planted", content=b"1")]), "symbolic link")
        self.refuse(self.tar([symlink("a", "b"), symlink("b", "a"), entry("a/x", content=b"1")]), "symbolic link")
        self.refuse(self.tar([symlink("out", self.outside), hardlink("mine", "out/victim")]), "hard link")

    def test_a_link_is_replaced_and_not_followed(self):
        self.make(self.tar([symlink("v", self.outside + "/victim"), entry("v", content=b"mine"),
                            symlink("d", self.outside), folder("d"), entry("d/x", content=b"1")]))
        self.assertEqual(self.text("v"), b"mine")
        self.assertEqual(self.text("d/x"), b"1")

    def test_hard_links_to_what_is_not_in_it(self):
        for target in ("/etc/passwd", "etc/passwd", "../outside/victim", self.outside + "/victim", "/proc/self/exe"):
            with self.subTest(target):
                self.refuse(self.tar([hardlink("mine", target)]), "archive")

    def test_the_other_name_of_a_file_keeps_its_content(self):
        self.make(self.tar([entry("a", content=b"1"), hardlink("b", "a"), entry("a", content=b"2")]))
        self.assertEqual((self.text("a"), self.text("b")), (b"2", b"1"))

    def test_bombs(self):
        zeros = os.path.join(self.top, "zeros.tar.gz")
        info, _ = entry("zeros")
        info.size = 10 << 30
        with gzip.open(zeros, "wb", compresslevel=1) as file:
            file.write(info.tobuf())
            for _ in range(32):
                file.write(bytes(1 << 20))  # it is refused by what it says it is, long before its end
        self.refuse(zeros, "times its size")
        self.refuse(zeros, "more than", "--max-size", "1G")
        sparse = os.path.join(self.top, "hole")
        with open(sparse, "wb") as file:
            file.truncate(10 << 30)
        archive = os.path.join(self.top, "hole.tar")
        subprocess.run(["tar", "-S", "-C", self.top, "-cf", archive, "hole"], check=True)
        os.unlink(sparse)
        self.refuse(archive, "times its size")

    def test_a_million_entries(self):
        path = os.path.join(self.top, "many.tar.gz")
        header = folder("d")[0].tobuf()
        with gzip.open(path, "wb", compresslevel=1) as file:
            for _ in range(1001):
                file.write(header * 1000)
            file.write(bytes(1024))
        self.refuse(path, "entries")

    def test_folders_that_only_paths_name_count(self):
        deep = [entry(f"{i}/" + "d/" * 100 + "f", content=b"1") for i in range(20)]
        self.refuse(self.tar(deep), "entries", "--max-files", "1000")
        self.make(self.tar(deep), "--max-files", "3000")

    def test_damage(self):
        whole = tar_bytes(busybox())
        packed = gzip.compress(whole)
        for name, content, word in [
                ("nothing", b"", "archive"), ("text", b"this is no archive\n" * 100, "archive"),
                ("within a file", whole[:300_000], "damaged"), ("between two entries", whole[:512], "cut off"),
                ("packed", packed[:len(packed) // 2], "damaged"),
                ("a bit", flip(packed), "damaged"), ("its checksum", flip(packed, len(packed) - 6), "damaged"),
                ("a header", whole[:520] + b"\xff" + whole[521:], "damaged"),
                ("two archives", whole + whole, "follows the end"), ("something behind", packed + packed, "follows the end"),
                *[(f"a bit of {name}", flip(pack(whole)), "damaged")
                  for name, pack in (("xz", lzma.compress), ("bz2", bz2.compress))],
                ("only the end", bytes(10240), "holds nothing"), ("an ELF file", busybox()[1][1], "archive")]:
            with self.subTest(name):
                self.refuse(self.file("damaged", content), word)

    def test_what_is_no_file(self):
        self.refuse("/dev/zero", "archive")
        os.mkfifo(self.top + "/fifo")
        self.refuse(self.top + "/fifo", "archive")
        self.refuse(self.top + "/not-there", "not-there")

    def test_a_file_where_a_folder_is(self):
        self.refuse(self.tar([entry("d/f", content=b"1"), entry("d", content=b"2")]), "not empty")
        self.refuse(self.tar([entry("f", content=b"1"), entry("f/x", content=b"2")]), "no folder")

    def test_names_in_messages_do_not_reach_the_terminal(self):
        self.refuse(self.tar([entry("\x1b]0;title\x07/../x", content=b"1")]), "..")
        self.refuse(self.tar([symlink("\x1b[2J", "/"), entry("\x1b[2J/x", content=b"1")]), "symbolic link")

    def test_a_folder_that_is_there_is_left_alone(self):
        os.mkdir(self.target)
        with open(self.target + "/mine", "w", encoding="ascii") as file:
            file.write("1")
        done = self.build(self.tar(busybox()))
        self.assertEqual(done.returncode, 125)
        self.assertEqual(os.listdir(self.target), ["mine"])
        self.assertEqual(os.listdir(self.work), ["root"])

    def test_it_is_read_in_a_jail(self):
        """Where no jail can be made, nothing is read."""
        with open(self.top + "/broken", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho 'no jail' >&2\nexit 125\n")
        os.chmod(self.top + "/broken", 0o755)
        programs = self.top + "/programs"
        os.mkdir(programs)
        home = os.path.dirname(os.path.realpath(shutil.which(IMMURE) or IMMURE))
        shutil.copy(home + "/immure-full", programs)
        shutil.copy(self.top + "/broken", programs + "/immure")
        done = subprocess.run([programs + "/immure-full", "build", self.target, "--from", self.tar(busybox()), "--no-smoke"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"no jail", done.stderr)
        self.assertEqual(os.listdir(self.work), [])


if __name__ == "__main__":
    unittest.main()
