"""Each source tells the same of the same program (acts.cc), but for what is in DIFFERENCES.

IMMURE_WATCHED is the program that runs a command with one source attached; acts and flood are beside it. Of notify, which only
a jail has, it is a jail of IMMURE's that runs acts."""
import json
import os
import re
import subprocess
import tempfile
import unittest

IMMURE = os.environ.get("IMMURE", "immure")
WATCHED = os.environ.get("IMMURE_WATCHED", "watched")
BESIDE = os.path.dirname(os.path.realpath(WATCHED))

# What each act is told as: action, call, path, second, resolved, text, words, address, flags, outcome; "-" is none.
# DIR is the folder of the act, PID a number of a process, PORT one that the kernel chose.
EXPECTED = {}
with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "acts.txt"), encoding="utf-8") as file:
    for row in file:
        if row.startswith("# ") or not row.strip():
            continue
        name, _, line = row.rstrip("\n").partition(": ")
        EXPECTED.setdefault(name, []).append(line)

# What a source cannot see, or sees in another way: why, which lines, and what is left of them to be compared (None: nothing);
# where it is so of some acts alone, which.
DIFFERENCES = {
    "ebpf": [],
    "ptrace": [
        ("it asks nobody where a descriptor leads", r"^(open \S+ \S+ -) \S+", r"\1 -"),
        ("it is told what a signal does to whom it traces, and the call that sent it is there", r"^kill signal .*", None),
        ("it sees the words of clone, not what came of them", r"^(born - - - - - - -) (?:.*\b(THREAD)\b.*|.*) done", r"\1 \2 done"),
        ("a program that was found by a descriptor has the name that it has in /proc",
         r"^(exec execve) \S+ - (\S+ - by-descriptor)", r"\1 - - \2"),
        ("threads end each for itself", r"^end - .* status 0$", None),
        ("it sees what the filter has left of a call", r"^(change-root chroot) \S+ (.*) (denied|failed):EPERM", r"\1 - \2 EPERM"),
    ],
    "audit": [
        ("it tells paths as they were written, not where they led", r"^(open \S+ \S+ -) \S+", r"\1 -"),
        ("its rules know no x32 call", r"^\S+ x32:.*", None),
        ("a filter decides before it looks", r"^\S+ \S+ .* denied:EPERM$", None),
        ("it is told of signals that end a process", r"^kill signal - - - - - - SIGUSR1 done$", None),
        ("threads have no numbers of their own", r"^born .*\bTHREAD\b.*", None),
        ("of a call's memory it has paths and addresses, and words when they were taken",
         r"^(change-attributes \S+ \S+ - -) \S+", r"\1 -"),
        ("of memory", r"^(exec execve \S+ - - -) .* (- - failed:\S+)$", r"\1 - \2"),
        ("of memory", r"^(mount mount) \S+ (\S+ -) \S+", r"\1 - \2 -"),
        ("of memory", r"^(load-module \S+ - - -) \S+", r"\1 -"),
        ("of memory", r"^(memory-file \S+ - - -) .* (- - cloexec done)$", r"\1 - \2"),
        ("of memory", r"^(call clone3 - - - - - -) \S+ done", r"\1 - done"),
    ],
    "notify": [
        ("it is told of a call before it is done", r" (done|unknown|failed:\w+|denied:\w+)$", ""),
        ("no call is made by who ends", r"^end - .*", None),
        ("a process is told of before its first call that is", r"^born .*", None, {"exit-status"}),
        ("a thread is nobody of its own", r"^born - .*\bTHREAD\b.*", None),
        ("what a signal comes to is no call; the call that sent it is there", r"^kill signal .*", None),
        ("it asks where a path begins, not where it leads", r"^(open \S+ (?:/\S+|four|x\*4095) -) \S+", r"\1 -"),
        ("it asks that of all of them, others of none but opens", r"^(?!open|exec)(\S+ \S+ (\S+) \S+) DIR/place/\2(?= )", r"\1 -"),
        ("and of the folder above as well", r"^(change-folder chdir \.\. -) DIR/place ", r"\1 - "),
        ("nor where a program leads", r"^(exec execve /bin/true -) \S+", r"\1 -"),
        ("a program found by a descriptor has no name in /proc before it runs",
         r"^exec execve(?:at)? \S+ - (\S+ - by-descriptor -) \S+", r"exec by-descriptor \1"),
        ("the jail's filter has no such call, and asks nobody", r".*", None, {"openat2", "i386", "x32"}),
        *([] if os.geteuid() == 0 and os.path.exists("/proc/sys/vm/memfd_noexec") else
          [("a user's jail without a group has no files in memory, which nobody would count, and none has them where the kernel "
            "cannot keep them from being executed (vm.memfd_noexec, Linux 6.3)", r".*", None, {"memory-file"})]),
        ("the jail's filter has no clone3", r"^call clone3 .*", None),
        ("a filter of the program's own comes before the jail's", r"^change-root .*", None, {"denied"}),
        ("who it is in the jail is another", r"^(set-ids setresuid - - - - - -) \d+", r"\1 N"),
    ],
}

# What the filter of the jail in which notify watches denies.
DENIED = {"set-id", "unshare", "enter", "mount", "unmount", "change-root", "bpf", "attach", "read-memory", "clock"}


def as_seen(source, name, lines):
    for _, pattern, left, *acts in DIFFERENCES.get(source, []):
        if acts and name not in acts[0]:
            continue
        lines = [re.sub(pattern, left or "", line) for line in lines if left is not None or not re.match(pattern, line)]
    return sorted(lines)


NOISE = re.compile(r"^(look access /etc/ld|open openat /etc/ld|open openat /lib/|map mmap .* read\|exec )")


def watched(*words, timeout=120):
    return subprocess.run([WATCHED, *words], capture_output=True, text=True, timeout=timeout, check=False)


def available():
    """{name: None or why not}"""
    sources = {}
    for line in watched("list").stdout.splitlines():
        name, _, why = line.partition(": ")
        sources[name] = None if why == "available" else why
    return sources


def outcome(event):
    if event.get("call") in ("finit_module", "keyctl", "setxattr"):
        return "any"  # it depends on the kernel, or on what the folder is on
    if event.get("verdict") in ("failed", "denied"):
        return event["verdict"] + ":" + event.get("error", "")
    return event.get("end") or event.get("verdict")


def line_of(event, folder, source):
    call = event.get("call", "")
    if event["action"] == "exec" and event.get("verdict") == "done":
        call = "execve"
    # A denied call's memory need not be there yet for the kernel to read; it is for a supervisor.
    path = None if event.get("verdict") == "denied" and source != "notify" else event.get("path")
    fields = [event["action"], call or "-", path, event.get("second"), event.get("resolved"), event.get("text"),
              " ".join(event.get("words", [])), event.get("address"), event.get("flag_names") or event.get("flags"), outcome(event)]
    text = " ".join(str(field) if field else "-" for field in fields).replace(folder, "DIR")
    text = re.sub(r"127\.0\.0\.1:[1-9]\d{3,}", "127.0.0.1:PORT", text)
    text = re.sub(r"/dev/fd/\d+", "/dev/fd/N", text)
    return re.sub(r"x{100,}", lambda found: f"x*{len(found.group())}", text)


def acts_of(output, folder, source):
    acts, now = {}, None
    for line in output.splitlines():
        event = json.loads(line)
        if event.get("type") not in ("event", None):
            continue
        path = event.get("path", "")
        if path.startswith("/act/"):
            now = acts.setdefault(path[len("/act/"):], [])
        elif now is not None and event["action"] not in ("counted", "lost"):
            text = line_of(event, folder, source)
            if not NOISE.match(text):
                now.append(text)
    return acts


def run_acts(source, level="files"):
    with tempfile.TemporaryDirectory() as folder:
        done = watched(source, level, "events", os.path.join(BESIDE, "acts"), folder)
        return done, acts_of(done.stdout, os.path.realpath(folder), source)


def run_acts_in_a_jail(level="files"):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as record:
        folder, events = os.path.realpath(folder), os.path.join(record, "events")
        os.chmod(folder, 0o777)
        words = [IMMURE, "run", f"--watch={level}", "--watch-source", "notify", "--watch-json", events, "--no-tty", "--bind", folder,
                 "--ro-bind", BESIDE + ":/programs:exec", "--", "/programs/acts", folder]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if not os.path.exists(events):
            return done, {}
        with open(events, encoding="utf-8") as file:
            return done, acts_of(file.read(), folder, "notify")


def of_this_user(name, lines):
    """What is expected is written down for root: a user has another id, and makes no namespace."""
    if os.geteuid() == 0:
        return lines
    if name == "set-ids":
        return [line.replace(" 0 done", f" {os.geteuid()} done") for line in lines]
    if name == "unshare":
        return [line.replace("NEWUTS done", "NEWUTS failed:EPERM") for line in lines]
    return lines


class Sources(unittest.TestCase):
    maxDiff = None

    def same(self, source):
        why = available().get(source, "this build does not have it")
        if why:
            self.skipTest(why)
        self.compare(source, *run_acts(source))

    def compare(self, source, done, acts):
        self.assertEqual(done.returncode, 0, done.stderr)
        for name, lines in EXPECTED.items():
            with self.subTest(act=name):
                self.assertEqual(as_seen(source, name, acts.get(name, [])), as_seen(source, name, of_this_user(name, lines)))

    def test_ebpf_tells_each_act(self):
        self.same("ebpf")

    def test_ptrace_tells_each_act(self):
        self.same("ptrace")

    def test_audit_tells_each_act(self):
        self.same("audit")

    def test_notify_tells_each_act(self):
        done, acts = run_acts_in_a_jail()
        self.compare("notify", done, acts)
        denied = {name for name, lines in acts.items() if any(" denied:" in line for line in lines)}
        self.assertEqual(denied, DENIED)

    def test_levels_are_the_same_for_notify_and_ebpf(self):
        """What notify sees of a level below files is what the program in the kernel sees of it."""
        why = available().get("ebpf", "this build does not have it")
        if why:
            self.skipTest(why)
        for level in ("security", "opens"):
            done, of_notify = run_acts_in_a_jail(level)
            self.assertEqual(done.returncode, 0, done.stderr)
            done, of_ebpf = run_acts("ebpf", level)
            self.assertEqual(done.returncode, 0, done.stderr)
            some = 0
            for name in EXPECTED:
                with self.subTest(level=level, act=name):
                    told = as_seen("notify", name, of_notify.get(name, []))
                    some += len(told)
                    self.assertEqual(told, as_seen("notify", name, of_ebpf.get(name, [])))
            self.assertGreater(some, 20)

    def test_no_act_was_forgotten(self):
        why = available().get("ebpf")
        if why:
            self.skipTest(why)
        _, acts = run_acts("ebpf")
        self.assertEqual(set(acts) - {"end"}, set(EXPECTED))


if __name__ == "__main__":
    unittest.main()
