"""`immure run --watch --watch-source ptrace`: only calls of the level stop for the tracer, what the filter denies comes by the
supervisor, and of both together nothing is lost, nothing comes twice, and each thread's calls are in their order. (S112, S116)"""
import os
import signal
import unittest

from processes import until
from test_run_watch import NOT_DONE, Case as OfARun, named
from watching import has_source

# Each opens a file and then asks for a namespace, which is denied; the register that the kernel does not look at says when.
TURNS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def turn(i):
    libc.open(b'/turn/%d' % i, 0)
    assert libc.syscall(272, 0x10000000, i) == -1 and ctypes.get_errno() == 1
"""

# A child that the kernel gives to no tracer.
UNTRACED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
child = libc.syscall(56, 0x00800000 | 17, 0, 0, 0, 0)
if child == 0:
    opened = libc.open(b'/etc/unseen', 0)
    os._exit(ctypes.get_errno())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@unittest.skipUnless(has_source("ptrace"), "needs leave to trace other processes (kernel.yama.ptrace_scope): immure watch --sources says why")
class Joined(OfARun):
    source = "ptrace"

    def turns(self, events):
        """By process: ("open", i) and ("denied", i), in the order of their events."""
        found = {}
        for event in events:
            if event.get("path", "").startswith("/turn/"):
                found.setdefault(event["pid"], []).append(("open", int(event["path"][6:])))
            elif event["verdict"] == "denied" and event.get("call") == "unshare":
                found.setdefault(event["pid"], []).append(("denied", int(event["args"][1], 16)))
        return found

    def test_denied_calls_are_there_once_and_in_their_order(self):
        code = TURNS + "for _ in range(3): os.fork()\nfor i in range(400): turn(i)\nfor _ in range(8):\n  try: os.wait()\n" \
            "  except OSError: break"
        result = self.run_watched("python3", "-c", code, level="files")
        self.assertEqual(result.returncode, 0, result.stderr)
        turns = self.turns(self.events())
        self.assertEqual(len(turns), 8)
        for pid, seen in turns.items():
            self.assertEqual(seen, [(what, i) for i in range(400) for what in ("open", "denied")], pid)
        events = self.events()
        self.assertEqual([event["time_ns"] for event in events], sorted(event["time_ns"] for event in events))
        self.assertTrue(all(event["held"] and event["result"] == -1 for event in events if event["verdict"] == "denied"))
        self.assert_whole(8 * 800)

    def test_their_memory_is_a_hint(self):
        self.run_watched("mount", "-t", "tmpfs", "none", "/tmp")
        denied = [event for event in self.events(verdict="denied") if event["call"] in ("mount", "fsopen")]
        self.assertTrue(denied)
        self.assertEqual({event["certainty"] for event in denied}, {"racy"})

    def test_the_program_is_found_always(self):
        for _ in range(40):
            self.assertEqual(self.fresh("true").returncode, 0)
            self.assertTrue(self.events(action="exec", verdict="done"))
            self.assertEqual([event["end"] for event in self.events(action="end")], ["status 0"])

    def test_results_and_ends(self):
        self.run_watched("cat", "/etc/passwd", "/nowhere", level="files")
        self.assertEqual([event["error"] for event in self.events(path="/nowhere", action="open")], ["ENOENT"])
        self.assertTrue(self.events(path="/etc/passwd", verdict="done"))

    def test_only_calls_of_the_level_stop(self):
        # A tracer that every call stops for makes the number of its switches grow with that of all calls.
        code = "import os\nfor i in range({}): os.stat('/')\nprint(sum(int(l.split()[1]) for l in open('/proc/self/status') if 'ctxt' in l))"
        few, many = (int(self.fresh("python3", "-c", code.format(count)).stdout) for count in (1, 20000))
        self.assertLess(many - few, 10000)
        self.assertGreater(int(self.fresh("python3", "-c", code.format(20000), level="files").stdout) - few, 20000)

    def fresh(self, *command, **more):
        if os.path.exists(self.events_file):
            os.unlink(self.events_file)
        return self.run_watched(*command, **more)

    def test_a_child_that_is_not_traced_does_nothing_that_is_watched(self):
        result = self.run_watched("python3", "-c", UNTRACED, level="files")
        self.assertEqual(result.stdout, "38\n", "ENOSYS")
        self.assertEqual(self.events(path="/etc/unseen"), [])

    def test_rules_of_the_caller_leave_it_to_every_call(self):
        for options in (["--allow-syscall", "userfaultfd"], ["--deny-syscall", "sendmsg"]):
            result = self.fresh("cat", "/etc/passwd", options=options, level="files")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertTrue(self.events(path="/etc/passwd"))
        record = os.path.join(self.folder, "record")
        self.assertEqual(self.fresh("cat", "/etc/passwd", options=["--record-files", record], level="files").returncode, 0)
        self.assertTrue(self.events(path="/etc/passwd"))

    def killed(self, *names):
        """What was denied and had come back when watchers were killed is there, each once."""
        code = TURNS + "i = 0\nwhile True:\n  turn(i); os.write(1, b'%d\\n' % i); i += 1"
        jail = self.start("python3", "-c", code, level="files")
        until(lambda: len(self.so_far(verdict="denied")) > 50)
        for name in names:
            os.kill(named(jail.pid, name), signal.SIGKILL)
        out, said = jail.communicate(timeout=60)
        self.assertEqual(jail.returncode, NOT_DONE, said)
        self.assertIn("watcher has ended", said)
        return int(out.split()[-1])

    def test_a_watcher_that_is_killed(self):
        for _ in range(4):
            last = self.killed("immure-watcher")
            events = until(lambda: (e := self.so_far()) and self.text().endswith('}\n') and '"type":"end"' in self.text() and e)
            denied = [event["args"][1] for event in events if event["verdict"] == "denied" and event["call"] == "unshare"]
            self.assertEqual(denied, [hex(i) for i in range(len(denied))])
            self.assertGreater(len(denied), last)
            self.assert_whole(100, events)
            os.unlink(self.events_file)

    def test_a_keeper_that_is_killed(self):
        last = self.killed("immure-keeper")
        until(lambda: '"type":"end"' in self.text())
        denied = [event["args"][1] for event in self.events(verdict="denied", call="unshare")]
        self.assertEqual(denied, [hex(i) for i in range(len(denied))])
        self.assertGreater(len(denied), last)

    def test_a_full_ring_makes_the_jail_wait(self):
        code = TURNS + "for i in range(20000): libc.syscall(272, 0x10000000, i)\nprint('done')"
        jail = self.start("python3", "-c", code)
        until(lambda: self.so_far(action="exec"))
        watcher = named(jail.pid, "immure-watcher")
        os.kill(watcher, signal.SIGSTOP)
        self.assertRaises(Exception, jail.wait, 4)
        os.kill(watcher, signal.SIGCONT)
        self.assertEqual(jail.wait(120), 0)
        denied = [event["args"][1] for event in self.events(verdict="denied", call="unshare")]
        self.assertEqual(denied, [hex(i) for i in range(20000)])


if __name__ == "__main__":
    unittest.main()
