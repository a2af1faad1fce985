"""`immure run -- bash` is a shell that one can live in. (S132, U51, U53)"""
import hashlib
import os
import signal
import unittest

from screen import TerminalTest, children


class Shell(TerminalTest):
    def test_the_program_has_a_terminal_of_its_own(self):
        outer = os.stat(self.tmux("display-message", "-p", "#{pane_tty}").strip())
        self.start_shell()
        self.enter("tty; test -t 0 && test -t 1 && test -t 2 && echo three")
        self.wait_for(r"^/dev/pts/\d+$")
        self.wait_for(r"^three$")
        for fd in (0, 1, 2):
            inner = os.stat(f"/proc/{self.program()}/fd/{fd}")
            self.assertNotEqual(inner.st_dev, outer.st_dev, "a devpts of the jail's own")

    def test_job_control_is_there(self):
        self.start_shell()
        shown = self.screen()
        self.assertNotIn("no job control", shown)
        self.assertNotIn("cannot set terminal process group", shown)

    def test_size_is_known_at_once_and_follows(self):
        self.start("sh -c 'stty size; read x; stty size'")
        self.wait_for(r"^24 80$")
        self.resize(100, 30)
        self.keys("Enter")
        self.wait_for(r"^30 100$")

    def test_resize_tells_the_program(self):
        self.start("sh -c 'trap \"stty size\" WINCH; echo ready; while :; do sleep 0.1; done'")
        self.wait_for("^ready$")
        self.resize(91, 27)
        self.wait_for(r"^27 91$")
        self.keys("C-c")
        self.wait_for_prompt()

    def test_ctrl_c_interrupts_the_command_not_the_shell(self):
        self.start_shell()
        self.enter("sleep 1000; echo status $?")
        self.wait_for("echo status")
        self.wait_until(lambda: b"sleep" in self.foreground_name(), "sleep in the foreground")
        self.keys("C-c")
        self.wait_for_prompt("inner> ")
        self.enter("echo still $((40 + 2))")
        self.wait_for(r"^still 42$")
        self.keys("C-d")
        self.wait_for_prompt()

    def foreground_name(self):
        names = b""
        for pid in children(self.program()):
            with open(f"/proc/{pid}/comm", "rb") as file:
                names += file.read()
        return names

    def test_ctrl_z_and_fg_inside(self):
        self.start_shell()
        self.enter("sleep 1000")
        self.wait_until(lambda: b"sleep" in self.foreground_name(), "sleep in the foreground")
        self.keys("C-z")
        self.wait_for(r"Stopped +sleep 1000")
        self.wait_for_prompt("inner> ")
        self.enter("jobs; echo $((6 * 7))")
        self.wait_for(r"^42$")
        self.enter("fg")
        self.wait_for(r"^sleep 1000$")
        self.keys("C-c")
        self.wait_for_prompt("inner> ")
        self.assertEqual(len(self.supervisors()), 1)

    def test_ctrl_backslash_quits_the_command(self):
        self.start_shell()
        self.enter("sleep 1000")
        self.wait_until(lambda: b"sleep" in self.foreground_name(), "sleep in the foreground")
        self.keys("C-\\")
        self.wait_for("Quit")
        self.wait_for_prompt("inner> ")

    def test_exit_status_passes_through(self):  # S133
        self.start_shell()
        self.enter("exit 43")
        self.wait_for_prompt()
        self.enter("echo status $?")
        self.wait_for(r"^status 43$")

    def test_signal_of_the_program_is_128_and_more(self):
        self.start("sh -c 'kill -TERM $$'")
        self.wait_for_prompt()
        self.enter("echo status $?")
        self.wait_for(rf"^status {128 + signal.SIGTERM}$")

    def test_ctrl_c_at_a_program_without_handler_ends_it(self):
        self.start("sleep 1000")
        self.program()
        self.wait_until(lambda: "-isig" in self.modes(), "raw mode")
        self.keys("C-c")
        self.wait_for_prompt()
        self.enter("echo status $?")
        self.wait_for(rf"^status {128 + signal.SIGINT}$")

    def test_line_editing_and_utf8(self):
        self.start_shell()
        self.type("echo grün")
        self.wait_for("echo grün")
        self.keys("BSpace", "BSpace")
        self.type("oß")
        self.keys("C-a")
        self.type("echo ; ")
        self.keys("Enter")
        self.wait_for(r"^groß$")

    def test_canonical_input_erases_as_outside(self):
        self.start("sh -c 'read x; echo got [$x]'")
        self.wait_until(lambda: "-isig" in self.modes(), "raw mode")
        self.type("abX")
        self.keys("BSpace")
        self.enter("c")
        self.wait_for(r"^got \[abc\]$")

    def test_a_large_paste_arrives_whole(self):
        self.start("sh -c 'stty raw -echo; echo ready; head -c 20000 | md5sum; stty sane'")
        self.wait_for("^ready")
        text = "0123456789" * 2000
        for start in range(0, len(text), 1000):
            self.type(text[start:start + 1000])
        self.wait_for(hashlib.md5(text.encode()).hexdigest())

    def test_a_lot_of_output_comes_in_order(self):
        self.start("seq 1 200000")
        self.wait_for(r"^200000$")
        self.wait_for_prompt()
        shown = [line for line in self.screen().split("\n") if line.isdigit()]
        self.assertEqual(shown, [str(n) for n in range(200001 - len(shown), 200001)])


if __name__ == "__main__":
    unittest.main()
