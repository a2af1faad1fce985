"""`immure run --watch`: what a jail does is written down before it is done, whoever is killed meanwhile, and the jail is the
same as without. (S104, S105, S112)"""
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from processes import children, name_of, until

IMMURE = os.environ.get("IMMURE", "immure")
NOT_DONE = 125


def kin(pid):
    found = []
    for child in children(pid):
        found += [child, *kin(child)]
    return found


def named(pid, name):
    return next((one for one in kin(pid) if name_of(one) == name), None)


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def picked(text, wanted):
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["type"] == "event" and all(line.get(key) == value for key, value in wanted.items())]


class Case(unittest.TestCase):
    source = "notify"

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="immure-watch-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.events_file = os.path.join(self.folder, "events")

    def words(self, *command, level="security", options=()):
        return [IMMURE, "run", f"--watch={level}", "--watch-source", self.source, "--watch-json", self.events_file, "--no-tty",
                *options, "--", *command]

    def run_watched(self, *command, seconds=90, **more):
        return subprocess.run(self.words(*command, **more), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)

    def start(self, *command, **more):
        process = subprocess.Popen(self.words(*command, **more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def text(self):
        with open(self.events_file) as file:
            return file.read()

    def events(self, **wanted):
        """Of a record that is done: each line is whole."""
        text = self.text()
        self.assertTrue(text.endswith("\n") or not text)
        return picked(text, wanted)

    def so_far(self, **wanted):
        """Of a record that is still written, or whose writer was killed: what comes after the last line feed is not there yet."""
        try:
            text = self.text()
        except FileNotFoundError:
            return []
        return picked(text[:text.rfind("\n") + 1], wanted)

    def assert_whole(self, at_least=1, events=None):
        """Numbered from 1 on, none twice, none missing."""
        numbers = [event["event"] for event in (self.events() if events is None else events)]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertGreaterEqual(len(numbers), at_least)


class What(Case):
    def test_programs_that_start(self):
        result = self.run_watched("sh", "-c", "/bin/echo one 'two words'; exit 7", level="process")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (7, "one two words\n", ""))
        words = [event["words"] for event in self.events(action="exec")]
        self.assertEqual(words[0][0], "sh")
        self.assertIn(["/bin/echo", "one", "two words"], words)
        for event in self.events(action="exec"):
            self.assertTrue(event["held"], event)
        self.assert_whole(3)

    def test_what_is_denied(self):
        # Denied for its name, and for its argument.
        result = self.run_watched("unshare", "--user", "true")
        self.assertNotEqual(result.returncode, 0)
        denied = self.events(verdict="denied")
        self.assertIn("unshare", [event["call"] for event in denied])
        self.assertEqual({event["result"] for event in denied}, {-1})

    def test_denied_calls_have_their_memory(self):
        self.run_watched("mount", "-t", "tmpfs", "none", "/tmp")
        calls = {event["call"]: event for event in self.events(verdict="denied")}
        self.assertTrue({"mount", "fsopen"} & set(calls), calls)

    def test_paths_and_their_folders(self):
        self.run_watched("sh", "-c", "cd /usr && cat share/dict/none /etc/passwd", level="files")
        opened = {event["path"]: event for event in self.events(action="open")}
        self.assertEqual(opened["share/dict/none"]["resolved"], "/usr/share/dict/none")
        self.assertIn("/etc/passwd", opened)
        self.assertNotIn("resolved", opened["/etc/passwd"])

    def test_security_is_without_files(self):
        self.run_watched("cat", "/etc/passwd")
        self.assertEqual(self.events(action="open"), [])

    def test_addresses(self):
        self.run_watched("python3", "-c", "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass")
        self.assertIn("127.0.0.1:9", [event.get("address") for event in self.events(action="connect")])

    def test_events_on_stderr_only_when_asked(self):
        self.assertEqual(self.run_watched("true").stderr, "")
        os.unlink(self.events_file)
        self.assertIn("execve", self.run_watched("true", options=["--watch-events"]).stderr)

    def test_trace(self):
        trace = os.path.join(self.folder, "trace")
        result = self.run_watched("true", options=["--watch-trace", trace])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertGreater(os.path.getsize(trace), 100)

    def test_with_a_record_of_files(self):
        record = os.path.join(self.folder, "record")
        result = self.run_watched("cat", "/etc/passwd", options=["--record-files", record])
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(record) as file:
            self.assertIn('"path":"/etc/passwd"', file.read())
        self.assertEqual(self.events(action="open"), [], "the record of files is not the watch")
        self.assert_whole()


class Name(Case):
    """A jail that nobody named has another name where a group of the first was left behind."""
    GROUPS = "/sys/fs/cgroup/pids"

    def test_it_is_told_by_the_name_that_it_has(self):
        if os.geteuid() != 0 or not os.access(self.GROUPS, os.W_OK) or not os.path.exists(self.GROUPS + "/tasks"):
            self.skipTest("needs root and control groups of version 1")
        trace = os.path.join(self.folder, "trace")

        def leave_a_group():  # in the process that becomes immure
            os.mkdir(f"{self.GROUPS}/immure-jail-{os.getpid()}")
        words = self.words("/bin/true", options=["--watch-trace", trace, "--need", "cgroup=require"])
        run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=leave_a_group)
        said = run.communicate(timeout=60)[1]
        os.rmdir(f"{self.GROUPS}/immure-jail-{run.pid}")
        self.assertEqual(run.returncode, 0, said)
        wanted = f"jail jail-{run.pid}-2"
        with open(self.events_file, encoding="utf-8") as file:
            self.assertEqual(json.loads(file.readline())["target"], wanted)
        told = subprocess.run([IMMURE, "report", trace, "--json"], capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(json.loads(told.stdout)["target"], wanted)
        self.assertGreater(json.loads(told.stdout)["events"], 0)


class Words(Case):
    def refused(self, *options, level="security"):
        result = self.run_watched("true", options=options, level=level)
        self.assertEqual(result.returncode, NOT_DONE, result.stderr)
        self.assertIn("how:", result.stderr)
        return result.stderr

    def test_what_is_there_is_not_written_over(self):
        with open(self.events_file, "w") as file:
            file.write("mine")
        self.refused()
        with open(self.events_file) as file:
            self.assertEqual(file.read(), "mine")

    def test_no_jail_leaves_no_file(self):
        self.refused("--root", "/nowhere")
        until(lambda: not os.path.exists(self.events_file))

    def test_refusals(self):
        self.assertIn("all", self.refused(level="all"))
        self.assertIn("userfaultfd", self.refused("--allow-syscall", "userfaultfd"))
        self.assertIn("filter", self.refused("--seccomp", "none"))
        self.assertIn("nonsense", self.refused(level="nonsense"))

    def test_words_need_a_watch(self):
        result = subprocess.run([IMMURE, "run", "--watch-events", "true"], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, NOT_DONE)
        self.assertIn("--watch", result.stderr)

    def test_exec_says_that_it_is_not_watched(self):
        name = f"watched-{os.getpid()}"
        jail = self.start("sleep", "60", options=["--name", name])
        until(lambda: self.events(action="exec") if os.path.exists(self.events_file) else None)
        result = until(lambda: (r := subprocess.run([IMMURE, "exec", name, "--", "true"], capture_output=True, text=True,
                                                    timeout=30)).returncode == 0 and r)
        self.assertIn("not", result.stderr)
        self.assertIn("watched", result.stderr)
        jail.terminate()


FLOOD = "i=0; while :; do i=$((i+1)); /bin/true $i; done"


class Killed(Case):
    def begun(self, command=FLOOD):
        jail = self.start("sh", "-c", command)
        until(lambda: self.so_far(action="exec"))
        time.sleep(random.uniform(0, 0.4))
        return jail

    def test_watcher(self):
        for _ in range(6):
            jail = self.begun()
            until(lambda: len(self.so_far()) > 3)
            os.kill(named(jail.pid, "immure-watcher"), signal.SIGKILL)
            self.assertEqual(jail.wait(30), NOT_DONE)
            self.assertIn("watcher has ended", jail.stderr.read())
            self.assert_whole(4, self.so_far())
            os.unlink(self.events_file)

    def test_keeper(self):
        jail = self.begun()
        os.kill(named(jail.pid, "immure-keeper"), signal.SIGKILL)
        self.assertEqual(jail.wait(30), NOT_DONE)
        until(lambda: self.text().endswith("\n"))
        self.assert_whole()

    def test_both(self):
        jail = self.begun()
        for name in ("immure-keeper", "immure-watcher"):
            os.kill(named(jail.pid, name), signal.SIGSTOP)
        time.sleep(0.3)
        inside = [one for one in kin(jail.pid) if not (name_of(one) or "immure-").startswith("immure-")]   # some end meanwhile
        for name in ("immure-watcher", "immure-keeper"):
            os.kill(named(jail.pid, name), signal.SIGKILL)
        self.assertEqual(jail.wait(30), NOT_DONE)
        said = jail.stderr.read()
        self.assertIn("watcher has ended", said)
        self.assertIn("left behind", said)
        self.assertFalse([one for one in inside if lives(one)])

    def test_supervisor(self):
        for _ in range(4):
            jail = self.begun()
            watchers = [named(jail.pid, "immure-watcher"), named(jail.pid, "immure-keeper")]
            jail.kill()
            jail.wait(30)
            until(lambda: not [one for one in watchers if lives(one)])
            self.assert_whole()
            os.unlink(self.events_file)

    def test_a_watcher_that_is_slow_makes_the_jail_wait(self):
        mark = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); cd /; done; echo done"
        jail = self.start("sh", "-c", mark)
        until(lambda: self.so_far(action="exec"))
        watcher = named(jail.pid, "immure-watcher")
        os.kill(watcher, signal.SIGSTOP)
        with self.assertRaises(subprocess.TimeoutExpired):
            jail.wait(6)
        with open(f"/proc/{watcher}/status") as file:
            resident = int(next(line for line in file if line.startswith("VmRSS")).split()[1])
        self.assertLess(resident, 64 * 1024, "bounded")
        os.kill(watcher, signal.SIGCONT)
        self.assertEqual(jail.wait(120), 0)
        self.assertEqual(jail.stdout.read(), "done\n")
        self.assertEqual(len(self.events(action="change-folder")), 60000)
        self.assert_whole(60000)

    def test_a_limit_holds_while_the_ring_is_full(self):
        jail = self.start("sh", "-c", "while :; do cd /; done", options=["--wall-time", "3s"])
        until(lambda: self.so_far(action="exec"))
        watcher = named(jail.pid, "immure-watcher")
        os.kill(watcher, signal.SIGSTOP)
        begun = time.monotonic()
        self.assertEqual(jail.wait(40), 124)
        self.assertLess(time.monotonic() - begun, 30)
        os.kill(watcher, signal.SIGCONT)
        # It waited for its watcher as long as it does, and says what is left.
        self.assertIn("left behind", jail.stderr.read())
        until(lambda: not lives(watcher))
        self.assert_whole(100)


THREADS = """
import ctypes, threading, os
libc = ctypes.CDLL(None, use_errno=True)
path = ctypes.create_string_buffer(b'/etc/aaaaaa')
stop = False
def rewrite():
    while not stop:
        path.raw = b'/etc/bbbbbb\\0'
        path.raw = b'/etc/aaaaaa\\0'
thread = threading.Thread(target=rewrite)
thread.start()
for _ in range(500):
    libc.open(path, 0)
stop = True
thread.join()
"""

VM_CHILD = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
stack = ctypes.create_string_buffer(1 << 16)
# The child runs a function of libc that only waits.
entry = ctypes.cast(libc.pause, ctypes.c_void_p)
top = ctypes.c_void_p(ctypes.addressof(stack) + (1 << 16) - 64)
child = libc.clone(entry, top, 0x100 | 17, None)
assert child > 0
libc.open(b'/etc/with-a-child', 0)
os.kill(child, 9)
"""

ODD = """
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 8192)
base = ctypes.addressof(ctypes.c_char.from_buffer(page))
libc.mprotect(ctypes.c_void_p(base + 4096), 4096, 0)
for address in (0, 1, 8, base + 4090, base + 4096, 2**47, 2**63, 2**64 - 1):
    libc.syscall(257, -100, ctypes.c_void_p(address), 0, 0)
    libc.syscall(59, ctypes.c_void_p(address), ctypes.c_void_p(address), ctypes.c_void_p(address))
    for length in (0, 1, 2, 16, 128, 4096, 2**31 - 1, 2**32 - 1, 2**63):
        libc.syscall(42, 0, ctypes.c_void_p(address), ctypes.c_ulong(length))
        libc.syscall(321, 0, ctypes.c_void_p(address), ctypes.c_ulong(length))
ctypes.memset(base, ord('x'), 4096)
libc.syscall(257, -100, ctypes.c_void_p(base + 4090), 0, 0)
libc.syscall(257, -100, b'/' + b'y' * 5000, 0, 0)
os.execv('/bin/echo', ['echo', 'z' * 3000, 'z' * 3000])
"""


class Hostile(Case):
    def test_paths_that_are_rewritten_are_marked(self):
        result = self.run_watched("python3", "-c", THREADS, level="files")
        self.assertEqual(result.returncode, 0, result.stderr)
        opened = [event for event in self.events(action="open") if event.get("path", "").startswith(("/etc/aaa", "/etc/bbb"))]
        self.assertEqual(len(opened), 500)
        self.assertEqual({event["certainty"] for event in opened}, {"racy"})

    def test_one_thread_is_not_racy(self):
        self.run_watched("cat", "/etc/passwd", level="files")
        self.assertEqual({event["certainty"] for event in self.events(action="open")}, {"read"})

    def test_memory_that_a_child_has_too(self):
        result = self.run_watched("python3", "-c", VM_CHILD, level="files")
        self.assertEqual(result.returncode, 0, result.stderr)
        opened = self.events(path="/etc/with-a-child")
        self.assertEqual([event["certainty"] for event in opened], ["racy"])

    def test_odd_addresses_and_lengths(self):
        result = self.run_watched("python3", "-c", ODD, level="files")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stdout), len("z" * 6000) + 2)
        events = self.events()
        self.assertTrue(any(event.get("unreadable") for event in events))
        self.assertTrue([event for event in events if event.get("cut") and event.get("path") == "xxxxxx"], "it has no end")
        self.assertTrue([event for event in events if event.get("cut") and event.get("path", "").startswith("/yyyy")])
        self.assert_whole(100)

    def test_a_flood_of_processes(self):
        result = self.run_watched("sh", "-c", "for i in $(seq 300); do (exec true) & done; wait", seconds=120,
                                  options=["--pids", "1000"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreaterEqual(len(self.events(action="exec")), 300)
        self.assert_whole(600)

    def test_many_threads(self):
        result = self.run_watched("python3", "-c", "import threading, os, time\n"
                                  "ts = [threading.Thread(target=lambda: (os.chdir('/'), time.sleep(0.2))) for _ in range(300)]\n"
                                  "[t.start() for t in ts]; [t.join() for t in ts]", options=["--pids", "1000"])
        self.assertEqual(result.returncode, 0, result.stderr)
        moved = self.events(action="change-folder")
        self.assertEqual(len(moved), 300)
        self.assertEqual(len({event["tid"] for event in moved}), 300)
        self.assertEqual(len({event["pid"] for event in moved}), 1)


class Same(Case):
    def test_statuses(self):
        for command, status in (("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143)):
            self.assertEqual(self.run_watched("sh", "-c", command).returncode, status, command)
            os.unlink(self.events_file)
        self.assertEqual(self.run_watched("/nowhere/at-all").returncode, 127)

    def test_descriptors_of_the_caller_are_let_go_of(self):
        # Who waits for the other end of a pipe waits for the program, not for the watcher.
        read, write = os.pipe()
        os.set_inheritable(write, True)
        words = self.words("sh", "-c", f"exec {write}>&-; sleep 5", options=["--pass-fd", str(write)])
        jail = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[write])
        until(lambda: named(jail.pid, "immure-watcher"))
        os.close(write)
        for one in (named(jail.pid, "immure-watcher"), named(jail.pid, "immure-keeper")):
            held = {os.readlink(f"/proc/{one}/fd/{fd}") for fd in os.listdir(f"/proc/{one}/fd")}
            self.assertNotIn(os.readlink(f"/proc/self/fd/{read}"), held)
        os.close(read)
        jail.wait(30)

    def test_nothing_of_the_ring_is_inside(self):
        result = self.run_watched("sh", "-c", "ls -l /proc/self/fd /proc/1/fd 2>&1; cat /proc/self/maps /proc/1/maps 2>&1")
        self.assertNotIn("immure-ring", result.stdout)

    def test_on_a_terminal(self):
        pid, master = pty.fork()
        if pid == 0:
            os.execv(IMMURE, [IMMURE, "run", "--watch", "--watch-source", "notify", "--watch-events", "--tty", "--", "sh", "-c",
                              "stty raw; /bin/true; sleep 1; /bin/true; sleep 0.3"])
        out = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            out += part
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, out)
        self.assertIn(b"execve", out)
        self.assertNotIn(b"\n", out.replace(b"\r\n", b""), "each line begins at the left")


if __name__ == "__main__":
    unittest.main()
