"""`immure watch --source ptrace`: processes that run already, seen as they are, and left as they were. (S116)"""
import os
import signal
import struct
import subprocess
import sys
import time
import unittest

from watching import IMMURE, ROOT, Case, until, status_of

# What of each kind is done, and how the event of it has to look. Nothing of it changes the host: what could, is given
# something that does not exist.
KINDS = {
    "process": ("os.waitpid(os.posix_spawn('/bin/true', ['true', 'a b'], {}), 0)",
                {"action": "exec", "words": ["true", "a b"], "verdict": "done", "certainty": "settled"}),
    "file": ("open('/etc/hostname').close()",
             {"action": "open", "path": "/etc/hostname", "verdict": "done", "flag_names": "O_RDONLY|O_CLOEXEC"}),
    "network": ("import socket; socket.socket().connect_ex(('127.0.0.1', 1))",
                {"action": "connect", "address": "127.0.0.1:1", "error": "ECONNREFUSED", "verdict": "failed"}),
    "privilege": ("os.setresuid(-1, -1, -1)", {"action": "set-ids", "call": "setresuid", "verdict": "done"}),
    "namespace": ("call(308, 9999, 0x04000000)",
                  {"action": "enter", "call": "setns", "error": "EBADF", "flag_names": "NEWUTS"}),
    "mount": ("call(165, b'none', b'/nonexistent/\\x1b[2Jx', b'tmpfs', 2, 0)",
              {"action": "mount", "path": "none", "second_hex": b"/nonexistent/\x1b[2Jx".hex(), "text": "tmpfs",
               "flag_names": "nosuid", "verdict": "failed"}),
    "module": ("call(176, b'no_such_module', 0)", {"action": "load-module", "text": "no_such_module",
                                                   "verdict": "failed"}),
    "memory": ("call(9, 0, 4096, 7, 0x22, -1, 0)",
               {"action": "map", "flag_names": "read|write|exec", "verdict": "done"}),
    "trace": ("call(101, 16, 0x3ffffff0, 0, 0)",
              {"action": "attach", "other": 0x3ffffff0, "flag_names": "ATTACH", "error": "ESRCH"}),
    "signal": ("os.kill(os.getpid(), 0)", {"action": "kill", "flag_names": "signal 0", "verdict": "done"}),
    "device": ("call(16, os.open('/dev/null', os.O_RDWR), 0x5412, b'x')",
               {"action": "control", "flag_names": "TIOCSTI", "error": "ENOTTY"}),
    "clock": ("call(227, 999, (ctypes.c_long * 2)(1, 0))",
              {"action": "set-clock", "call": "clock_settime", "error": "EINVAL"}),
    "ipc": ("call(68, 0x7ffffff1, 0)", {"action": "ipc-object", "call": "msgget", "error": "ENOENT"}),
    "limit": ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))",
              {"action": "set-limit", "flag_names": "NOFILE", "verdict": "done"}),
    "filter": ("call(157, 38, 1, 0, 0, 0)", {"action": "confine", "flag_names": "NO_NEW_PRIVS", "verdict": "done"}),
    "other": ("call(39)", {"action": "call", "call": "getpid", "verdict": "done"}),
}

# chdir("/nonexistent"), exit(7): i386, by hand, so that no compiler of 32 bits is needed.
def program_of_32_bits():
    base, head = 0x08048000, 52 + 32
    code = bytes.fromhex("b80c000000" "bb") + struct.pack("<I", base + head + 25) + \
        bytes.fromhex("cd80" "b801000000" "bb07000000" "cd80").ljust(13, b"\x90")
    body = code.ljust(25, b"\x90") + b"/nonexistent\0"
    elf = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + head, 52, 0, 0, 52, 32, 1,
                                                        40, 0, 0)
    size = head + len(body)
    return elf + struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096) + body


class Kinds(Case):
    def test_each_kind_of_event_is_seen_with_its_texts_and_result(self):
        watch = self.seen("\n".join(code for code, _ in KINDS.values()), level="all")
        events = watch.events()
        for kind, (code, wanted) in KINDS.items():
            with self.subTest(kind):
                alike = [event for event in events if event["kind"] == kind
                         and all(event.get(key) == value for key, value in wanted.items())]
                self.assertTrue(alike, f"{code}: {wanted} is not among "
                                       f"{[event['sentence'] for event in events if event['kind'] == kind][:40]}")
                self.assertTrue(any(wanted.get("error", "") in event["sentence"] for event in alike))
        with open(watch.path, encoding="utf-8") as file:
            self.assertNotIn("\x1b", file.read())

    def test_levels_leave_out_what_they_say(self):
        script = "open('/etc/hostname').close(); os.kill(os.getpid(), 0)"
        process = self.seen(script, level="process")
        self.assertEqual({event["kind"] for event in process.events()}, {"process"})
        security = self.seen(script, level="security")
        self.assertTrue(security.events(action="kill"))
        self.assertFalse(security.events(path="/etc/hostname"))
        files = self.seen(script, level="files")
        self.assertTrue(files.events(path="/etc/hostname"))
        self.assertFalse(files.events(kind="other"))

    def test_events_are_numbered_without_gaps_and_in_time(self):
        watch = self.seen("for i in range(500): open('/etc/hostname').close()", level="all")
        lines = watch.lines()
        numbers = [line["event"] for line in lines if line["type"] == "event"]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertEqual(len(watch.events(action="open", path="/etc/hostname")), 500)
        times = [line["time_ns"] for line in lines if line["type"] == "event"]
        self.assertEqual(times, sorted(times))
        self.assertEqual(lines[0]["schema"], "immure.watch/1")
        self.assertEqual(lines[-1]["type"], "end")
        self.assertEqual((lines[-1]["events"], lines[-1]["lost"], lines[-1]["broken"]), (len(numbers), 0, 0))


class Programs(Case):
    def test_a_program_of_32_bits(self):
        path = os.path.join(self.folder, "small")
        with open(path, "wb") as file:
            file.write(program_of_32_bits())
        os.chmod(path, 0o755)
        try:
            self.assertEqual(subprocess.run([path], check=False).returncode, 7)
        except OSError as error:
            self.skipTest(f"no program of 32 bits runs here: {error}")
        watch = self.seen(f"os.waitpid(os.posix_spawn({path!r}, ['small'], {{}}), 0)")
        self.assertTrue(watch.events(call="i386:chdir", path="/nonexistent", error="ENOENT"))
        self.assertTrue(watch.events(action="end", end="status 7"))
        self.assertTrue(watch.events(action="exec", resolved=path))

    def test_threads_and_what_they_could_change_is_marked(self):
        watch = self.seen("""
import threading
threads = [threading.Thread(target=lambda: os.access('/etc/hostname', 4)) for _ in range(40)]
os.access('/etc/alone', 4)
for thread in threads: thread.start()
for thread in threads: thread.join()
""", level="files")
        self.assertEqual(len(watch.events(path="/etc/hostname", call="access")), 40)
        self.assertEqual({event["certainty"] for event in watch.events(path="/etc/alone")}, {"read"})
        self.assertEqual({event["pid"] for event in watch.events(path="/etc/hostname")}, {watch.pid})
        self.assertIn("racy", {event["certainty"] for event in watch.events(path="/etc/hostname")})
        self.assertGreaterEqual(len({event["tid"] for event in watch.events(action="born", pid=watch.pid)}), 1)

    def test_exec_from_another_thread(self):
        watch = self.seen("""
import threading, time
for _ in range(8): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
thread = threading.Thread(target=lambda: os.execv('/bin/sh', ['sh', '-c', 'cd /etc; exit 5']))
thread.start(); thread.join()
""")
        execs = watch.events(action="exec", path="/bin/sh")
        self.assertEqual([(event["pid"], event["tid"], event["words"]) for event in execs],
                         [(watch.pid, watch.pid, ["sh", "-c", "cd /etc; exit 5"])])
        self.assertTrue(watch.events(action="change-folder", path="/etc", verdict="done"))
        self.assertTrue(watch.events(action="end", end="status 5", pid=watch.pid))

    def test_a_storm_of_processes_is_seen_whole(self):
        watch = self.seen("""
for i in range(200):
    pid = os.fork() if i % 2 else os.posix_spawn('/bin/true', ['true', str(i)], {})
    if pid == 0: os.execv('/bin/true', ['true', str(i)])
    os.waitpid(pid, 0)
""")
        ran = [event["words"][1] for event in watch.events(action="exec") if event["words"][0] == "true"]
        self.assertEqual(ran, [str(i) for i in range(200)])
        born = {event["pid"] for event in watch.events(action="born")}
        self.assertTrue({event["pid"] for event in watch.events(action="exec")} <= born)
        self.assertEqual(len(watch.events(action="end", end="status 0")), 201)

    def test_an_exec_that_fails_is_told_with_its_words(self):
        watch = self.seen("""
try: os.execv('/nonexistent', ['x', 'y z'])
except OSError: pass
""")
        self.assertTrue(watch.events(action="exec", path="/nonexistent", words=["x", "y z"], error="ENOENT"))

    def test_what_dies_in_a_call_is_told(self):
        watch = self.seen("""
import signal, time
read, write = os.pipe()
pid = os.fork()
if pid == 0: os.execv('/bin/sleep', ['sleep', '60'])
time.sleep(0.2); os.kill(pid, 9); os.waitpid(pid, 0)
""")
        self.assertTrue(watch.events(action="end", end="SIGKILL"))


class LeftAsItWas(Case):
    SLEEPS = "import time, threading\nthreading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n" \
             "sys.stdout.write('on\\n'); sys.stdout.flush()\nsys.stdin.readline(); os.access('/etc/after', 4)"

    def goes_on(self, child):
        until(lambda: status_of(child.pid, "TracerPid") == "0")
        self.assertIn(status_of(child.pid, "State"), ("S", "R"))
        child.stdin.write("more\n")
        child.stdin.flush()
        self.assertEqual(child.wait(20), 0)

    def test_the_process_goes_on_when_the_watch_ends(self):
        for by in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(by):
                child = self.waiting(self.SLEEPS)
                watch = self.watch("--pid", str(child.pid), "--source", "ptrace")
                child.stdin.write("go\n")
                child.stdin.flush()
                self.assertEqual(child.stdout.readline(), "on\n")
                code = watch.end(by)
                self.assertEqual(code, -9 if by == signal.SIGKILL else 0)
                self.goes_on(child)

    def test_the_watch_ends_when_its_time_is_over(self):
        child = self.waiting(self.SLEEPS)
        watch = self.watch("--pid", str(child.pid), "--source", "ptrace", "--for", "300ms")
        watch.wait()
        child.stdin.write("go\n")
        self.goes_on(child)

    def test_who_is_stopped_stays_stopped_and_goes_on_when_told(self):
        child = self.waiting("import time\nwhile True: time.sleep(0.01); os.access('/etc/mark', 4)")
        watch = self.watch("--pid", str(child.pid), "--source", "ptrace", "--level", "files")
        child.stdin.write("go\n")
        child.stdin.flush()
        until(lambda: watch.events(path="/etc/mark"))
        os.kill(child.pid, signal.SIGSTOP)
        until(lambda: status_of(child.pid, "State") in ("T", "t"))
        time.sleep(0.2)
        stopped = len(watch.events(path="/etc/mark"))
        time.sleep(0.3)
        self.assertEqual(len(watch.events(path="/etc/mark")), stopped)
        os.kill(child.pid, signal.SIGCONT)
        until(lambda: len(watch.events(path="/etc/mark")) > stopped)
        # And a watch that ends meanwhile leaves it stopped.
        os.kill(child.pid, signal.SIGSTOP)
        until(lambda: status_of(child.pid, "State") in ("T", "t"))
        watch.end()
        until(lambda: status_of(child.pid, "TracerPid") == "0")
        self.assertEqual(status_of(child.pid, "State"), "T")
        os.kill(child.pid, signal.SIGCONT)
        until(lambda: status_of(child.pid, "State") in ("S", "R"))

    def test_signals_arrive_and_keep_their_meaning(self):
        watch = self.seen("""
import signal
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
for _ in range(20): os.kill(os.getpid(), signal.SIGUSR1)
assert len(got) == 20, got
pid = os.fork()
if pid == 0: os.kill(os.getpid(), signal.SIGTERM)
assert os.waitpid(pid, 0)[1] == signal.SIGTERM
""")
        self.assertEqual(len(watch.events(action="kill", flag_names="SIGUSR1")), 20)
        self.assertTrue(watch.events(action="end", end="SIGTERM"))

    def test_hundreds_of_threads(self):
        child = self.waiting("""
import threading
threading.stack_size(65536)
barrier = threading.Event()
threads = [threading.Thread(target=barrier.wait) for _ in range(400)]
for thread in threads: thread.start()
sys.stdout.write('on\\n'); sys.stdout.flush(); sys.stdin.readline()
barrier.set()
for thread in threads: thread.join()
os.access('/etc/last', 4)
""")
        child.stdin.write("go\n")
        child.stdin.flush()
        self.assertEqual(child.stdout.readline(), "on\n")
        watch = self.watch("--pid", str(child.pid), "--source", "ptrace", "--level", "files")
        self.assertEqual(status_of(child.pid, "TracerPid") != "0", True)
        child.communicate("end\n", timeout=60)
        watch.wait()
        self.assertTrue(watch.events(path="/etc/last"))
        self.assertGreaterEqual(len(watch.events(action="end")), 400)


class Refusals(Case):
    def refused(self, *words):
        done = subprocess.run([IMMURE, "watch", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertIn("how:", done.stderr)
        return done.stderr

    def test_what_cannot_be_watched_is_told_with_a_remedy(self):
        self.assertIn("there is no process", self.refused("--pid", str(0x3ffffff0)))
        self.assertIn("IMM-E040", self.refused("no-such-jail-of-mine"))
        self.assertIn("needs something to watch", self.refused())
        self.assertIn("one target", self.refused("a", "--all"))
        self.assertIn("security", self.refused("--all", "--level", "securty"))
        self.assertIn("network", self.refused("--all", "--only", "netwrk"))
        self.assertIn("is no time", self.refused("--all", "--for", "soon"))
        self.assertIn("ptrace", self.refused("--all", "--source", "ptrac"))
        self.assertIn("cannot watch every process", self.refused("--all", "--source", "ptrace"))

    def test_who_is_traced_already(self):
        child = self.waiting("sys.stdin.readline()")
        self.watch("--pid", str(child.pid), "--source", "ptrace")
        self.assertIn("traces it already", self.refused("--pid", str(child.pid), "--source", "ptrace"))

    @unittest.skipIf(ROOT, "root may trace everybody")
    def test_somebody_elses_process(self):
        self.assertIn("somebody else", self.refused("--pid", "1", "--source", "ptrace"))

    def test_the_traced_cannot_have_another_tracer(self):
        watch = self.seen("call(101, 0, 0, 0, 0)")
        self.assertTrue(watch.events(kind="trace", flag_names="TRACEME", error="EPERM"))


class Jails(Case):
    def test_a_jail_is_watched_by_its_name(self):
        name = f"watched-{os.getpid()}"
        jail = subprocess.Popen([IMMURE, "run", "--name", name, "--", "/bin/sh", "-c",
                                 "read line; cat /etc/hostname; mount -t tmpfs none /tmp; true"],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.gone, jail)
        until(lambda: name in subprocess.run([IMMURE, "ps", "--names"], capture_output=True, text=True,
                                             check=False).stdout)
        watch = self.watch(name, "--source", "ptrace", "--level", "files")
        jail.communicate(b"go\n", timeout=60)
        lines = watch.wait()
        self.assertEqual(lines[0]["target"], "jail " + name)
        self.assertTrue(watch.events(action="open", path="/etc/hostname"))
        self.assertTrue(any(event["verdict"] == "failed" for event in watch.events(kind="mount")))


if __name__ == "__main__":
    unittest.main()
