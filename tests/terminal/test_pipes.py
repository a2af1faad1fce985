"""Pipes stay pipes, and a pipeline's keyboard goes to who reads it. (S132, U51)"""
import os
import unittest

from screen import TerminalTest


class Pipes(TerminalTest):
    def jail(self, command, options=""):
        return f"\"$IMMURE\" run {options} -- {command}"

    KINDS = "sh -c 'for n in 0 1 2; do test -t $n && echo $n terminal || echo $n other; done > /dev/null; test -t 0; a=$?; " \
            "test -t 1; b=$?; test -t 2; echo kinds $a $b $?'"

    def test_each_standard_descriptor_is_what_the_caller_has(self):
        self.command(self.jail(self.KINDS))
        self.wait_for(r"^kinds 0 0 0$")
        self.clear()
        self.command(self.jail(self.KINDS) + " | cat")
        self.wait_for(r"^kinds 0 1 0$")
        self.clear()
        self.command("echo | " + self.jail(self.KINDS))
        self.wait_for(r"^kinds 1 0 0$")
        self.clear()
        self.command("echo | " + self.jail(self.KINDS) + " 2>/dev/null | cat")
        self.wait_for(r"^kinds 1 1 1$")

    def test_bytes_in_a_pipe_are_not_changed(self):
        self.command("head -c 100000 /dev/urandom > data; " + self.jail("cat") + " < data | cmp - data && echo equal")
        self.wait_for(r"^equal$")

    def test_output_alone_at_the_terminal(self):
        self.command("seq 3 | " + self.jail("sed s/^/line/"))
        self.wait_for(r"^line3$")
        self.wait_for_prompt()

    def test_pager_in_the_jail_gets_its_keys(self):
        self.command("seq 500 | " + self.jail("less"))
        self.wait_for(r"^:$")
        self.type("G")
        self.wait_for(r"^500$")
        self.type("q")
        self.wait_for_prompt()
        self.assertRegex(self.modes_of_commands(), r"(?<!-)icanon")

    def test_ctrl_c_ends_a_pipeline(self):
        self.command(self.jail("sh -c 'echo begun; sleep 1000; echo not reached'") + " | cat")
        self.wait_for("^begun$")
        self.keys("C-c")
        self.wait_for_prompt()

    def test_pager_behind_the_jail_keeps_its_keys(self):
        self.command(self.jail("sh -c 'seq 500; sleep 1000'") + " | less")
        self.wait_for(r"^23$")
        self.keys("Space")
        self.wait_for(r"^46$")
        for key in ("j", "j", "g"):
            self.type(key)
        self.wait_for(r"^1$")
        self.type("q")
        self.keys("C-c")
        self.wait_for_prompt()

    def test_typed_lines_reach_a_program_whose_output_is_piped(self):
        self.command(self.jail("sort") + " | tr a-z A-Z")
        self.program()
        self.enter("pear")
        self.enter("apple")
        self.keys("C-d")
        self.wait_for(r"^APPLE\nPEAR$")
        self.wait_for_prompt()

    def test_output_to_a_file(self):
        self.command(self.jail("cat") + " > copy")
        self.program()
        self.enter("written by hand")
        self.keys("C-d")
        self.wait_for_prompt()
        with open(os.path.join(self.folder, "copy"), encoding="ascii", newline="") as file:
            self.assertEqual(file.read(), "written by hand\n")

    def test_substitution(self):
        self.command("x=$(" + self.jail("sh -c 'echo a; echo b'") + "); echo \"<$x>\" | od -An -c")
        self.wait_for(r"<   a  \\n   b   >  \\n")

    def test_error_of_immure_is_readable_in_a_pipeline(self):
        self.command(self.jail("no-such-program") + " | cat; echo done")
        self.wait_for(r"^  how: ")
        self.wait_for(r"^done$")
        self.assertRegex(self.screen(), r"(?m)^immure: 'no-such-program' cannot be started\n  why: ")

    def test_closed_reader_ends_the_program(self):
        self.command(self.jail("yes") + " | head -n 2; echo done ${PIPESTATUS[0]}")
        self.wait_for(r"^done 141$")

    def test_no_tty(self):
        self.command(self.jail("sh -c 'ls /dev/pts | grep -vc ptmx; tty'", "--no-tty"))
        self.wait_for_prompt()
        self.assertRegex(self.modes_of_commands(), r"(?<!-)icanon")

    def test_forced_terminal_with_piped_descriptors(self):
        self.command("echo typed | " + self.jail("sh -c 'tty; read x; echo got $x'", "--tty") + " 2>&1 | cat")
        self.wait_for(r"^/dev/pts/\d+")
        self.wait_for(r"^got typed")
        self.wait_for_prompt()


if __name__ == "__main__":
    unittest.main()
