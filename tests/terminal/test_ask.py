"""immure policy ask: questions about denied calls, on a terminal that the program writes to as well."""
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from screen import PROMPT, TerminalTest

# Runs in the jail: each word is a call, or what is done between two.
PROGRAM = r"""
import ctypes, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
other = os.fork()
if other == 0:
    time.sleep(600)
CALLS = {"kcmp": (312, 2, other, 0, 0, 0), "attach": (101, 16, other, 0, 0), "packet": (41, 17, 3, 0), "vsock": (41, 40, 1, 0),
         "mount": (165, 0, 0, 0, 0, 0), "inject": (16, 0, 0x5412, b"x"), "alg": (41, 38, 5, 0),
         "ustat": (136, 0, 0)}
def call(name):
    done = libc.syscall(*CALLS[name])
    if name == "attach" and done == 0:
        os.waitpid(other, 0x40000000)
        libc.ptrace(17, other, 0, 0)  # detach
    return "goes on" if done >= 0 else os.strerror(ctypes.get_errno())
for word in sys.argv[1:]:
    if word in CALLS:
        print(word, "=", call(word), flush=True)
    elif word.startswith("sleep"):
        time.sleep(float(word[5:]))
    elif word == "hide":  # in colours and sequences that would swallow what comes
        os.write(1, b"\x1b[8m\x1b[1;5r\x1b[?6h\x1b]0;title that does not end ")
    elif word == "child":
        child = os.fork()
        if child == 0:
            call("kcmp")
            os._exit(0)
        time.sleep(1.5)
        os.kill(child, 9)
        os.waitpid(child, 0)
        print("child is gone", flush=True)
    elif word == "handle":
        signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\n"))
    elif word == "flood":  # of output, until somebody is asked, and then until it is read
        if os.fork() == 0:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                os.write(1, b"flood " * 600 + b"\n")
            os._exit(0)
        time.sleep(0.3)
    elif word == "stop":  # itself, while another one is asked about
        child = os.fork()
        if child == 0:
            print("kcmp =", call("kcmp"), flush=True)
            os._exit(0)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.waitpid(child, 0)
        print("goes on again", flush=True)
os.kill(other, 9)
print("the end", flush=True)
"""
QUESTION = r"question (\d+)[ ;].*?answer +o(\d\d) once"


def is_terminal(path):
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.isatty(file)
    finally:
        os.close(file)


class Ask(TerminalTest):
    columns, lines = 130, 40

    def setUp(self):
        super().setUp()
        if shutil.which("python3") is None or not os.path.exists("/usr/bin/python3"):
            self.skipTest("there is no /usr/bin/python3 for the jail")
        self.program = os.path.join(self.folder, "program.py")
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        os.chmod(self.program, 0o644)

    def ask(self, *words, options=""):
        self.command(f'clear; "$IMMURE" policy ask {options} --ro-bind {self.program}:/opt/p.py -- '
                     f'/usr/bin/python3 /opt/p.py {" ".join(words)}; echo "status $?"')

    def question(self, number):
        """The code of that question, when it is on the screen."""
        found = []

        def look():
            found[:] = [code for n, code in re.findall(QUESTION, self.screen(), re.S) if int(n) == number]
            return bool(found)
        self.wait_until(look, f"question {number}")
        return found[-1]

    def answer(self, number, letter):
        code = self.question(number)
        time.sleep(0.4)  # keys that nobody can have meant are not read
        self.type(letter + code)

    def ended(self, status=0):
        self.wait_for(f"^status {status}$")

    def test_once_always_deny_and_never(self):
        self.ask("kcmp", "kcmp", "attach", "attach", "packet", "packet", "kcmp", "kcmp")
        self.answer(1, "o")
        self.wait_for("^kcmp = goes on")
        self.answer(2, "d")
        self.wait_for("^kcmp = Operation not permitted")
        self.answer(3, "a")
        self.wait_for("^attach = goes on\nattach = goes on")
        self.answer(4, "n")
        self.wait_for("^packet = Operation not permitted\npacket = Operation not permitted")
        self.answer(5, "d")
        self.answer(6, "o")
        self.ended()
        self.wait_for("asked 6 questions")
        self.wait_for("without questions: immure run --allow-syscall ptrace")

    def test_what_is_always_goes_into_a_profile_that_asks_no_more(self):
        profile = os.path.join(self.folder, "new.toml")
        self.ask("packet", "attach", options=f"-o {profile} --cap-add net_raw" if os.geteuid() == 0 else f"-o {profile}")
        self.answer(1, "d")
        self.answer(2, "a")
        self.ended()
        with open(profile, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('allow-syscall = [\n  "ptrace",\n]', text)
        done = self.outer(f'"$IMMURE" run --profile {profile} -- /usr/bin/python3 /opt/p.py attach packet kcmp')
        self.assertIn("attach = goes on", done)
        self.assertIn("packet = Operation not permitted", done)
        self.assertIn("kcmp = Operation not permitted", done)
        # What is there is not written over.
        refused = self.outer(f'"$IMMURE" policy ask -o {profile} -- true')
        self.assertIn("is there already", refused)
        with open(profile, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)

    def test_a_profile_does_not_open_more_than_was_said(self):
        profile = os.path.join(self.folder, "wide.toml")
        # AF_ALG always, AF_PACKET never: a rule for socket would open both, and AF_VSOCK, which nobody is asked about.
        self.ask("alg", "packet", options=f"-o {profile}")
        self.answer(1, "a")
        self.answer(2, "n")
        self.ended()
        with open(profile, encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("allow-syscall", text)
        self.assertIn("a rule opens all of socket", text)

    def test_a_profile_does_not_lie_where_the_jail_writes(self):
        place = os.path.join(self.folder, "shared")
        os.mkdir(place)
        os.symlink(place, os.path.join(self.folder, "other"))
        for output, bound in ((f"{place}/o.toml", place), (f"{self.folder}/other/o.toml", place), (f"{place}/o.toml", self.folder),
                              (f"{place}/o.toml", f"{self.folder}/other")):
            out = self.outer(f'"$IMMURE" policy ask -o {output} --bind {bound} -- true')
            self.assertIn("which the jail writes to", out, (output, bound))
        out = self.outer(f'"$IMMURE" policy ask -o {self.folder}/missing/o.toml -- true')
        self.assertIn("cannot write", out)
        self.assertEqual(os.listdir(place), [])

    def test_rules_keep_their_meaning_in_a_profile(self):
        profile = os.path.join(self.folder, "rules.toml")
        self.ask("attach", options=f"-o {profile} --allow-syscall @debug --deny-syscall kcmp --deny-syscall ptrace")
        self.ended()
        self.ask("ustat", options=f"-o {profile} --allow-syscall @debug --deny-syscall kcmp --deny-syscall ptrace")
        self.answer(1, "a")
        self.ended()
        done = self.outer(f'"$IMMURE" run --profile {profile} -- /usr/bin/python3 /opt/p.py attach kcmp ustat')
        self.assertIn("attach = Operation not permitted", done)
        self.assertIn("kcmp = Operation not permitted", done)
        self.assertNotIn("ustat = Operation not permitted", done)

    def test_rules_that_take_turns_keep_their_meaning_in_a_profile(self):
        profile = os.path.join(self.folder, "turns.toml")
        self.ask("ustat", options=f"-o {profile} --deny-syscall @debug --allow-syscall kcmp --deny-syscall add_key")
        self.answer(1, "a")
        self.ended()
        done = self.outer(f'"$IMMURE" run --profile {profile} -- /usr/bin/python3 /opt/p.py attach kcmp ustat')
        self.assertIn("attach = Operation not permitted", done)
        self.assertIn("kcmp = goes on", done)
        self.assertNotIn("ustat = Operation not permitted", done)

    def test_output_goes_to_nobody_who_writes_over_a_question(self):
        for words in ("2>&1 | cat", "2>&1 >/dev/null | cat"):
            self.assertIn("does not go with policy ask", self.outer(f'("$IMMURE" policy ask -- true) {words}'), words)

    def test_a_program_that_stops_itself_moves_no_question(self):
        self.ask("stop")
        code = self.question(1)
        time.sleep(1.5)
        self.assertEqual(self.question(1), code)
        self.assertNotIn("Stopped", self.screen())
        self.type("o" + code)
        self.wait_for("Stopped")
        self.command("fg")
        self.wait_for("^kcmp = goes on")
        self.wait_for("^goes on again")

    def test_a_question_comes_again_with_another_code(self):
        self.ask("kcmp")
        code = self.question(1)
        asking = subprocess.run(["pgrep", "-f", f"policy ask --ro-bind {self.program}"], stdout=subprocess.PIPE, text=True, check=True)
        os.killpg(os.getpgid(int(asking.stdout.split()[0])), signal.SIGTSTP)
        self.wait_for("Stopped")
        self.command("fg")
        self.wait_until(lambda: self.question(1) != code, "the question again")
        self.answer(1, "o")
        self.wait_for("^kcmp = goes on")

    def test_about_some_calls_nobody_is_asked(self):
        self.ask("mount", "vsock", "inject")
        self.ended()
        self.wait_for("^mount = Operation not permitted\nvsock = Operation not permitted\ninject = ")
        self.assertNotIn("question", self.screen())

    def test_a_rule_that_denies_has_decided(self):
        self.ask("attach", "kcmp", options="--deny-syscall ptrace")
        self.answer(1, "d")
        self.ended()
        shown = "\n" + self.tmux("capture-pane", "-p", "-J", "-S", "-100")
        self.assertIn("\nattach = Operation not permitted\n", shown)
        self.assertIn("\nkcmp = Operation not permitted\n", shown)

    def test_keys_typed_before_are_no_answer(self):
        self.ask("sleep1.5", "kcmp")
        self.wait_until(lambda: PROMPT.strip() not in self.screen().strip().split("\n")[-1], "the start")
        self.type("".join(f"o{code:02}" for code in range(100)))
        self.question(1)
        time.sleep(0.5)
        self.assertNotIn("kcmp =", self.screen())
        self.type("yes")
        self.keys("Enter")
        time.sleep(0.3)
        self.assertNotIn("kcmp =", self.screen())
        self.answer(1, "d")
        self.wait_for("kcmp = Operation not permitted")
        self.ended()

    def test_what_the_terminal_answers_is_no_answer(self):
        """Reports that the program has asked for come as keys, and some hold its own words."""
        self.ask("kcmp")
        code = self.question(1)
        time.sleep(0.5)
        report = ("\x1b]l" + "o" + code + "\x1b\\" + "o" + code).encode()
        self.tmux("send-keys", "-H", *[f"{byte:02x}" for byte in report])
        time.sleep(0.5)
        self.assertNotIn("kcmp =", self.screen())
        self.answer(1, "d")
        self.wait_for("^kcmp = Operation not permitted")
        self.ended()

    def test_too_soon_is_no_answer(self):
        self.ask("kcmp")
        self.type("o" + self.question(1))
        time.sleep(0.6)
        shown = self.screen()
        if "kcmp =" in shown:
            self.skipTest("the screen was read too late")
        self.answer(1, "d")
        self.ended()

    def test_a_question_cannot_be_hidden(self):
        self.ask("hide", "kcmp")
        self.question(1)
        shown = self.tmux("capture-pane", "-p", "-J", "-e")
        line = next(line for line in shown.split("\n") if "answer" in line)
        self.assertNotIn("\x1b[8m", line)
        self.answer(1, "d")
        self.ended()

    def test_what_a_program_says_of_itself_is_only_text(self):
        self.ask("kcmp", "$'x\\e[2J\\e[1;1Hfake'")
        self.question(1)
        self.assertRegex(self.screen(), r"called .*kcmp x\S*\[2J")
        self.answer(1, "d")
        self.ended()

    def test_a_call_whose_process_has_gone_is_taken_back(self):
        self.ask("child", "packet")
        self.question(1)
        self.wait_for("taken back")
        self.answer(2, "d")
        self.ended()

    def test_ctrl_c_denies_and_interrupts(self):
        self.ask("kcmp", "sleep60")
        self.question(1)
        time.sleep(0.4)
        self.keys("C-c")
        self.wait_for("KeyboardInterrupt")
        self.wait_for("^status [1-9]")

    def ask_in_lines(self, *words):
        """The jail has no keyboard, so the terminal keeps its lines and sends signals by itself."""
        self.command(f'clear; "$IMMURE" policy ask --ro-bind {self.program}:/opt/p.py -- '
                     f'/usr/bin/python3 /opt/p.py {" ".join(words)} </dev/null >said 2>&1; echo "status $?"; cat said')

    def test_ctrl_c_denies_where_the_terminal_sends_the_signal(self):
        self.ask_in_lines("kcmp", "sleep60")
        self.question(1)
        self.keys("C-c")
        self.wait_for("KeyboardInterrupt")
        self.wait_for("^status [1-9]")

    def test_end_of_file_is_no_answer(self):
        self.ask_in_lines("kcmp")
        self.question(1)
        self.keys("C-d")
        time.sleep(0.5)
        self.keys("C-d")
        time.sleep(0.3)
        self.assertNotIn("the jail ends", self.screen())
        self.answer(1, "d")
        self.keys("Enter")
        self.wait_for("^kcmp = Operation not permitted")
        self.ended()

    def test_nobody_answers(self):
        self.ask("kcmp", "kcmp", options="--timeout 1.5s")
        self.question(1)
        self.wait_for("denied: nobody has answered in time")
        self.answer(2, "o")
        self.ended()
        self.wait_for("^kcmp = Operation not permitted")
        self.wait_for("^kcmp = goes on")

    def test_each_ctrl_c_interrupts_and_none_ends_the_jail(self):
        # The signal comes after the answer: whoever asks again at once is interrupted before there is a second question.
        self.ask("handle", "kcmp", "sleep1", "kcmp", "sleep1")
        for number in (1, 2):
            self.question(number)
            time.sleep(0.4)
            self.keys("C-c")
        self.ended()
        self.assertEqual(self.screen().count("interrupted"), 2)

    def test_a_signal_to_the_whole_group_is_one(self):
        self.ask("handle", "sleep2", "sleep0.2")
        self.wait_until(lambda: subprocess.run(["pgrep", "-f", "/opt/p.py handle"], stdout=subprocess.DEVNULL, check=False).returncode == 0, "the start")
        time.sleep(0.8)
        asking = subprocess.run(["pgrep", "-f", f"policy ask --ro-bind {self.program}"], stdout=subprocess.PIPE, text=True, check=True)
        os.killpg(os.getpgid(int(asking.stdout.split()[0])), signal.SIGINT)
        self.ended()
        self.assertEqual(self.screen().count("interrupted"), 1)

    def test_a_flood_of_output_hides_no_question(self):
        self.ask("flood", "kcmp", "sleep2.5")
        self.answer(1, "d")
        self.ended()

    def test_in_the_hosts_network_nothing_is_asked_of_sockets(self):
        self.ask("packet", options="--net host")
        self.ended()
        self.wait_for("^packet = Operation not permitted")
        self.assertNotIn("question", self.screen())

    def test_end_ends_the_jail(self):
        self.ask("kcmp", "sleep60")
        self.answer(1, "e")
        self.ended(125)
        self.assertNotIn("the end", self.screen())

    def test_who_asks_is_killed(self):
        before = self.modes()
        self.ask("kcmp", "sleep60")
        self.question(1)
        asking = subprocess.run(["pgrep", "-f", f"policy ask --ro-bind {self.program}"], stdout=subprocess.PIPE, text=True, check=True)
        os.kill(int(asking.stdout.split()[0]), signal.SIGKILL)
        self.wait_for("who was asked has gone")
        self.wait_until(lambda: subprocess.run(["pgrep", "-f", "/opt/p.py kcmp sleep60"], stdout=subprocess.DEVNULL, check=False).returncode,
                        "the end of the jail")
        self.wait_until(lambda: self.modes() == before, "the terminal as it was")

    def test_without_a_terminal_nobody_is_asked(self):
        out = self.outer('setsid --wait "$IMMURE" policy ask -- true </dev/null')
        self.assertIn("there is nobody to ask", out)

    def test_what_does_not_go_with_questions(self):
        for options in ("--seccomp none", "--watch", "--no-tty", "--need seccomp=off"):
            self.assertIn("does not go with policy ask", self.outer(f'"$IMMURE" policy ask {options} -- true'), options)
        for node in ("/dev/tty1", "/dev/console", "/dev/ttyS0"):
            if is_terminal(node):
                self.assertIn("does not go with policy ask", self.outer(f'"$IMMURE" policy ask --dev {node} -- true'), node)
        for time_ in ("0", "soon", ""):
            self.assertIn("is no time", self.outer(f'"$IMMURE" policy ask --timeout "{time_}" -- true'), time_)
        self.assertIn("is no way to ask", self.outer('"$IMMURE" run --words-fd=5 --ask-fd=6 -- true 5</dev/null 6</dev/null'))


if __name__ == "__main__":
    unittest.main()
