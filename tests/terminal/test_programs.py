"""Programs that draw the whole screen work in a jail as outside. (S132, U51)"""
import shutil
import unittest

from screen import TerminalTest


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


class Programs(TerminalTest):
    @needs("vi")
    def test_vi_edits_and_writes_a_file(self):
        self.start_shell()
        self.enter("cd /tmp && vi -u NONE note.txt; echo left")
        self.wait_for(r"^~")
        self.wait_until(lambda: "note.txt" in self.screen(), "the file's name")
        self.type("ihello from inside")
        self.keys("Escape")
        self.enter(":wq")
        self.wait_for(r"^left$")
        self.enter("cat note.txt")
        self.wait_for(r"^hello from inside$")

    @needs("vi")
    def test_vi_follows_the_size(self):
        self.start_shell()
        self.enter("vi -u NONE; echo left")
        self.wait_for(r"^~")
        self.resize(60, 15)
        self.wait_until(lambda: self.screen().count("\n~") in range(10, 15), "fewer lines")
        self.keys("Escape")
        self.enter(":q!")
        self.wait_for(r"^left$")

    @needs("vi")
    def test_vi_stops_and_comes_back(self):
        before = self.modes_of_commands()
        self.clear()
        self.start("vi -u NONE")
        self.wait_for(r"^~")
        self.keys("C-z")
        self.wait_for(r"Stopped")
        self.wait_for_prompt()
        self.assertEqual(self.modes_of_commands(), before)
        self.enter("fg")
        self.wait_for(r"^~")
        self.type("iback again")
        self.keys("Escape")
        self.wait_for("back again")
        self.enter(":q!")
        self.wait_for_prompt()
        self.assertEqual(self.modes_of_commands(), before)

    @needs("less")
    def test_less_pages(self):
        self.start_shell()
        self.enter("seq 1 500 | less; echo left")
        self.wait_for(r"^:$")
        self.wait_for(r"^23$")
        self.keys("Space")
        self.wait_for(r"^46$")
        self.type("G")
        self.wait_for(r"^500$")
        self.type("q")
        self.wait_for(r"^left$")

    @needs("top")
    def test_top_sees_the_jail_only(self):
        self.start("top -d 0.3")
        self.wait_for(r"PID +USER")
        shown = self.wait_for(r"Tasks: +(\d+) total")
        self.assertLess(int(shown.group(1)), 6)
        self.type("q")
        self.wait_for_prompt()

    @needs("tmux")
    def test_tmux_inside(self):
        self.start("tmux -f /dev/null new-session 'PS1=innermost\\> bash --norc --noprofile'", "--env TERM=screen")
        self.wait_for("innermost>")
        self.enter("echo $((21 * 2)) in tmux")
        self.wait_for(r"^42 in tmux$")
        self.resize(70, 20)
        self.enter("clear; stty size")
        self.wait_for(r"^19 70$")
        self.enter("exit")
        self.wait_for_prompt()

    @needs("python3")
    def test_python_prompt(self):
        self.start("python3 -q")
        self.wait_for(r"^>>>")
        self.enter("import os; print(os.get_terminal_size().columns, os.isatty(0))")
        self.wait_for(r"^80 True$")
        self.keys("C-d")
        self.wait_for_prompt()


if __name__ == "__main__":
    unittest.main()
