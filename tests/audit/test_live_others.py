"""`immure audit` of what others run: their sandboxes beside the battery of attacks, and all of them at once."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import bundle
from live_held import (HERE, IMMURE, ROOT, NothingStarted, Started, audit, children_of, findings_of, sleeper_below)

# As `immure prove` starts them: with a folder left open, and a secret in the environment.
SANDBOXES = {
    "bwrap": ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all"],
    "bwrap-loose": ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev"],
    "firejail": ["firejail", "--quiet", "--noprofile"],
    "systemd-nspawn": ["systemd-nspawn", "--quiet", "--pipe", "--register=no", "--keep-unit", "--directory={root}"],
    "chroot": ["chroot", "{root}"],
    "crun": [sys.executable, HERE + "/bundle.py", "crun", str(os.getpid()), "{root}"],
    "runc": [sys.executable, HERE + "/bundle.py", "runc", str(os.getpid()), "{root}"],
}


@unittest.skipUnless(ROOT, "needs root")
class Sandboxes(unittest.TestCase):
    """What the battery gets out of a sandbox was foretold by a finding of the audit of it."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="immure-test-root-")
        cls.root = cls.folder + "/root"
        made = subprocess.run([IMMURE, "build", cls.root, "/bin/sleep", "/bin/sh"], capture_output=True, check=False)
        if made.returncode != 0:
            raise AssertionError(made.stderr.decode(errors="replace"))
        rules = json.loads(subprocess.run([IMMURE, "audit", "--list", "--json"], capture_output=True, check=True).stdout)
        cls.predicts = {one["id"]: one["predicts"] for one in rules["rules"]}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def foretold(self, sandbox):
        command = [word.replace("{root}", self.root) for word in sandbox] + ["/bin/sleep", "300"]
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        environment = {"PATH": os.environ["PATH"], "SOME_SECRET": "x"}
        errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")
        self.addCleanup(errors.close)
        try:
            with Started(command, stdout=subprocess.DEVNULL, stderr=errors, pass_fds=(folder,), env=environment) as started:
                pid = sleeper_below(started)
                rules = {one["rule"] for one in findings_of(pid)}
                started.pids += children_of(started.running.pid)[1:]
        except NothingStarted as ended:
            errors.seek(0)
            raise NothingStarted(f"{ended}, and said: {errors.read().strip() or 'nothing'}") from None
        finally:
            os.close(folder)
        words = set()
        for rule in rules:
            told = self.predicts[rule]
            words |= set(told if isinstance(told, list) else told.split())
        return words, rules

    def check(self, name):
        sandbox = SANDBOXES[name]
        program = name if name in ("crun", "runc") else sandbox[0]
        if shutil.which(program) is None:
            self.skipTest(f"{program} is not installed")
        if program in ("crun", "runc"):
            self.addCleanup(self.no_group_is_left)
        try:
            foretold, rules = self.foretold(sandbox)
        except NothingStarted as why:
            # These two need nothing of the host but root.
            self.assertNotIn(program, ("bwrap", "chroot"), why)
            self.skipTest(f"{program} does not start /bin/sleep here: {why}")
        proved = subprocess.run([IMMURE, "prove", "--json", "--skip", "resources", "--against",
                                 " ".join(sandbox) + " {}"], capture_output=True, check=False, timeout=300)
        self.assertTrue(proved.stdout.startswith(b"{"), proved.stderr)
        attacks = json.loads(proved.stdout)["attacks"]
        self.assertGreater(sum(one["verdict"] == "blocked" for one in attacks), 20, "the battery did not run")
        escaped = [one for one in attacks if one["verdict"] == "escaped"]
        missed = [one["id"] for one in escaped if not {one["id"], one["category"]} & foretold]
        self.assertEqual([], missed, rules)
        return len(escaped)

    def no_group_is_left(self):
        bundle.clear(os.getpid())
        self.assertEqual([], bundle.clear(os.getpid()))

    def test_bubblewrap(self):
        self.check("bwrap")

    def test_bubblewrap_loose(self):
        self.assertGreater(self.check("bwrap-loose"), 0)

    def test_firejail(self):
        self.check("firejail")

    def test_nspawn(self):
        self.check("systemd-nspawn")

    def test_chroot(self):
        self.assertGreater(self.check("chroot"), 0)

    def test_crun(self):
        self.check("crun")

    def test_runc(self):
        self.check("runc")


class AllOfAUser(unittest.TestCase):
    def test_what_others_run_is_not_taken_for_free(self):
        """Whoever may not look at the processes of others is told so, and not that there is no jail."""
        words = [] if not ROOT else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        said = subprocess.run([*words, IMMURE, "audit", "--all"], capture_output=True, check=False, text=True)
        self.assertNotIn("No process here is in a jail", said.stdout)
        self.assertRegex(" ".join(said.stdout.split()), r"process(es)? (does|do) not show this caller")


@unittest.skipUnless(ROOT, "needs root: looks at processes of others")
class All(unittest.TestCase):
    MAKER = """
import os, sys, time
for i in range(int(sys.argv[1])):
    if os.fork() == 0:
        if sys.argv[2] == "differ":
            os.setgroups([100000 + i])
        os.chroot("/usr")
        os.chdir("/")
        time.sleep(600)
        os._exit(0)
time.sleep(0.5)
print("made", flush=True)
time.sleep(600)
"""

    def timed(self, number, how):
        with Started([sys.executable, "-c", self.MAKER, str(number), how], stdout=subprocess.PIPE, text=True) as started:
            self.assertEqual("made\n", started.running.stdout.readline())
            mine = set(children_of(started.running.pid)[1:])
            begin = time.monotonic()
            document = audit("--all")
            passed = time.monotonic() - begin
            here = [one for one in document["audits"] if one["pid"] in mine]
        return here, passed

    def test_alike_ones_are_one(self):
        here, _ = self.timed(20, "alike")
        self.assertEqual(1, len(here))
        self.assertTrue(any(note.startswith("19 more are held alike") for note in here[0]["notes"]), here[0]["notes"])

    def test_five_hundred_in_two_seconds(self):
        for how, number in (("alike", 1), ("differ", 500)):
            with self.subTest(how):
                here, passed = self.timed(500, how)
                self.assertEqual(number, len(here))
                # Others work on the machine of the tests.
                self.assertLess(passed, 4)
                print(f"# --all, 500 that {how}: {passed:.2f} s", flush=True)


if __name__ == "__main__":
    unittest.main()
