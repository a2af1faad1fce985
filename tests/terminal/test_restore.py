"""The caller's terminal is given back as it was, however the run ends. (S132, U51)"""
import os
import pty
import select
import signal
import time
import unittest

from screen import TerminalTest, children


class Restore(TerminalTest):
    def setUp(self):
        super().setUp()
        # A mode that nobody would guess, so that only what was saved can bring it back.
        self.outer("stty intr ^X </dev/tty")
        self.before = self.modes_of_commands()
        self.assertIn("intr = ^X", self.before)
        self.clear()

    def given_back(self):
        self.wait_for_prompt()
        self.assertEqual(self.modes_of_commands(), self.before)

    def wait_for_raw(self):
        self.wait_until(lambda: "-isig" in self.modes(), "raw mode")

    def wait_for_end(self, pid):
        self.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {pid}")

    def test_after_a_normal_end(self):
        self.start("true")
        self.given_back()

    def test_after_a_failure_to_start(self):
        for command in ("no-such-program", "/etc", "/etc/passwd"):
            self.start(command)
            self.given_back()

    def test_after_the_program_left_its_terminal_in_disorder(self):
        self.start("sh -c 'stty raw -echo; sleep 0.2'")
        self.given_back()

    def test_after_kill_of_the_program(self):
        self.start("sh -c 'stty raw -echo; sleep 1000'")
        self.wait_for_raw()
        self.kill(self.program())
        self.given_back()

    def test_after_kill_of_pid_1_of_the_jail(self):
        self.start("sleep 1000")
        self.wait_for_raw()
        program = self.program()
        with open(f"/proc/{program}/stat", encoding="ascii") as file:
            init = int(file.read().rsplit(")", 1)[1].split()[1])
        self.kill(init)
        self.given_back()

    def ends_with(self, number):
        self.start("sleep 1000")
        self.wait_for_raw()
        program, supervisor = self.program(), self.supervisor()
        self.kill(supervisor, number)
        self.given_back()
        self.wait_for_end(program)

    def test_after_kill_of_immure(self):
        self.ends_with(signal.SIGKILL)

    def test_after_a_crash_of_immure(self):
        self.ends_with(signal.SIGSEGV)

    def test_after_a_hint_to_end(self):
        self.ends_with(signal.SIGTERM)

    def test_after_kill_under_a_shell_that_does_not_care(self):
        # bash restores modes by itself when a job is killed; a script does not.
        script = os.path.join(self.folder, "script")
        with open(script, "w", encoding="ascii") as file:
            file.write('"$IMMURE" run -- sleep 1000\nsleep 0.5\nstty -a\n')
        self.enter(f"dash {script}")
        self.wait_for_raw()
        dash = next(self.children_named("dash"))
        supervisor = children(dash)[0]
        self.kill(supervisor)
        self.wait_for("intr = \\^X")
        shown = self.screen()
        self.assertRegex(shown, r"(?<!-)icanon")
        self.assertRegex(shown, r"(?<!-)isig")
        self.given_back()

    def children_named(self, name):
        for pid in children(self.pane_pid()):
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().strip() == name:
                    yield pid

    def test_while_the_program_is_stopped(self):
        self.start("sh -c 'echo one; kill -STOP $$; echo two; exit 7'")
        self.wait_for("^one")
        self.wait_for("Stopped")
        self.given_back()
        self.clear()
        self.enter("fg; echo status $?")
        self.wait_for("^two")
        self.wait_for("^status 7$")
        self.given_back()

    def test_ctrl_z_at_a_program_stops_the_run(self):
        self.start("sleep 1000")
        self.wait_for_raw()
        self.keys("C-z")
        self.wait_for("Stopped")
        self.given_back()
        self.clear()
        self.enter("fg")
        self.wait_for_raw()
        self.keys("C-x")   # this terminal's interrupt, inside as outside
        self.wait_for_prompt()
        self.enter("echo status $?")
        self.wait_for(rf"^status {128 + signal.SIGINT}$")
        self.given_back()

    def test_stopped_then_killed(self):
        self.start("sleep 1000")
        self.wait_for_raw()
        program = self.program()
        self.keys("C-z")
        self.wait_for("Stopped")
        self.kill(self.supervisor())
        self.wait_for_end(program)
        self.keys("Enter")
        self.wait_for("Killed")
        self.given_back()

    def test_stopped_in_the_middle_and_continued_in_the_background(self):
        self.start("sh -c 'while :; do sleep 0.1; test -e /tmp/never && exit; done'")
        self.wait_for_raw()
        self.keys("C-z")
        self.wait_for("Stopped")
        self.clear()
        self.enter("bg")
        self.wait_for_prompt()
        time.sleep(0.5)
        self.given_back()
        self.enter("fg")
        self.wait_for_raw()
        self.keys("C-x")
        self.given_back()

    def test_start_in_the_background_leaves_the_terminal_alone(self):
        self.start("sh -c 'echo in the background; sleep 1; exit 3' &")
        self.wait_for("(> |^)in the background$")
        self.keys("Enter")
        self.given_back()
        self.enter("wait %1; echo status $?")
        self.wait_for("^status 3$")
        self.given_back()

    def test_background_job_comes_to_the_foreground(self):
        self.start("cat &")
        self.program()
        self.keys("Enter")
        self.wait_for_prompt()
        self.enter("fg")
        self.wait_for_raw()
        self.enter("mirror")
        self.wait_until(lambda: self.screen().count("mirror") == 2, "what cat gave back")
        self.keys("C-d")
        self.given_back()

    def test_a_pipeline_stops_as_a_whole(self):
        # A job is stopped for the shell when every process of it is: here, the second one too.
        self.start("sh -c 'stty -icanon; echo drawing >/dev/tty; sleep 1000' | sleep 1000")
        self.wait_for("^drawing$")
        self.wait_for_raw()
        self.keys("C-z")
        self.wait_for("Stopped")
        self.given_back()
        self.enter("kill %1; fg")

    def test_without_a_shell_to_continue_it_nothing_hangs(self):
        # A terminal whose only process is immure: its process group is an orphan, Ctrl-Z stops nothing there.
        pid, master = pty.fork()
        if pid == 0:
            os.execve(self.immure, ["immure", "run", "--", "sh", "-c", "echo begun; sleep 1; echo over; sleep 1000"],
                      self.environment)
        self.addCleanup(os.close, master)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        shown = b""
        end = time.monotonic() + 6
        while b"over" not in shown and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                chunk = os.read(master, 4096)
                if b"begun" in chunk:
                    time.sleep(0.3)
                    os.write(master, b"\x1a")
                shown += chunk
        self.assertIn(b"over", shown)

    def test_closed_terminal_ends_the_jail(self):
        self.start("sleep 1000")
        self.wait_for_raw()
        program, supervisor = self.program(), self.supervisor()
        self.tmux("kill-server")
        for pid in (supervisor, program):
            end = time.monotonic() + 5
            while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
                time.sleep(0.05)
            self.assertFalse(os.path.exists(f"/proc/{pid}"), "a process outlived its terminal")


class Injection(TerminalTest):
    # TIOCSTI types into a terminal; TIOCLINUX pastes a console's selection.
    # The kernel looks at the low half of the request only, so the other half is set as well.
    SCRIPT = r"""
import ctypes
libc = ctypes.CDLL(None)
for fd in (0, 1, 2):
    for request in (0x5412, 0x5412 | 1 << 32):
        for byte in b"echo INJECTED\n":
            libc.syscall(16, fd, ctypes.c_ulong(request), ctypes.byref(ctypes.c_ubyte(byte)))
    libc.syscall(16, fd, ctypes.c_ulong(0x541c), ctypes.byref(ctypes.c_ubyte(3)))
print("tried")
"""

    def test_injected_keys_reach_no_shell_outside(self):
        path = os.path.join(self.folder, "inject.py")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.SCRIPT)
        os.chmod(self.folder, 0o755)
        self.start("python3 /tmp/inject.py", f"--ro-bind {path}:/tmp/inject.py")
        self.wait_for("^tried")
        self.wait_for_prompt()
        time.sleep(0.3)
        self.assertNotRegex(self.screen(), r"(?m)^INJECTED")

    def test_the_same_without_a_jail_does_reach_it(self):
        # The control: where the kernel itself forbids TIOCSTI, the test above shows nothing.
        path = os.path.join(self.folder, "inject.py")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.SCRIPT)
        self.enter(f"python3 {path}")
        self.wait_for("^tried")
        try:
            with open("/proc/sys/dev/tty/legacy_tiocsti", encoding="ascii") as file:
                if file.read().strip() == "0" and os.geteuid() != 0:
                    self.skipTest("this kernel gives TIOCSTI to nobody without CAP_SYS_ADMIN")
        except FileNotFoundError:
            pass
        self.wait_for("^INJECTED")


if __name__ == "__main__":
    unittest.main()
