"""What `immure audit` does beyond telling: it mends a tree and puts it back, tells only what changed, and writes timers.

Every test has a tree of its own with every fault that can be mended, and a folder outside that has names of the same
files. Nothing outside may ever change."""
import glob
import json
import os
import pty
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

IMMURE = os.environ.get("IMMURE", "immure")
ROOT = os.geteuid() == 0
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep
NOBODY = 65534
SHARED = "shared\n\x1b[31m"  # a name that no terminal may see as it is


def immure(*words, seconds=60, **more):
    return subprocess.run([IMMURE, "audit", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="surrogateescape", timeout=seconds, **more)


def snapshot(*tops):
    """All that a tree is, but for ctime. To read it changes nothing of it."""
    found = {}

    def add(path):
        there = os.lstat(path)
        row = [there.st_ino, there.st_mode, there.st_uid, there.st_gid, there.st_nlink, there.st_rdev, there.st_mtime_ns]
        if not stat.S_ISLNK(there.st_mode):
            row += [(name, os.getxattr(path, name)) for name in sorted(os.listxattr(path))]
        if stat.S_ISREG(there.st_mode):
            at = os.open(path, os.O_RDONLY | os.O_NOATIME)
            row += [there.st_size, there.st_atime_ns, os.read(at, 1 << 16)]
            os.close(at)
        found[path] = row

    for top in tops:
        add(top)
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                add(os.path.join(folder, name))
    return found


@unittest.skipUnless(ROOT, "needs root: owners, capabilities and device nodes")
class Case(unittest.TestCase):
    maxDiff = 3000

    def setUp(self):
        # Where another user comes to as well.
        self.home = tempfile.mkdtemp(prefix="immure-fix-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.home, True)
        os.chmod(self.home, 0o755)
        self.tree = os.path.join(self.home, "jail")
        self.outside = os.path.join(self.home, "outside")
        self.make()

    def at(self, path):
        return os.path.join(self.tree, path)

    def put(self, path, text="", mode=0o644, owner=0):
        with open(self.at(path), "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(self.at(path), owner, owner)
        os.chmod(self.at(path), mode)

    def make(self):
        for top in (self.tree, self.outside):
            shutil.rmtree(top, ignore_errors=True)
            os.mkdir(top, 0o755)
            os.chmod(top, 0o755)
        for folder in ("etc", "dev", "run", "usr", "usr/bin", "usr/lib", "srv"):
            os.mkdir(self.at(folder))
            os.chmod(self.at(folder), 0o755)
        self.put("etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/false\n", 0o666)
        self.put("usr/bin/set-uid", "#", 0o4755)
        self.put("usr/bin/set-gid", "#", 0o2755)
        self.put("usr/bin/caps", "#", 0o755)
        os.setxattr(self.at("usr/bin/caps"), "security.capability", CAPABILITY)
        self.put("usr/bin/writable", "#", 0o775, owner=33)
        self.put("srv/everybody", "", 0o666)
        self.put("srv/nobodys", "", 0o644, owner=4711)
        self.put("srv/nobodys-too", "", 0o644, owner=4711)
        os.mkdir(self.at("srv/open"))
        os.chmod(self.at("srv/open"), 0o777)
        shared = os.path.join(self.outside, SHARED)
        with open(shared, "w", encoding="utf-8") as file:
            file.write("of both")
        os.chmod(shared, 0o4755)
        os.setxattr(shared, "user.note", b"kept")
        os.link(shared, self.at("usr/bin/linked"))
        os.link(shared, self.at("srv/" + SHARED))
        os.mknod(self.at("dev/memory"), stat.S_IFCHR | 0o660, os.makedev(1, 1))
        os.mknod(self.at("dev/disk"), stat.S_IFBLK | 0o660, os.makedev(8, 0))
        os.mkfifo(self.at("run/fifo"))
        here = socket.socket(socket.AF_UNIX)
        here.bind(self.at("run/socket"))
        here.close()
        moment = 1400000000_123456789
        for top in (self.tree, self.outside):
            for folder, folders, files in os.walk(top, topdown=False):
                for name in [*files, *folders, ""]:
                    moment += 1_000_000_007
                    os.utime(os.path.join(folder, name), ns=(moment + 5, moment), follow_symlinks=False)

    def now(self):
        return snapshot(self.tree, self.outside)

    def journal(self):
        found = sorted(glob.glob(self.tree + ".immure-fix-*.journal"), key=os.path.getmtime)
        self.assertTrue(found)
        return found[-1]

    def found(self):
        """Rules that found something that can be mended."""
        rules = {rule["id"]: rule for rule in json.loads(immure("--list", "--json").stdout)["rules"]}
        report = json.loads(immure(self.tree, "--json").stdout)
        return {one["rule"] for one in report["audits"][0]["findings"]
                if one["severity"] != "advice" and rules[one["rule"]]["mended_by_fix"]}


class Fix(Case):
    def test_mends_all_and_puts_it_back_bit_by_bit(self):
        before, outside = self.now(), snapshot(self.outside)
        self.assertGreater(len(self.found()), 9)
        said = immure(self.tree, "--fix", "--yes", "--fail-on", "never")
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        self.assertEqual(self.found(), set())
        self.assertEqual(snapshot(self.outside), outside)
        self.assertNotIn("\x1b", said.stdout)
        self.assertEqual(os.lstat(self.at("srv/open")).st_mode & 0o7777, 0o1777)
        self.assertEqual(os.lstat(self.at("srv/nobodys-too")).st_uid, 0)
        self.assertTrue(os.path.samefile(self.at("usr/bin/linked"), self.at("srv/" + SHARED)))
        back = immure("--undo", self.journal())
        self.assertEqual(back.returncode, 0, back.stdout + back.stderr)
        self.assertEqual(self.now(), before)
        self.assertEqual([name for name in os.listdir(self.home) if "fix" in name], [os.path.basename(self.journal())])
        again = immure("--undo", self.journal())
        self.assertEqual(again.returncode, 125)
        self.assertIn("was undone already", again.stderr)
        self.assertEqual(self.now(), before)

    def test_only_one_rule(self):
        before = self.now()
        immure(self.tree, "--fix", "--yes", "--only", "tree-fifo")
        after = self.now()
        self.assertEqual(set(before) - set(after), {self.at("run/fifo")})
        immure("--undo", self.journal())
        self.assertEqual(self.now(), before)

    def test_nobody_asked_and_no_terminal_changes_nothing(self):
        before = self.now()
        said = immure(self.tree, "--fix")
        self.assertEqual(said.returncode, 1)
        self.assertIn("Nothing was changed", said.stdout)
        self.assertIn("--fix --yes", said.stdout)
        self.assertEqual(self.now(), before)
        self.assertEqual(sorted(os.listdir(self.home)), ["jail", "outside"])

    def test_the_line_to_type_is_of_the_same_plan(self):
        """What was left out of the plan is left out of the command that it ends with."""
        shown = immure(self.tree, "--fix", "--only", "tree-set-uid-root").stdout
        self.assertNotIn("tree-fifo", shown)
        line = shown.strip().splitlines()[-1]
        self.assertIn("--only tree-set-uid-root --fix --yes", line)
        fifo = os.lstat(self.at("run/fifo"))
        immure(*shlex.split(line[line.index("immure audit ") + len("immure audit "):]))
        self.assertEqual(os.lstat(self.at("usr/bin/set-uid")).st_mode & 0o7777, 0o755)
        self.assertEqual(os.lstat(self.at("run/fifo")).st_ino, fifo.st_ino)

    def on_terminal(self, answer):
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.execvp(IMMURE, [IMMURE, "audit", self.tree, "--fix", "--no-colour"])
            finally:
                os._exit(127)
        os.write(terminal, answer)
        text = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode(errors="replace")

    def test_a_terminal_is_asked(self):
        before = self.now()
        status, text = self.on_terminal(b"n\n")
        self.assertIn("[y/N]", text)
        self.assertEqual((status, self.now()), (1, before))
        status, text = self.on_terminal(b"y\n")
        self.assertIn("--undo", text)
        self.assertNotEqual(self.now(), before)

    def test_a_journal_elsewhere_and_never_in_the_tree(self):
        before = self.now()
        said = immure(self.tree, "--fix", "--yes", "--journal", self.at("srv/journal"))
        self.assertEqual((said.returncode, self.now()), (125, before))
        journal = os.path.join(self.home, "here")
        immure(self.tree, "--fix", "--yes", "--journal", journal)
        self.assertEqual(os.lstat(journal).st_mode & 0o7777, 0o600)
        self.assertEqual(immure(self.tree, "--fix", "--yes", "--journal", journal).returncode in (0, 125), True)
        self.assertEqual(immure("--undo", journal).returncode, 0)
        self.assertEqual(self.now(), before)

    def test_not_while_something_runs_in_it(self):
        before = self.now()
        child = os.fork()
        if child == 0:
            os.chroot(self.tree)
            time.sleep(60)
            os._exit(0)
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(os.kill, child, signal.SIGKILL)
        while os.path.realpath(f"/proc/{child}/root") != os.path.realpath(self.tree):
            time.sleep(0.01)
        said = immure(self.tree, "--fix", "--yes")
        self.assertEqual((said.returncode, self.now()), (125, before))
        self.assertIn(str(child), said.stderr)
        immure(self.tree, "--fix", "--yes", "--while-running")
        self.assertNotEqual(self.now(), before)
        self.assertEqual(immure("--undo", self.journal()).returncode, 125)
        self.assertEqual(immure("--undo", self.journal(), "--while-running").returncode, 0)
        self.assertEqual(self.now(), before)

    def test_undo_leaves_what_was_changed_since(self):
        immure(self.tree, "--fix", "--yes")
        self.put("usr/bin/set-uid", "other", 0o755)
        os.mkfifo(self.at("run/fifo"))
        back = immure("--undo", self.journal())
        self.assertEqual(back.returncode, 1)
        self.assertEqual(os.lstat(self.at("usr/bin/set-uid")).st_mode & 0o7777, 0o755)
        self.assertRegex(back.stdout, r"not +/usr/bin/set-uid +it was changed")
        self.assertRegex(back.stdout, r"not +/run/fifo ")
        self.assertTrue(os.path.exists(self.at("dev/memory")))
        os.unlink(self.at("run/fifo"))
        immure("--undo", self.journal())
        self.assertEqual(os.lstat(self.at("run/fifo")).st_mtime_ns // 10**9 < 1500000000, True)

    def test_a_user_mends_what_is_his(self):
        shutil.rmtree(self.tree)
        os.mkdir(self.tree, 0o755)
        os.mkdir(self.at("usr"))
        self.put("usr/mine", "#", 0o4777, owner=NOBODY)
        for path in (self.home, self.tree, self.at("usr")):
            os.chown(path, NOBODY, NOBODY)
        before = snapshot(self.tree)
        self.put("usr/roots", "#", 0o4755)
        user = dict(user=NOBODY, group=NOBODY, extra_groups=[])
        immure(self.tree, "--fix", "--yes", **user)
        self.assertEqual(os.lstat(self.at("usr/mine")).st_mode & 0o7022, 0)
        self.assertEqual(os.lstat(self.at("usr/roots")).st_mode & 0o7777, 0o4755)
        back = immure("--undo", self.journal(), **user)
        self.assertEqual(back.returncode, 0, back.stdout + back.stderr)
        # A journal of somebody's is not root's to follow.
        self.assertEqual(immure("--undo", self.journal()).returncode, 125)
        os.unlink(self.at("usr/roots"))
        after = snapshot(self.tree)
        self.assertEqual(after[self.at("usr/mine")], before[self.at("usr/mine")])

    def test_only_folders_are_mended(self):
        for words in (("/", "--fix", "--yes", "--only", "tree-fifo"), ("--host", "--fix"), ("--fix",),
                      (self.tree, "--fix", "--undo", "x"), (self.tree, "--yes"), (self.tree, "--fix", "--json")):
            self.assertEqual(immure(*words, seconds=300).returncode, 125, words)


class Hostile(Case):
    def test_kills(self):
        before = self.now()
        journal = os.path.join(self.home, "journal")
        restored = 0
        for lines in range(1, 40, 3):
            process = subprocess.Popen([IMMURE, "audit", self.tree, "--fix", "--yes", "--journal", journal],
                                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            while process.poll() is None:
                try:
                    with open(journal, "rb") as file:
                        if file.read().count(b"\n") >= lines:
                            break
                except FileNotFoundError:
                    pass
            process.kill()
            process.wait()
            if os.path.exists(journal) and os.path.getsize(journal) > 0:
                back = immure("--undo", journal)
                self.assertEqual(back.returncode, 0, back.stdout + back.stderr)
                restored += 1
                os.unlink(journal)
            self.assertEqual(self.now(), before, lines)
        self.assertGreater(restored, 5)

    def test_names_that_become_links_lead_nowhere(self):
        os.mkdir(os.path.join(self.outside, "bin"))
        for name in ("set-uid", "set-gid", "caps", "linked", "writable"):
            path = os.path.join(self.outside, "bin", name)
            with open(path, "w", encoding="utf-8") as file:
                file.write("outside")
            os.chown(path, 33, 33)
            os.chmod(path, 0o6777)
        os.symlink(os.path.join(self.outside, "bin"), self.at("usr/evil"))
        os.symlink(os.path.join(self.outside, "bin/set-uid"), self.at("srv/evil"))
        before = snapshot(self.outside)
        stop = threading.Event()

        def hostile():
            while not stop.is_set():
                for one, other in (("usr/bin", "usr/evil"), ("usr/bin/set-uid", "srv/evil")):
                    for _ in range(2):
                        try:
                            os.rename(self.at(one), self.at("usr/aside"))
                            os.rename(self.at(other), self.at(one))
                            os.rename(self.at("usr/aside"), self.at(other))
                        except OSError:
                            pass

        thread = threading.Thread(target=hostile)
        thread.start()
        try:
            for _ in range(12):
                immure(self.tree, "--fix", "--yes")
                self.assertEqual(snapshot(self.outside), before)
                for journal in glob.glob(self.tree + ".immure-fix-*.journal"):
                    immure("--undo", journal)
                self.assertEqual(snapshot(self.outside), before)
        finally:
            stop.set()
            thread.join()

    def test_journals_that_are_no_journals(self):
        before = self.now()
        path = os.path.join(self.home, "journal")
        head = json.dumps({"schema": "immure.fix/1", "root": self.tree, "inode": os.lstat(self.tree).st_ino, "born_ns": 0,
                           "time": 1})
        for text in (b"", b"\n", b"{}\n", b"\xff\xfe\x00\n", b"[" * 1000000 + b"\n", head.encode() + b"\n{}\n",
                     head.encode() + b'\n{"step":1,"do":"attributes","path":"/../../etc/passwd"}\n', os.urandom(5000)):
            with open(path, "wb") as file:
                file.write(text)
            os.chmod(path, 0o600)
            said = immure("--undo", path)
            self.assertEqual(said.returncode, 125, text[:80])
            self.assertEqual(self.now(), before)


class Again(Case):
    def test_changes_are_told_once(self):
        report = os.path.join(self.home, "report")
        first = immure(self.tree, "--changes", report)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("first time", first.stdout)
        self.assertEqual(os.lstat(report).st_mode & 0o7777, 0o600)
        self.assertEqual(immure(self.tree, "--changes", report).returncode, 0)
        self.put("usr/bin/new", "#", 0o4755)
        worse = immure(self.tree, "--changes", report)
        self.assertEqual(worse.returncode, 1)
        self.assertIn("/usr/bin/new", worse.stdout)
        self.assertNotIn("/usr/bin/set-uid", worse.stdout)
        self.assertEqual(immure(self.tree, "--changes", report).returncode, 0)
        os.unlink(self.at("usr/bin/new"))
        better = immure(self.tree, "--changes", report)
        self.assertEqual(better.returncode, 0)
        self.assertIn("/usr/bin/new", better.stdout)

    def test_a_report_of_somebody_else_is_not_believed(self):
        report = os.path.join(self.home, "report")
        immure(self.tree, "--changes", report)
        os.chmod(report, 0o666)
        self.assertEqual(immure(self.tree, "--changes", report).returncode, 125)
        os.chmod(report, 0o600)
        os.rename(report, report + "2")
        os.symlink(report + "2", report)
        self.assertEqual(immure(self.tree, "--changes", report).returncode, 125)

    def test_watch_tells_what_changed_and_ends_when_asked(self):
        for ends in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen([IMMURE, "audit", "--watch", self.tree, "--every", "1s"], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            try:
                self.assertIn("watching", process.stdout.readline())
                self.put("usr/bin/new", "#", 0o4755)
                text = ""
                until = time.monotonic() + 20
                while "/usr/bin/new" not in text and time.monotonic() < until:
                    text += process.stdout.readline()
                self.assertIn("/usr/bin/new", text)
                self.assertNotIn("/usr/bin/set-uid", text)
            finally:
                process.send_signal(ends)
                _, errors = process.communicate(timeout=20)
            self.assertEqual((process.returncode, errors), (0, ""))
            os.unlink(self.at("usr/bin/new"))
        self.assertEqual(immure("--watch", self.tree, "--every", "0").returncode, 125)


class Timer(Case):
    def setUp(self):
        super().setUp()
        self.user = os.path.join(self.home, "user")
        os.mkdir(self.user)
        os.chown(self.user, NOBODY, NOBODY)

    def as_user(self, *words):
        env = dict(os.environ, HOME=self.user, XDG_CONFIG_HOME=self.user + "/config", XDG_STATE_HOME=self.user + "/state")
        return immure(*words, user=NOBODY, group=NOBODY, extra_groups=[], env=env)

    def units(self):
        return sorted(glob.glob(self.user + "/config/systemd/user/*"))

    def test_a_number_is_no_name(self):
        said = immure("--pid", "1", "--install-timer", "--print")
        self.assertEqual(said.returncode, 125)
        self.assertIn("a timer cannot audit process", said.stderr)

    def test_print_only_prints(self):
        before = sorted(glob.glob("/etc/systemd/system/immure-audit-*"))
        for words in ((self.tree,), ("--host",), (self.tree, "--host", "--weekly")):
            said = immure(*words, "--install-timer", "--print")
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertIn("[Timer]", said.stdout)
        self.assertEqual(sorted(glob.glob("/etc/systemd/system/immure-audit-*")), before)

    def test_writes_its_own_and_takes_it_away(self):
        said = self.as_user(self.tree, "--install-timer", "--on-calendar", "Mon *-*-* 03:00")
        self.assertEqual(said.returncode, 0, said.stderr)
        units = self.units()
        self.assertEqual([os.path.splitext(unit)[1] for unit in units], [".service", ".timer"])
        with open(units[1], encoding="utf-8") as file:
            self.assertIn("\nOnCalendar=Mon *-*-* 03:00\n", file.read())
        self.assertEqual(self.as_user(self.tree, "--install-timer", "--weekly").returncode, 0)
        self.assertEqual(self.units(), units)
        # What the service does, done: it can write where it says.
        with open(units[0], encoding="utf-8") as file:
            words = re.search(r"^ExecStart=(.*)$", file.read(), re.M)[1]
        report = re.findall(r'"([^"]*)"', words)[-1]
        self.assertEqual(self.as_user(self.tree, "--changes", report).returncode, 0)
        self.assertTrue(report.startswith(self.user + "/state/immure/audit/"))
        self.assertEqual(self.as_user(self.tree, "--remove-timer").returncode, 0)
        self.assertEqual(self.units(), [])
        self.assertEqual(self.as_user(self.tree, "--remove-timer").returncode, 125)
        self.assertTrue(os.path.exists(report))

    def test_a_schedule_that_is_none_writes_nothing(self):
        for wrong in ("Caturday 03:00", "never", "25:61" if shutil.which("systemd-analyze") else "x", "daily\nOnBootSec=1"):
            said = self.as_user(self.tree, "--install-timer", "--on-calendar", wrong)
            self.assertEqual(said.returncode, 125, wrong)
            self.assertIn("IMM-E002", said.stderr)
            self.assertEqual(self.units(), [])

    def test_what_it_did_not_write_stays(self):
        self.as_user(self.tree, "--install-timer")
        for unit in self.units():
            with open(unit, "w", encoding="utf-8") as file:
                file.write("[Unit]\nDescription=mine\n")
            self.assertEqual(self.as_user(self.tree, "--install-timer").returncode, 125)
            self.assertEqual(self.as_user(self.tree, "--remove-timer").returncode, 125)
            with open(unit, encoding="utf-8") as file:
                self.assertIn("mine", file.read())

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not there")
    def test_systemd_takes_the_units(self):
        odd = os.path.join(self.home, "a 100% \"$HOME\" \\x41 name")
        os.mkdir(odd)
        for words in ((self.tree,), (odd,), ("--host",), ("--all",), (self.tree, "--on-calendar", "Sat 04:00")):
            said = immure(*words, "--install-timer", "--print")
            self.assertEqual(said.returncode, 0, said.stderr)
            files = []
            for part in re.split(r"^# (?=/)", said.stdout, flags=re.M)[1:]:
                path, text = part.split("\n", 1)
                files.append(os.path.join(self.home, os.path.basename(path)))
                with open(files[-1], "w", encoding="utf-8") as file:
                    file.write(text.replace("Documentation=man:immure-audit(1)\n", ""))
            checked = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""), words)


if __name__ == "__main__":
    unittest.main()
