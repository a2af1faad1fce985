"""The source audit: whose calls its rules ask for, what it leaves in the kernel, and why it cannot be had. (S104, S114)

Audit is the whole machine's: these tests run in one that is thrown away, that of tests/kernels."""
import json
import os
import signal
import socket
import struct
import subprocess
import unittest

from test_sources import BESIDE, WATCHED, available, watched
from watching import IMMURE, Case, until

GET, SET, ADD_RULE, DEL_RULE, LIST_RULES = 1000, 1001, 1011, 1012, 1013
ERROR, DONE = 2, 3
EXIT, TASK, NEVER, ALWAYS = 4, 1, 0, 2
PREPEND = 16
ARCH, UID, PID, KEY = 11, 1, 0, 210
EQUAL = 0x40000000
X86_64, I386 = 0xc000003e, 0x40000003
FLOOD = os.path.join(BESIDE, "flood")
# struct audit_rule_data of linux/audit.h
NUMBERS = struct.Struct("III64I64I64I64II")


class Kernel:
    """A line to the kernel's audit."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
        self.socket.bind((0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.socket.settimeout(10)

    def close(self):
        self.socket.close()

    def ask(self, kind, data=b"", last=ERROR):
        acknowledge = 4 if last == ERROR else 0
        self.socket.sendto(struct.pack("IHHII", 16 + len(data), kind, 1 | acknowledge, 7, 0) + data, (0, 0))
        answers = []
        while True:
            message = self.socket.recv(65536)
            _, got, _, number, _ = struct.unpack("IHHII", message[:16])
            if number != 7:
                continue
            if got == ERROR and struct.unpack("i", message[16:20])[0] != 0:
                raise OSError(-struct.unpack("i", message[16:20])[0], "audit")
            answers.append(message[16:])
            if got == last:
                return answers

    def status(self):
        words = struct.unpack("11I", self.ask(GET, last=GET)[0][:44])
        return {"enabled": words[1], "pid": words[3], "limit": words[5], "lost": words[6]}

    def set(self, **to):
        mask = sum({"enabled": 1, "pid": 4, "limit": 16}[name] for name in to)
        self.ask(SET, struct.pack("11I", mask, to.get("enabled", 0), 0, to.get("pid", 0), 0, to.get("limit", 0), 0, 0, 0, 0, 0))

    def rules(self):
        found = []
        for data in self.ask(LIST_RULES, last=DONE)[:-1]:
            words = NUMBERS.unpack(data[:NUMBERS.size])
            count, fields, values = words[2], words[67:131], words[131:195]
            texts = data[NUMBERS.size:]
            found.append({"list": words[0], "action": words[1], "fields": dict(zip(fields[:count], values)),
                          "calls": {number for number in range(2048) if words[3 + number // 32] >> number % 32 & 1},
                          "key": texts.decode().rstrip("\0") if KEY in fields[:count] else ""})
        return found

    def own(self):
        return [rule for rule in self.rules() if rule["key"].startswith("immure-watch-")]


def rule(where, action, fields, key="", calls=()):
    mask = [0] * 64
    for number in calls:
        mask[number // 32] |= 1 << number % 32
    if key:
        fields = [*fields, (KEY, EQUAL, len(key))]
    rest = [0] * (64 - len(fields))
    return NUMBERS.pack(where, action, len(fields), *mask, *[one[0] for one in fields], *rest, *[one[2] for one in fields], *rest,
                        *[one[1] for one in fields], *rest, len(key)) + key.encode()


def only_where_nothing_is_lost(case):
    with open("/proc/cmdline", encoding="ascii") as file:
        if "immure.expendable" not in file.read():
            case.skipTest("needs a machine that is thrown away, for audit is the whole machine's; tests/kernels boots one")


def uid_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return int(next(line for line in file if line.startswith("Uid:")).split()[1])


class Audit(Case):
    def setUp(self):
        super().setUp()
        why = available().get("audit", "this build does not have it")
        if why:
            self.skipTest(f"needs the kernel's audit, switched on: {why}; tests/kernels boots a machine that has it")
        only_where_nothing_is_lost(self)
        self.kernel = Kernel()
        self.addCleanup(self.kernel.close)
        self.before = self.kernel.status()

    def other_rule(self, text):
        self.kernel.ask(ADD_RULE, text)
        plain = struct.pack("I", struct.unpack("I", text[:4])[0] & ~PREPEND) + text[4:]

        def away():
            try:
                self.kernel.ask(DEL_RULE, plain)
            except OSError:
                pass
        self.addCleanup(away)

    def refused(self, *before):
        done = subprocess.run([*before, WATCHED, "audit", "security", "events", "true"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 125, done.stdout)
        self.assertEqual(self.kernel.own(), [])
        return done.stderr

    # ---- whose calls

    def test_a_jail_has_rules_of_its_own_ids(self):
        jail = subprocess.Popen([IMMURE, "run", "--name", "audited", "--", "sh", "-c", "read x; /bin/true inside; mkdir /tmp/made"],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.gone, jail)
        until(lambda: json.loads(subprocess.run([IMMURE, "ps", "--json"], capture_output=True, text=True, check=False).stdout or "{}").get("jails")
              or jail.poll() is not None, what="no jail began")
        watch = self.watch("audited", "--source", "audit", "--level", "files")
        rules = self.kernel.own()
        self.assertTrue(rules)
        for one in rules:
            self.assertTrue(set(one["fields"]) & {UID}, one)  # no call of anybody else is asked for
        self.assertEqual({one["fields"][ARCH] for one in rules}, {X86_64, I386})
        finit, finit32 = 313, 350
        self.assertTrue(any(finit in one["calls"] for one in rules if one["fields"][ARCH] == X86_64))
        self.assertTrue(any(finit32 in one["calls"] for one in rules if one["fields"][ARCH] == I386))
        subprocess.run(["/bin/true", "outside"], check=True)
        jail.stdin.write("go\n")
        jail.stdin.close()
        jail.wait(60)
        watch.wait()
        words = [event.get("words", [])[-1:] for event in watch.events(action="exec")]
        self.assertIn(["inside"], words)
        self.assertNotIn(["outside"], words)
        self.assertTrue(watch.events(action="make-folder", path="/tmp/made"))
        ends = {event["pid"] for event in watch.events(action="end")}
        births = {event["pid"] for event in watch.events(action="born")}
        self.assertTrue(births)
        self.assertLessEqual(births, ends)
        self.assertEqual(self.kernel.own(), [])

    def test_the_descendants_of_a_process_and_nobody_else(self):
        script = """
import subprocess
subprocess.run(["/bin/true", "child"])
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        import time; time.sleep(0.2)
        subprocess.run(["/bin/true", "orphan"])
        os._exit(0)
    os._exit(0)
os.wait()
import time; time.sleep(1)
"""
        child = self.waiting(script)
        watch = self.watch("--pid", str(child.pid), "--source", "audit", "--level", "process")
        subprocess.run(["/bin/true", "other"], check=True)
        child.communicate("go\n", timeout=60)
        watch.wait()
        words = {event.get("words", ["", ""])[-1] for event in watch.events(action="exec")}
        self.assertLessEqual({"child", "orphan"}, words)
        self.assertNotIn("other", words)

    def test_everybody_but_the_watcher(self):
        watch = self.watch("--all", "--source", "audit", "--level", "process")
        subprocess.run(["/bin/true", "anybody"], check=True)
        until(lambda: [one for one in watch.events(action="exec") if one.get("words", [])[-1:] == ["anybody"]], what="nothing was told")
        self.assertEqual(watch.end(), 0)
        self.assertFalse([one for one in watch.events() if one["pid"] == watch.process.pid])

    # ---- what is left

    def test_the_kernel_is_left_as_it_was(self):
        child = self.waiting("")
        watch = self.watch("--pid", str(child.pid), "--source", "audit")
        self.assertTrue(self.kernel.own())
        self.assertEqual(self.kernel.status()["pid"], watch.process.pid)
        self.assertEqual(watch.end(), 0)
        self.assertEqual(self.kernel.own(), [])
        now = self.kernel.status()
        self.assertEqual((now["pid"], now["limit"], now["enabled"]), (0, self.before["limit"], 1))

    def test_a_watch_that_is_killed_leaves_nothing(self):
        child = self.waiting("")
        watch = self.watch("--pid", str(child.pid), "--source", "audit")
        watch.process.kill()
        watch.process.wait(20)
        until(lambda: not self.kernel.own(), what="its rules stay")
        until(lambda: self.kernel.status()["limit"] == self.before["limit"], what="its limit stays")

    def test_what_nobody_could_take_away_the_next_one_does(self):
        child = self.waiting("")
        watch = self.watch("--pid", str(child.pid), "--source", "audit")
        with open(f"/proc/{watch.process.pid}/task/{watch.process.pid}/children", encoding="ascii") as file:
            guard = int(file.read().split()[0])
        os.kill(watch.process.pid, signal.SIGSTOP)
        os.kill(guard, signal.SIGKILL)
        os.kill(watch.process.pid, signal.SIGKILL)
        watch.process.wait(20)
        left = self.kernel.own()
        self.assertTrue(left)
        theirs = rule(EXIT, ALWAYS, [(ARCH, EQUAL, X86_64)], "somebody", [1000])
        self.other_rule(theirs)
        other = self.watch("--pid", str(child.pid), "--source", "audit")
        self.assertEqual({one["key"] for one in self.kernel.own()} & {one["key"] for one in left}, set())
        self.assertEqual(other.end(), 0)
        self.assertEqual([one["key"] for one in self.kernel.rules()], ["somebody"])
        self.kernel.set(limit=self.before["limit"])

    # ---- beside others

    def test_a_daemon_keeps_its_place_and_its_records(self):
        daemon = Kernel()
        self.addCleanup(daemon.close)
        daemon.set(pid=os.getpid())
        child = self.waiting("os.mkdir('/tmp/beside-%d' % os.getpid())")
        watch = self.watch("--pid", str(child.pid), "--source", "audit", "--level", "files")
        self.assertEqual(self.kernel.status()["pid"], os.getpid())
        child.communicate("go\n", timeout=60)
        watch.wait()
        self.assertTrue(watch.events(action="make-folder", path=f"/tmp/beside-{child.pid}"))
        daemon.socket.settimeout(2)
        seen = []
        try:
            while True:
                seen.append(daemon.socket.recv(65536))
        except TimeoutError:
            pass
        self.assertTrue(any(f"/tmp/beside-{child.pid}".encode() in one for one in seen))
        daemon.set(pid=0)

    def test_what_others_asked_for_goes_on_to_the_log(self):
        self.other_rule(rule(EXIT, ALWAYS, [(ARCH, EQUAL, X86_64), (PID, EQUAL, os.getpid())], "somebody", [83]))
        child = self.waiting("")
        self.watch("--pid", str(child.pid), "--source", "audit", "--level", "files")
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, log)
        os.lseek(log, 0, os.SEEK_END)
        name = os.path.join(self.folder, "theirs")
        os.mkdir(name)

        def told():
            try:
                return name.encode() in os.read(log, 8192)
            except BlockingIOError:
                return False
        until(told, what="nobody was told")

    def test_a_rule_that_keeps_calls_back_does_not_hide_them(self):
        self.other_rule(rule(EXIT | PREPEND, NEVER, [(ARCH, EQUAL, X86_64)], "", [83]))
        child = self.waiting("os.mkdir('/tmp/hidden-%d' % os.getpid())")
        watch = self.watch("--pid", str(child.pid), "--source", "audit", "--level", "files")
        child.communicate("go\n", timeout=60)
        watch.wait()
        self.assertTrue(watch.events(action="make-folder", path=f"/tmp/hidden-{child.pid}"))

    def test_no_record_is_lost_in_a_flood(self):
        done = watched("audit", "all", "quiet", FLOOD, "2", "2000", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        numbers = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual((numbers["getppid"], numbers["lost"]), (int(done.stdout.split("made ")[1]), 0))
        self.assertEqual((numbers["born"], numbers["ended"]), (2, 3))
        self.assertLess(numbers["rss_kb"], 64 * 1024)

    def test_of_two_watches_the_second_listens_and_what_it_misses_is_told(self):
        still = self.waiting("")
        first = self.watch("--pid", str(still.pid), "--source", "audit", "--level", "process")
        flood = self.waiting(f"os.execv({FLOOD!r}, ['flood', '2', '0', '6'])")
        second = self.watch("--pid", str(flood.pid), "--source", "audit", "--level", "all")
        self.assertEqual(self.kernel.status()["pid"], first.process.pid)
        second.process.send_signal(signal.SIGSTOP)
        self.addCleanup(second.process.send_signal, signal.SIGCONT)
        flood.communicate("go\n", timeout=120)
        second.process.send_signal(signal.SIGCONT)
        second.wait(120)
        lost = [line for line in second.lines() if line.get("action") == "lost"]
        self.assertTrue(lost)
        self.assertEqual(first.end(), 0)
        self.assertEqual(self.kernel.own(), [])

    # ---- why not

    def test_a_rule_against_all_processes(self):
        self.other_rule(rule(TASK, NEVER, []))
        self.assertIn("-a never,task", self.refused())

    def test_it_needs_its_rights_and_its_namespaces(self):
        self.assertIn("CAP_AUDIT_CONTROL", self.refused("setpriv", "--bounding-set", "-audit_control", "--inh-caps", "-audit_control"))
        self.assertIn("CAP_AUDIT_READ", self.refused("setpriv", "--bounding-set", "-audit_read", "--inh-caps", "-audit_read"))
        self.assertIn("pid namespace", self.refused("unshare", "--pid", "--fork", "--mount-proc"))
        self.assertIn("user namespace", self.refused("unshare", "--user", "--map-root-user"))

    def test_every_kind_of_target_is_asked_for_by_what_it_cannot_change(self):
        # Ids that nobody can change any more; and with nothing that holds, everybody's calls.
        fixed = subprocess.Popen(["setpriv", "--reuid", "4711", "--regid", "4711", "--clear-groups", "--no-new-privs", "--inh-caps", "-all",
                                  "--bounding-set", "-all", "sleep", "100"])
        free = subprocess.Popen(["sleep", "100"])
        for child in (fixed, free):
            self.addCleanup(child.wait)
            self.addCleanup(child.kill)
        until(lambda: uid_of(fixed.pid) == 4711)
        for child, fields in ((fixed, {UID: 4711}), (free, {})):
            watch = self.watch("--pid", str(child.pid), "--source", "audit")
            for one in self.kernel.own():
                self.assertEqual({key: value for key, value in one["fields"].items() if key == UID}, fields)
            self.assertEqual(watch.end(), 0)


class Off(unittest.TestCase):
    """Last, in a machine that is thrown away: what it leaves only a new start mends."""

    def setUp(self):
        only_where_nothing_is_lost(self)

    def test_switched_off_and_locked(self):
        kernel = Kernel()
        self.addCleanup(kernel.close)
        kernel.set(enabled=0)
        self.assertIn("switched off", available()["audit"])
        kernel.set(enabled=2)
        self.assertIn("locked", available()["audit"])


if __name__ == "__main__":
    unittest.main()
