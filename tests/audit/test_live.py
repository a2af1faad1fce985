"""`immure audit` of living processes: one fault each beside a clean twin, jails of immure, and sandboxes of others."""
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import bundle
import held_process
import live_rows

IMMURE = os.environ.get("IMMURE", "immure")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.geteuid() == 0
# About what else runs on this machine as the same user.
OF_THE_PLACE = {"process-same-user", "process-abstract-sockets"}


def audit(*words, before=()):
    done = subprocess.run([*before, IMMURE, "audit", "--json", *words], capture_output=True, text=True, check=False,
                          timeout=60)
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
        for stream in (self.running.stdout, self.running.stderr):
            if stream:
                stream.close()


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
    raise NothingStarted(f"it ended with {started.running.poll()}" if started.running.poll() is not None else
                         f"no sleep came up in {seconds} s")


def users_of_processes():
    """(uid, number) of each."""
    found = []
    for name in os.listdir("/proc"):
        try:
            found.append((os.stat("/proc/" + name).st_uid, int(name)))
        except (OSError, ValueError):
            pass
    return found


class Places:
    """What a process is given of the outside, made when it is asked for."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="immure-test-held-")
        self.made = {}
        self.folders, self.mounts = [self.scratch], []

    def close(self):
        for mount in self.mounts:
            subprocess.run(["umount", "-l", mount], check=False)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def __getitem__(self, what):
        if what not in self.made:
            self.made[what] = self.make(what)
        return self.made[what]

    def make(self, what):
        if what is live_rows.HOME:
            if not os.path.isdir("/home") or os.path.ismount("/home"):
                raise unittest.SkipTest("there is no /home in the root of this machine")
            self.folders.append(tempfile.mkdtemp(prefix="immure-test-", dir="/home"))
            return self.folders[-1]
        if what is live_rows.STATIC:
            found = shutil.which("busybox")
            if not found:
                raise unittest.SkipTest("busybox, the one static program of a system, is not installed (busybox-static)")
            return found
        folder = tempfile.mkdtemp(dir=self.scratch)
        if what is live_rows.SHARED:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev", "tmpfs", folder], check=True)
            self.mounts.append(folder)
            subprocess.run(["mount", "--make-shared", folder], check=True)
            with open("/proc/1/mountinfo", encoding="utf-8") as file:
                if folder not in file.read():
                    raise unittest.SkipTest("the tests are in a mount namespace that is not the machine's")
            return folder
        path = folder + "/file"
        if what is live_rows.HOST:
            with open(path, "w", encoding="ascii"):
                return path
        held_process.listen_at(path)
        os.chmod(path, 0o600 if what is live_rows.CLOSED_SOCKET else 0o666)
        return path


class Groups:
    """Control groups of which some have a limit. Directly below the tree's root: above that there is none."""
    OLD = {"memory": ("memory.limit_in_bytes", str(1 << 30)), "pids": ("pids.max", "100"),
           "cpu": ("cpu.cfs_quota_us", "50000")}
    NEW = {"memory": ("memory.max", str(1 << 30)), "pids": ("pids.max", "100"), "cpu": ("cpu.max", "50000 100000")}
    TOP = "/sys/fs/cgroup/"

    def __init__(self, limited):
        name = f"/immure-test-{os.getpid()}-{time.monotonic_ns()}"
        limits = self.OLD if os.path.ismount(self.TOP + "memory") else self.NEW
        if limits is self.NEW:
            try:
                with open(self.TOP + "cgroup.subtree_control", encoding="ascii") as file:
                    given = set(file.read().split())
            except OSError:
                given = set()
            if not given >= set(limits):
                raise unittest.SkipTest("no control groups of this machine limit memory, processes and processor")
        self.folders = []
        for controller, (file_name, limit) in limits.items():
            folder = self.TOP + (controller if limits is self.OLD else "") + name
            if folder not in self.folders:
                os.mkdir(folder)
                self.folders.append(folder)
            if controller in limited:
                with open(f"{folder}/{file_name}", "w", encoding="ascii") as file:
                    file.write(limit)

    def close(self):
        end = time.monotonic() + 10
        for folder in self.folders:
            while True:
                try:
                    os.rmdir(folder)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)


class Held:
    """Makes a process as live_rows.py says; rules of its findings."""

    def __init__(self, before=()):
        self.places = Places()
        self.before = list(before)
        self.refused = ""  # why the last one could not be made

    def close(self):
        self.places.close()

    def rules(self, how, look=None):
        groups = Groups(how["limited"]) if "limited" in how else None
        try:
            return self.rules_in(how, groups.folders if groups else [], look or findings_of)
        finally:
            if groups:
                groups.close()

    def rules_in(self, how, groups, look):
        scratch = tempfile.mkdtemp(dir=self.places.scratch)

        def filled(value):
            if isinstance(value, list):
                return [filled(one) for one in value]
            return self.places[value] if type(value) is object else value
        join = [folder + "/cgroup.procs" for folder in groups]
        words = {key: filled(value) for key, value in dict(how, scratch=scratch, join=join).items()}
        command = [*self.before, sys.executable, HERE + "/held_process.py", json.dumps(words)]
        environment = dict(how.get("environment", {}), PATH="/usr/bin")
        with Started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as started:
            line = started.running.stdout.readline()
            if not line:
                self.refused = started.running.stderr.read().strip().split("\n")[-1]
                return None
            started.pids.append(int(line))
            return {one["rule"] for one in look(int(line))}


@unittest.skipUnless(ROOT, "processes are held by root")
class Zoo(unittest.TestCase):
    maxDiff = None

    def look(self, rows):
        held = Held()
        self.addCleanup(held.close)
        for name, twin, fault, wanted, *more in rows:
            with self.subTest(name):
                clean = held.rules(twin or {})
                self.assertIsNotNone(clean, f"the twin could not be made: {held.refused}")
                found = held.rules(fault)
                if found is None:
                    self.skipTest(f"this host does not let it be made: {held.refused}")
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

    def test_sockets(self):
        self.look(live_rows.SOCKETS)

    def test_limits(self):
        self.look(live_rows.LIMITS)

    def test_abstract_sockets(self):
        # In a network of its own nobody else listens.
        with Started(["unshare", "--net", "sleep", "60"]) as network:
            sleeper_below(network)
            before = ["nsenter", f"--net=/proc/{network.running.pid}/ns/net"]
            held = Held(before)
            self.addCleanup(held.close)

            def look(pid):
                return audit("--pid", str(pid), before=before)["audits"][0]["findings"]
            shares = {"spaces": live_rows.without("net")}
            self.assertNotIn("process-abstract-sockets", held.rules(shares, look))
            listens = ("import socket, time; end = socket.socket(socket.AF_UNIX); end.bind('\\0immure-test'); "
                       "end.listen(); print('listens', flush=True); time.sleep(60)")
            with Started([*before, sys.executable, "-c", listens], stdout=subprocess.PIPE, text=True) as listener:
                self.assertEqual("listens\n", listener.running.stdout.readline())
                self.assertIn("process-abstract-sockets", held.rules(shares, look))
                self.assertNotIn("process-abstract-sockets", held.rules({}, look))

    def test_same_user(self):
        user = next(uid for uid in range(61000, 65000) if not any(uid == one for one, _ in users_of_processes()))
        outside = ["setpriv", f"--reuid={user}", "--clear-groups", "sleep", "60"]
        held = Held()
        self.addCleanup(held.close)
        told = []

        def look(pid):
            told[:] = audit("--pid", str(pid))["audits"][0]["findings"]
            return told
        for spaces, severity in ((live_rows.without(), "advice"), (live_rows.without("pid"), "high")):
            how = {"uid": user, "spaces": spaces}
            self.assertNotIn("process-same-user", held.rules(how, look), told)
            with Started(outside) as other:
                pid = sleeper_below(other)
                self.assertIn("process-same-user", held.rules(how, look))
                one = next(one for one in told if one["rule"] == "process-same-user")
                self.assertEqual(severity, one["severity"])
                self.assertIn(f"{pid} (sleep)", one["evidence"])

    def test_symbols_of_the_kernel_are_told_as_they_are(self):
        held = Held()
        self.addCleanup(held.close)
        told = []

        def look(pid):
            told[:] = audit("--pid", str(pid))["audits"][0]["findings"]
            return told
        for capabilities, as_user in (([], ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all"]),
                                      ([34], [])):
            shown = subprocess.run([*as_user, "head", "-c", "16", "/proc/kallsyms"], capture_output=True, text=True,
                                   check=True).stdout
            self.assertEqual(16, len(shown))
            self.assertIn("process-kernel-read", held.rules({"capabilities": capabilities}, look))
            evidence = next(one["evidence"] for one in told if one["rule"] == "process-kernel-read")
            self.assertIn("the addresses are 0" if shown == "0" * 16 else "with addresses", evidence)

    def test_who_listens_is_named(self):
        held = Held()
        self.addCleanup(held.close)
        told = []

        def look(pid):
            told[:] = findings_of(pid)
            return told
        folder = tempfile.mkdtemp(prefix="immure-test-listens-")
        self.addCleanup(shutil.rmtree, folder)
        listens = ("import os, socket, sys, time; end = socket.socket(socket.AF_UNIX); end.bind(sys.argv[1]); "
                   "os.chmod(sys.argv[1], 0o666); end.listen(); print('listens', flush=True); time.sleep(60)")
        path = folder + "/docker.sock"
        with Started([sys.executable, "-c", listens, path], stdout=subprocess.PIPE, text=True) as listener:
            self.assertEqual("listens\n", listener.running.stdout.readline())
            held.rules({"binds": [[path, "/run/docker.sock", 0]]}, look)
            evidence = next(one["evidence"] for one in told if one["rule"] == "process-socket-engine")
            self.assertRegex(evidence, rf"pid {listener.running.pid} \(python[0-9.]*\) listens at it")
            tree = audit(folder)["audits"][0]["findings"]
            evidence = next(one["evidence"] for one in tree if one["rule"] == "tree-control-socket")
            self.assertRegex(evidence, rf"pid {listener.running.pid} \(python[0-9.]*\) listens at it")
        # The name that is left behind is nobody's.
        held.rules({"binds": [[path, "/run/docker.sock", 0]]}, look)
        evidence = next(one["evidence"] for one in told if one["rule"] == "process-socket-engine")
        self.assertNotIn("listens at it", evidence)

    def test_securebits(self):
        # The kernel shows them to the process alone: it is the audit itself, and of any other they are not known.
        itself = ["sh", "-c", "exec \"$0\" audit --json --pid $$", IMMURE]

        def rules(*before):
            done = subprocess.run([*before, *itself], capture_output=True, text=True, check=False, timeout=60)
            told = json.loads(done.stdout)["audits"][0]
            return [{one["rule"] for one in told[part]} for part in ("findings", "unknown")]
        for bits, found in (("-noroot", True), ("+noroot", False)):
            findings, unknown = rules("setpriv", "--securebits=" + bits)
            self.assertEqual(found, "process-securebits" in findings)
            self.assertNotIn("process-securebits", unknown)
        with Started(["sleep", "60"]) as other:
            sleeper_below(other)
            told = audit("--pid", str(other.running.pid))["audits"][0]
        self.assertNotIn("process-securebits", {one["rule"] for one in told["findings"]})
        self.assertIn("process-securebits", {one["rule"] for one in told["unknown"]})

    def test_security_module(self):
        with Started(["sleep", "60"]) as started:
            sleeper_below(started)
            told = audit("--pid", str(started.running.pid))["audits"][0]
            try:
                with open(f"/proc/{started.running.pid}/attr/current", encoding="utf-8") as file:
                    label = file.read()
            except OSError:
                label = ""
        # Landlock may hold what no label does; a label that holds is asked for in the machine of the kernels suite.
        if not label or label.startswith("unconfined"):
            self.assertIn("process-module", {one["rule"] for one in told["unknown"]})
        self.assertNotIn("process-module", {one["rule"] for one in told["findings"]})
        if not label:
            self.skipTest("the kernel of this machine has no security module that labels processes; "
                          "tests/kernels boots one that has")


class EveryRule(unittest.TestCase):
    """Of each rule about processes there is a real one with its fault, or it is said here why not."""
    BY_A_TEST_OF_ITS_OWN = {
        "process-securebits": Zoo.test_securebits,
        "process-abstract-sockets": Zoo.test_abstract_sockets,
        "process-same-user": Zoo.test_same_user,
    }
    ELSEWHERE = {
        "process-module": "a profile that is only watched has to be loaded into a kernel with AppArmor: tests/kernels",
    }

    def test_each_has_a_process(self):
        listed = json.loads(subprocess.run([IMMURE, "audit", "--list", "--json"], capture_output=True, check=True).stdout)
        rules = {one["id"] for one in listed["rules"] if one["look"] == "process"}
        tables = [table for name, table in vars(live_rows).items() if name.isupper() and isinstance(table, list)]
        rows = {rule for table in tables for row in table if not name_of_part(row) for rule in row[3]}
        apart = set(self.BY_A_TEST_OF_ITS_OWN) | set(self.ELSEWHERE)
        self.assertEqual(set(), rules - rows - apart, "rules without a row of live_rows.py")
        self.assertEqual(set(), (rows | apart) - rules, "rows of rules that there are not")
        self.assertEqual(set(), rows & apart, "rows of what is said to have none")
        for rule, test in self.BY_A_TEST_OF_ITS_OWN.items():
            self.assertIn(f'"{rule}"', inspect.getsource(test))

    def test_each_table_is_looked_at(self):
        looked = set(re.findall(r"live_rows\.([A-Z]+)\)", inspect.getsource(Zoo)))
        tables = {name for name, table in vars(live_rows).items() if name.isupper() and isinstance(table, list) and
                  not name.startswith("_")}
        self.assertEqual(tables, looked)


def name_of_part(row):
    """Of a table that is a part of rows, and no row."""
    return not (isinstance(row, tuple) and len(row) >= 4)


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
    "crun": [sys.executable, HERE + "/bundle.py", "crun", str(os.getpid()), "{root}"],
    "runc": [sys.executable, HERE + "/bundle.py", "runc", str(os.getpid()), "{root}"],
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
