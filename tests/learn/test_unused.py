"""What learn, a watch and a record have seen tells `immure build --unused` what of a root is not needed."""
import os
import shutil
import subprocess
import tempfile
import unittest

IMMURE = os.environ.get("IMMURE", "immure")


def immure(*words, **how):
    return subprocess.run([IMMURE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, check=False, **how)


class Unused(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="immure-unused-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        os.chmod(cls.folder, 0o755)
        cls.root = os.path.join(cls.folder, "root")
        made = immure("build", cls.root, "cat", "sort", "--file", "/etc/services" if os.path.exists("/etc/services") else "/etc/passwd")
        assert made.returncode == 0, made.stderr

    def unused(self, *files):
        words = [word for file in files for word in ("--used", file)]
        done = immure("build", self.root, "--unused", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def check(self, file):
        told = self.unused(file).stdout
        self.assertIn("/usr/bin/sort", told)
        self.assertNotIn("/usr/bin/cat ", told)
        self.assertNotIn("/libc.so.6", told)

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_of_what_learn_saved(self):
        done = immure("learn", "--quiet", "--save", self.path("needs"), "--", "/usr/bin/cat", "/etc/passwd", cwd=self.folder)
        if "cannot be learned from" in done.stderr or "nothing can see" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check(self.path("needs"))

    def test_of_a_trace_and_of_lines(self):
        done = immure("run", "--no-tty", "--watch=files", "--watch-source", "notify", "--watch-trace", self.path("trace"), "--watch-json",
                      self.path("lines"), "--root", self.root, "--", "/usr/bin/cat", "/dev/null", "/usr/bin/gone")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.check(self.path("trace"))
        self.check(self.path("lines"))

    def test_of_a_record(self):
        done = immure("run", "--no-tty", "--record-files", self.path("record"), "--root", self.root, "--", "/usr/bin/cat", "/dev/null")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check(self.path("record"))

    def test_several_together_and_with_a_command(self):
        for name, program in (("one", "cat"), ("two", "sort")):
            immure("run", "--no-tty", "--record-files", self.path(name), "--root", self.root, "--", "/usr/bin/" + program, "/dev/null")
        told = self.unused(self.path("one"), self.path("two")).stdout
        self.assertNotIn("/usr/bin/", told)
        done = immure("build", self.root, "--unused", "--used", self.path("one"), "--for", "/usr/bin/sort", "/dev/null")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("/usr/bin/", done.stdout)

    def test_what_is_lost_is_told(self):
        with open(self.path("short"), "w", encoding="utf-8") as file:
            file.write('{"schema":"immure.files/1","jail":"j","files":1,"unread":2,"beyond":1}\n{"path":"/usr/bin/cat","for":["run"]}\n')
        done = self.unused(self.path("short"))
        self.assertIn("of 3 calls it is not known", done.stderr)
        self.assertIn("/usr/bin/sort", done.stdout)

    def test_what_is_none_of_them(self):
        for text in ("", "{}", "nothing\n", '{"schema":"immure.files/1"'):
            with open(self.path("wrong"), "w", encoding="utf-8") as file:
                file.write(text)
            done = immure("build", self.root, "--unused", "--used", self.path("wrong"))
            self.assertEqual(done.returncode, 125, text)
            self.assertEqual(done.stdout, "", text)
        done = immure("build", self.root, "--unused", "--used", self.path("not-there"))
        self.assertIn("cannot be read", done.stderr)
        self.assertIn("needs --unused", immure("build", self.root, "--used", self.path("wrong")).stderr)
        self.assertIn("--used FILE", immure("build", self.root, "--unused").stderr)


if __name__ == "__main__":
    unittest.main()
