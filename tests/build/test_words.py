"""What a build says: reasons that are sentences, a line to try that works as typed; and what a killed one leaves."""
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import unittest

IMMURE = os.environ.get("IMMURE", "immure")


class Words(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="immure-build-words-", dir="/var/tmp")
        os.chmod(self.home, 0o755)
        self.addCleanup(shutil.rmtree, self.home, True)

    def build(self, *words, environment=None):
        done = subprocess.run([IMMURE, "build", *words], capture_output=True, text=True, timeout=120, check=False,
                              env=dict(os.environ, **(environment or {})))
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_each_reason_is_a_sentence(self):
        root = self.home + "/r"
        self.build(root, "bash", "ls", "--no-smoke")
        told = self.build(root, "--why", "/lib64/ld-linux-x86-64.so.2")
        self.assertIn("  because the way to /usr/bin/bash leads through it\n", told)
        self.assertIn("    because it was asked for: bash\n", told)
        others = told.split("and because\n")[1].splitlines()
        self.assertEqual(len(others), len(set(others)), "the same twice")
        self.assertLessEqual(len(others), 11)

    def test_what_a_run_opened_has_a_subject(self):
        root = self.home + "/r"
        self.build(root, "--trace", "--for", "/bin/true")
        told = self.build(root, "--why", "/usr/bin/true")
        self.assertRegex(told, r"(?m)^ +(because )?it was opened in a run that was watched$")

    @unittest.skipUnless(shutil.which("nginx"), "needs the package nginx")
    def test_a_server_is_tried_on_the_network(self):
        told = self.build(self.home + "/web", "--preset", "nginx", "--no-smoke")
        line = re.search(r"try: (immure run .*)", told).group(1)
        self.assertIn("--profile=server", line)
        self.assertIn("--landlock=bind=8080", line)

    def test_what_dead_runs_left_is_collected_and_nothing_else(self):
        place = self.home + "/tmp"
        os.mkdir(place)

        def leave(name, mode=0o700):
            os.mkdir(f"{place}/{name}")
            os.chmod(f"{place}/{name}", mode)
            with open(f"{place}/{name}/record", "w", encoding="utf-8") as file:
                file.write("x")

        leave("immure-trace-AAAAAA")
        leave("immure-trace-open01", 0o755)
        leave("immure-trace-runs01")
        leave("immure-trace-mine01")
        with open(f"{place}/immure-trace-mine01/notes", "w", encoding="utf-8") as file:
            file.write("mine")
        leave("other-AAAAAA")
        outside = self.home + "/outside"
        os.mkdir(outside, 0o700)
        os.symlink(outside, place + "/immure-trace-link01")
        if os.geteuid() == 0:
            leave("immure-trace-other1")
            os.chown(place + "/immure-trace-other1", 1234, 1234)
        lock = os.open(place + "/immure-trace-runs01", os.O_RDONLY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = set(os.listdir(place))
        self.build(self.home + "/r", "--trace", "--for", "/bin/true", environment={"TMPDIR": place})
        self.assertEqual(before - set(os.listdir(place)), {"immure-trace-AAAAAA"})
        self.assertEqual(set(os.listdir(place)) - before, set(), "its own stays")
        self.assertTrue(os.path.isdir(outside))
        self.assertEqual(os.listdir(place + "/immure-trace-mine01"), ["notes"], "what is no record is somebody's own")


if __name__ == "__main__":
    unittest.main()
