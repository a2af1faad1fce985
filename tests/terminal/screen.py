"""A person at a terminal: a tmux server of its own, one window, keys typed and the screen read.

The program under test is named by the environment variable IMMURE. Waiting is for something that appears, never for a
time; a screen that does not come is shown in the failure."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PATIENCE = float(os.environ.get("IMMURE_PATIENCE", "10"))
PROMPT = "outer> "


class TerminalTest(unittest.TestCase):
    columns, lines = 80, 24

    @classmethod
    def setUpClass(cls):
        program = os.environ.get("IMMURE", "")
        if not os.access(program, os.X_OK):
            raise unittest.SkipTest("IMMURE does not name the program under test")
        if shutil.which("tmux") is None:
            raise unittest.SkipTest("tmux is not installed")
        cls.immure = os.path.abspath(program)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="immure-terminal-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.socket = os.path.join(self.folder, "tmux")
        environment = {
            "PATH": os.environ["PATH"], "HOME": self.folder, "LANG": "C.UTF-8", "PS1": PROMPT, "TMPDIR": self.folder,
            "XDG_RUNTIME_DIR": self.folder, "HISTFILE": "/dev/null", "IMMURE": self.immure, "SHELL": "/bin/bash",
            # What the sanitizers' reports of an instrumented program would be told by.
            **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")},
        }
        self.environment = environment
        self.tmux("-f", "/dev/null", "new-session", "-d", "-c", self.folder, "-x", str(self.columns), "-y", str(self.lines),
                  "bash", "--norc", "--noprofile")
        self.addCleanup(self.end)
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("resize-window", "-x", str(self.columns), "-y", str(self.lines))
        self.wait_for_prompt()

    def end(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.environment, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words], env=self.environment, check=True,
                              stdout=subprocess.PIPE, text=True)
        return done.stdout

    # ---- hands ------------------------------------------------------------------------------------------------
    def keys(self, *names):
        """Keys by tmux's names: C-c, Enter, Escape."""
        self.tmux("send-keys", *names)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def enter(self, line):
        self.type(line)
        self.keys("Enter")

    def command(self, line):
        """A line for a shell's prompt. Its echo is waited for: a bare prompt on the screen is then the next one."""
        self.type(line)
        self.wait_for(re.escape(line[-30:]) + "$", lines=1)
        self.keys("Enter")

    def resize(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    # ---- eyes -------------------------------------------------------------------------------------------------
    def screen(self):
        return self.tmux("capture-pane", "-p", "-J")

    def wait_until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                self.fail(f"{what} did not come; the screen:\n{self.screen()}")
            time.sleep(0.05)

    def wait_for(self, pattern, lines=None):
        """The match of a pattern, on the screen or (lines) on its last lines that hold something."""
        found = None

        def look():
            nonlocal found
            shown = self.screen().rstrip("\n")
            if lines is not None:
                shown = "\n".join(shown.split("\n")[-lines:])
            found = re.search(pattern, shown, re.M)
            return found is not None
        self.wait_until(look, f"/{pattern}/")
        return found

    def wait_for_prompt(self, prompt=PROMPT):
        # What a key echoed may stand before it ("^C"), a command that was typed behind it may not.
        self.wait_for(re.escape(prompt.rstrip()) + r" ?$", lines=1)

    def clear(self):
        """At the outer prompt: an empty screen, so that what comes is new."""
        self.command("clear")
        self.wait_until(lambda: self.screen().strip() == PROMPT.strip(), "an empty screen")

    # ---- the outer shell ----------------------------------------------------------------------------------------
    def outer(self, command):
        """Runs a command at the outer prompt and gives back what it wrote."""
        out = os.path.join(self.folder, "out")
        done = os.path.join(self.folder, "done")
        for path in (out, done):
            if os.path.exists(path):
                os.remove(path)
        self.command(f"{command} > {out} 2>&1; touch {done}")
        self.wait_until(lambda: os.path.exists(done), f"the end of '{command}'")
        self.wait_for_prompt()
        with open(out, encoding="utf-8", errors="replace") as file:
            return file.read()

    def modes(self):
        """The outer terminal's modes as the shell hands them to a command; asked from the side, keys stay untouched."""
        tty = self.tmux("display-message", "-p", "#{pane_tty}").strip()
        return subprocess.run(["stty", "-a", "-F", tty], check=True, stdout=subprocess.PIPE, text=True).stdout

    def modes_of_commands(self):
        return self.outer("stty -a </dev/tty")

    def pane_pid(self):
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    # ---- the jail -----------------------------------------------------------------------------------------------
    def start(self, command, options="", prompt=None):
        """Types `immure run` at the outer prompt."""
        self.command(f"\"$IMMURE\" run {options} -- {command}")
        if prompt is not None:
            self.wait_for_prompt(prompt)

    def start_shell(self, options=""):
        """A bash to live in, at its prompt."""
        self.start("bash --norc --noprofile", f"--env 'PS1=inner> ' {options}", "inner> ")

    def supervisors(self):
        """Process numbers of the immure that the outer shell started."""
        found = []
        for pid in children(self.pane_pid()):
            if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(self.immure):
                found.append(pid)
        return found

    def supervisor(self):
        pids = []

        def look():
            pids[:] = self.supervisors()
            return len(pids) > 0
        self.wait_until(look, "the supervisor")
        return pids[0]

    def program(self):
        """The program in the jail: the first child of the jail's pid 1."""
        pids = []

        def look():
            pids[:] = [inner for init in children(self.supervisor()) for inner in children(init)]
            return len(pids) > 0
        self.wait_until(look, "the program")
        return pids[0]

    def kill(self, pid, number=signal.SIGKILL):
        os.kill(pid, number)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []
