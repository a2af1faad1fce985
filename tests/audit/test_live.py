"""`immure audit` of living processes: one fault each beside a clean twin, jails of immure, and sandboxes of others."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import live_rows

IMMURE = os.environ.get("IMMURE", "immure")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.geteuid() == 0
# About what else runs on this machine as the same user.
OF_THE_PLACE = {"process-same-user", "process-abstract-sockets"}


def audit(*words):
    done = subprocess.run([IMMURE, "audit", "--json", *words], capture_output=True, text=True, check=False, timeout=60)
    if not done.stdout.startswith("{"):
        raise AssertionError(f"immure audit {words}: {done.returncode} {done.stderr}")
    return json.loads(done.stdout)


def findings_of(pid):
    return [one for one in audit("--pid", str(pid))["audits"][0]["findings"] if one["rule"] not in OF_THE_PLACE]


class NothingStarted(AssertionError):
    pass


class Started:
    """Something that runs until the end of the block, with all that it has started."""

    def __init__(self, command, **more):
        more.setdefault("stderr", subprocess.DEVNULL)
        self.running = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **more)
        self.pids = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.killpg(self.running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.running.wait()
        if self.running.stdout:
            self.running.stdout.close()


def children_of(pid):
    """All that descend from it, parents first."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as file:
                    found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def sleeper_below(started, seconds=20):
    """The number of the `sleep` that a sandbox was told to run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if started.running.poll() is not None:
            break
        for pid in children_of(started.running.pid):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read() == "sleep\n":
                        started.pids.append(pid)
                        time.sleep(0.1)
                        return pid
            except OSError:
                pass
        time.sleep(0.05)
    raise NothingStarted()


class Held:
    """Makes a process as live_rows.py says; rules of its findings."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="immure-test-held-")

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def rules(self, how):
        scratch = tempfile.mkdtemp(dir=self.scratch)
        with open(scratch + "/file", "w", encoding="ascii"):
            pass

        def filled(value):
            if isinstance(value, list):
                return [filled(one) for one in value]
            return scratch + "/file" if value is live_rows.HOST else value
        words = {key: filled(value) for key, value in dict(how, scratch=scratch).items()}
        command = [sys.executable, HERE + "/held_process.py", json.dumps(words)]
        environment = dict(how.get("environment", {}), PATH="/usr/bin")
        with Started(command, stdout=subprocess.PIPE, env=environment, text=True) as started:
            line = started.running.stdout.readline()
            if not line:
                return None
            started.pids.append(int(line))
            return {one["rule"] for one in findings_of(int(line))}


@unittest.skipUnless(ROOT, "processes are held by root")
class Zoo(unittest.TestCase):
    maxDiff = None

    def look(self, rows):
        held = Held()
        self.addCleanup(held.close)
        for name, twin, fault, wanted, *more in rows:
            with self.subTest(name):
                clean = held.rules(twin or {})
                self.assertIsNotNone(clean, "the twin could not be made")
                found = held.rules(fault)
                if found is None:
                    self.skipTest("this host does not let it be made")
                if more:
                    self.assertLessEqual(wanted, found - clean)
                else:
                    self.assertEqual(wanted, found - clean)

    def test_places(self):
        self.look(live_rows.PLACES)

    def test_privileges(self):
        self.look(live_rows.PRIVILEGES)

    def test_namespaces(self):
        self.look(live_rows.NAMESPACES)

    def test_descriptors(self):
        self.look(live_rows.DESCRIPTORS)

    def test_filters(self):
        self.look(live_rows.FILTERS)

    def test_reach(self):
        self.look(live_rows.REACH)


class DefaultJail(unittest.TestCase):
    def check(self, *before):
        command = [*before, IMMURE, "run", "--", "sleep", "60"]
        with Started(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}) as started:
            pid = sleeper_below(started)
            for one in (pid, parent_of(pid)):
                above = [one for one in findings_of(one) if one["severity"] != "advice"]
                self.assertEqual([], above)

    def test_of_who_asks(self):
        self.check()

    @unittest.skipUnless(ROOT, "becomes a user")
    def test_of_a_user(self):
        self.check("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all")

    def test_no_value_of_the_environment_is_told(self):
        environment = {"PATH": os.environ["PATH"], "API_TOKEN": "Zx81Spectrum"}
        with Started(["sleep", "60"], env=environment) as started:
            started.pids.append(started.running.pid)
            time.sleep(0.2)
            text = json.dumps(audit("--pid", str(started.running.pid)))
        self.assertIn("API_TOKEN", text)
        self.assertNotIn("Zx81Spectrum", text)


def parent_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(next(line for line in file if line.startswith("PPid:")).split()[1])


# As `immure prove` starts them: with a folder left open, and a secret in the environment.
SANDBOXES = {
    "bwrap": ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all"],
    "bwrap-loose": ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev"],
    "firejail": ["firejail", "--quiet", "--noprofile"],
    "systemd-nspawn": ["systemd-nspawn", "--quiet", "--pipe", "--register=no", "--keep-unit", "--directory={root}"],
    "chroot": ["chroot", "{root}"],
    "crun": [sys.executable, HERE + "/bundle.py", "crun", "{root}"],
    "runc": [sys.executable, HERE + "/bundle.py", "runc", "{root}"],
}


@unittest.skipUnless(ROOT, "these take root")
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
        try:
            with Started(command, stdout=subprocess.DEVNULL, pass_fds=(folder,), env=environment) as started:
                pid = sleeper_below(started)
                rules = {one["rule"] for one in findings_of(pid)}
                started.pids += children_of(started.running.pid)[1:]
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
        try:
            foretold, rules = self.foretold(sandbox)
        except NothingStarted:
            self.skipTest(f"{program} starts nothing on this host")
        proved = subprocess.run([IMMURE, "prove", "--json", "--skip", "resources", "--against",
                                 " ".join(sandbox) + " {}"], capture_output=True, check=False, timeout=300)
        self.assertTrue(proved.stdout.startswith(b"{"), proved.stderr)
        attacks = json.loads(proved.stdout)["attacks"]
        self.assertGreater(sum(one["verdict"] == "blocked" for one in attacks), 20, "the battery did not run")
        escaped = [one for one in attacks if one["verdict"] == "escaped"]
        missed = [one["id"] for one in escaped if not {one["id"], one["category"]} & foretold]
        self.assertEqual([], missed, rules)
        return len(escaped)

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


@unittest.skipUnless(ROOT, "looks at processes of others")
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
