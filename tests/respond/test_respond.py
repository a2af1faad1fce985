"""`immure respond`: jails of any origin are held still, looked through, and ended; nothing else is touched. (S125)

Every target is real: a jail of immure, processes behind unshare(1), a plain tree of processes."""
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import unittest

from processes import children, name_of, until

IMMURE = os.environ.get("IMMURE", "immure")
ROOT = os.geteuid() == 0
FORKS = "while :; do sh -c 'sleep 0.01 & sleep 0.02' & wait $!; done"


def respond(*words, seconds=90, **more):
    return subprocess.run([IMMURE, "respond", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=seconds, **more)


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="immure-respond-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.archive = os.path.join(self.folder, "snapshot.tar.zst")

    def start(self, *words, **more):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True, **more)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        for pid in [*descendants(process.pid), process.pid]:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait(30)

    def jail(self, script, *options):
        name = f"respond-{os.getpid()}-{time.monotonic_ns()}"
        process = self.start(IMMURE, "run", f"--name={name}", "--no-tty", *options, "--", "sh", "-c", script)
        until(lambda: name in subprocess.run([IMMURE, "ps", "--names"], capture_output=True, text=True).stdout.split())
        return name, process

    def opened(self, archive=None):
        packed = subprocess.run(["zstd", "-dc", archive or self.archive], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            return {member.name.split("/", 1)[1]: tar.extractfile(member).read() for member in tar.getmembers()}

    def assert_told(self, result, status, *texts):
        self.assertEqual(result.returncode, status, result.stderr + result.stdout)
        for text in texts:
            self.assertIn(text, result.stdout + result.stderr)


class Halts(Case):
    def counting(self, path):
        return os.stat(path).st_size if os.path.exists(path) else 0

    def holds_still(self, words, count):
        """`count` grows while the target runs."""
        until(count)
        self.assert_told(respond(*words, "freeze"), 0, "frozen")
        before = count()
        time.sleep(0.4)
        self.assertEqual(count(), before)
        self.assert_told(respond(*words, "thaw"), 0, "thawed")
        until(lambda: count() > before)

    def test_a_jail_is_frozen_and_goes_on(self):
        shared = os.path.join(self.folder, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o777)
        name, _ = self.jail(f"while :; do echo x >> {shared}/ticks; sleep 0.01; done", f"--bind={shared}")
        self.holds_still([name], lambda: self.counting(os.path.join(shared, "ticks")))

    def test_a_tree_that_forks_all_the_time_is_frozen(self):
        ticks = os.path.join(self.folder, "ticks")
        process = self.start("sh", "-c", f"while :; do (echo x >> {ticks}; sleep 0.01); done")
        self.holds_still(["--pid", str(process.pid)], lambda: self.counting(ticks))

    @unittest.skipUnless(ROOT, "needs root: unshare --pid")
    def test_a_foreign_pid_namespace_is_frozen_whole(self):
        ticks = os.path.join(self.folder, "ticks")
        # What lost its parent belongs to pid 1 of the namespace, and is found all the same.
        script = f"(setsid sh -c 'while :; do echo x >> {ticks}; sleep 0.01; done' &) ; exec sleep 1000"
        process = self.start("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script)
        inner = until(lambda: children(process.pid))[0]
        self.holds_still(["--pid", str(inner)], lambda: self.counting(ticks))
        self.assert_told(respond("--pid", str(inner), "kill"), 0, "ended")
        size = self.counting(ticks)
        time.sleep(0.2)
        self.assertEqual(self.counting(ticks), size)

    def headless(self, ticks):
        """A process whose first thread has ended, and another one works on: /proc shows it as a zombie."""
        code = ("import ctypes, threading, time\n"
                "def work():\n"
                "    while True:\n"
                f"        open({ticks!r}, 'a').write('x')\n"
                "        time.sleep(0.01)\n"
                "threading.Thread(target=work).start()\n"
                "ctypes.CDLL(None).syscall(60, 0)\n")
        process = self.start("python3", "-c", code)
        until(lambda: state(process.pid) == "Z")
        return process

    def test_a_process_without_its_first_thread_is_none_that_has_ended(self):
        ticks = os.path.join(self.folder, "ticks")
        process = self.headless(ticks)
        self.holds_still(["--pid", str(process.pid)], lambda: self.counting(ticks))
        self.assert_told(respond("--pid", str(process.pid), "kill"), 0, "ended, 1 process")
        self.assertEqual(process.wait(10), -signal.SIGKILL)

    def test_kill_ends_what_forks_all_the_time_and_nothing_else(self):
        bystander = self.start("sleep", "1000")
        process = self.start("sh", "-c", FORKS)
        until(lambda: children(process.pid))
        self.assert_told(respond("--pid", str(process.pid), "kill"), 0, "ended")
        self.assertEqual(process.wait(10), -signal.SIGKILL)
        self.assertNotIn(state(bystander.pid), (None, "Z", "T"))

    def test_a_frozen_jail_can_be_killed(self):
        name, process = self.jail("sleep 1000")
        self.assert_told(respond(name, "freeze"), 0)
        self.assert_told(respond(name, "kill"), 0, "ended")
        process.wait(20)


class Snapshots(Case):
    def test_a_jail(self):
        secret = "s3cr3t-value-of-the-environment"
        name, process = self.jail("echo changed > /tmp/new; exec sleep 1000", f"--env=TOKEN={secret}")
        until(lambda: "sleep" in map(name_of, descendants(process.pid)))
        result = respond(name, "snapshot", "-o", self.archive, "--contents")
        self.assert_told(result, 0, "sha256")
        with open(self.archive, "rb") as file:
            self.assertIn(hashlib.sha256(file.read()).hexdigest(), result.stdout)
        self.assertEqual(os.stat(self.archive).st_mode & 0o7777, 0o600)
        parts = self.opened()
        summary = json.loads(parts["summary.json"])
        self.assertEqual(summary["target"], f"jail {name}")
        self.assertTrue(summary["held_still_by"])
        sleeper = next(member["pid"] for member in summary["members"] if member["name"] == "sleep")
        self.assertEqual(parts[f"process/{sleeper}/cmdline"], b"sleep\x001000\x00")
        self.assertIn(b"TOKEN\n", parts[f"process/{sleeper}/environment-names"])
        self.assertFalse([part for part, content in parts.items() if secret.encode() in content], "values are not kept")
        self.assertIn(b"leads_to", parts[f"process/{sleeper}/fds.jsonl"])
        self.assertRegex(parts[f"process/{sleeper}/program.sha256"], rb"^[0-9a-f]{64}\n$")
        self.assertTrue(any(part.startswith("network/") and part.endswith("/tcp") for part in parts))
        changed = [json.loads(line) for line in parts["changed/changed.jsonl"].splitlines()]
        new = next(row for row in changed if row["path"] == "/tmp/new")
        self.assertEqual(new["sha256"], hashlib.sha256(b"changed\n").hexdigest())
        self.assertEqual(parts["changed/" + new["content"]], b"changed\n")
        # It goes on.
        until(lambda: state(sleeper) == "S")

    def test_its_digests_hold_for_every_part(self):
        process = self.start("sleep", "1000")
        self.assert_told(respond("--pid", str(process.pid), "snapshot", "-o", self.archive), 0)
        parts = self.opened()
        sums = dict(line.split("  ", 1)[::-1] for line in parts.pop("SHA256SUMS").decode().splitlines())
        self.assertEqual(set(sums), set(parts))
        for name, content in parts.items():
            self.assertEqual(hashlib.sha256(content).hexdigest(), sums[name], name)

    def test_what_was_stopped_before_stays_so(self):
        process = self.start("sleep", "1000")
        os.kill(process.pid, signal.SIGSTOP)
        until(lambda: state(process.pid) == "T")
        self.assert_told(respond("--pid", str(process.pid), "snapshot", "-o", self.archive), 0)
        self.assertEqual(state(process.pid), "T")

    def test_nothing_is_written_over(self):
        with open(self.archive, "w") as file:
            file.write("mine")
        process = self.start("sleep", "1000")
        self.assert_told(respond("--pid", str(process.pid), "snapshot", "-o", self.archive), 125, "is there already")
        with open(self.archive) as file:
            self.assertEqual(file.read(), "mine")
        self.assertEqual(state(process.pid), "S")

    def test_a_trace_that_cannot_be_read_leaves_nothing(self):
        process = self.start("sleep", "1000")
        result = respond("--pid", str(process.pid), "snapshot", "-o", self.archive, "--trace", "/nosuch")
        self.assert_told(result, 125, "/nosuch", "how:")
        self.assertFalse(os.path.exists(self.archive))
        until(lambda: state(process.pid) == "S")

    def test_what_is_too_much_is_told_and_hides_nothing_else(self):
        # A thousand descriptors with names that take six characters a byte to write down.
        code = ("import os, time\n"
                f"os.chdir({self.folder!r})\n"
                "for _ in range(12):\n"
                "    os.mkdir('\\x01' * 250)\n"
                "    os.chdir('\\x01' * 250)\n"
                "at = os.open('f', os.O_CREAT | os.O_RDWR)\n"
                "for _ in range(1000):\n"
                "    os.dup(at)\n"
                "print('ready', flush=True)\n"
                "time.sleep(1000)\n")
        process = subprocess.Popen(["python3", "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(self.end, process)
        process.stdout.readline()
        process.stdout.close()
        self.assert_told(respond("--pid", str(process.pid), "snapshot", "-o", self.archive), 0)
        parts = self.opened()
        folder = f"process/{process.pid}/"
        self.assertTrue(parts[folder + "fds.jsonl"].endswith(b'{"cut":true}\n'))
        self.assertIn(folder + "status", parts)
        self.assertIn(folder + "program.sha256", parts)

    @unittest.skipUnless(ROOT, "needs root: unshare --mount")
    def test_links_that_a_jail_planted_lead_nowhere(self):
        # A folder of the jail's is a link to the host's /etc by the time it is walked.
        script = ("mount -t tmpfs none /mnt && mkdir /mnt/a && ln -s /etc /mnt/a/etc && ln -s / /mnt/root &&"
                  " mkfifo /mnt/a/pipe && echo x > /mnt/a/file && exec sleep 1000")
        process = self.start("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script)
        inner = until(lambda: children(process.pid))[0]
        until(lambda: name_of(inner) == "sleep")
        self.assert_told(respond("--pid", str(inner), "snapshot", "-o", self.archive, "--contents"), 0)
        paths = [json.loads(line).get("path") for line in self.opened()["changed/changed.jsonl"].splitlines()]
        self.assertIn("/mnt/a/file", paths)
        self.assertIn("/mnt/a/pipe", paths)
        self.assertIn("/mnt/a/etc", paths)
        self.assertFalse([path for path in paths if path and path.startswith(("/mnt/a/etc/", "/mnt/root/"))])


class Words(Case):
    def test_what_is_meant_must_be_said(self):
        self.assert_told(respond(), 125, "how:")
        self.assert_told(respond("nosuch", "kill"), 125, "nosuch")
        self.assert_told(respond("--pid", "abc", "kill"), 125, "'abc' is no process")
        self.assert_told(respond("--pid", "1", "frezee"), 125, "did you mean freeze?")
        self.assert_told(respond("--pid", "4194304", "kill"), 125, "there is no process")

    def test_it_never_turns_against_who_asked(self):
        for pid in (1, os.getpid(), os.getppid()):
            if pid == 0:
                continue
            result = respond("--pid", str(pid), "kill")
            self.assertNotEqual(result.returncode, 0, pid)
        self.assert_told(respond("--pid", str(os.getpid()), "freeze"), 125, "itself runs")

    def test_report_tells_who_belongs_to_it(self):
        process = self.start("sh", "-c", "sleep 1000 & wait")
        until(lambda: children(process.pid))
        result = respond("--pid", str(process.pid), "report", "--json")
        self.assertEqual({member["pid"] for member in json.loads(result.stdout)["members"]},
                         {process.pid, *children(process.pid)})
        self.assert_told(respond("--pid", str(process.pid), "report"), 0, "2 processes", "descendants")


if __name__ == "__main__":
    unittest.main()
