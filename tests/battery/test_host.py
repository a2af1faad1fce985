"""The host afterwards is the host before, also when a battery is interrupted; what goes wrong inside stays inside."""
import json
import os
import signal
import subprocess
import time

from host import Host, read
from known import UNSTEADY
from prove import PATIENCE, ProveTest, command, folder, of, prove, report, report_once, verdicts_of


def descendants(pid, parent=""):
    """(process id, name, name of its parent) of all below `pid`."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in file.read().split():
                    with open(f"/proc/{child}/comm", encoding="ascii") as comm:
                        name = comm.read().strip()
                    found.append((int(child), name, parent))
                    found += descendants(int(child), name)
    except OSError:
        pass  # it has just ended
    return found


def state_of(pid):
    text = read(f"/proc/{pid}/stat")
    return text[text.rfind(")") + 2:][:1]


def wait_for(look, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come")


class HostTest(ProveTest):
    def setUp(self):
        folder()  # made before the picture
        self.host = Host()

    def assert_untouched(self):
        self.assertEqual(self.host.left(), [])
        self.assertEqual(self.host.changed(), {})

    def start(self, *words):
        running = subprocess.Popen(command(*words), cwd=folder(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.stderr.close)
        return running


class HostAfterwards(HostTest):
    def test_after_a_battery(self):
        report()
        self.assert_untouched()

    def test_after_a_battery_that_got_through(self):
        # Where nothing holds, the attacks themselves must do no harm.
        for against in ("none", "chroot"):
            with self.subTest(against=against):
                report("--skip", "resources", "--against", against)
                self.assert_untouched()

    def is_interrupted(self, number, to_group, pause):
        running = self.start("--json")
        wait_for(lambda: "immure-probe" in (name for _, name, _ in descendants(running.pid)), "a probe")
        time.sleep(pause)
        begin = time.monotonic()
        (os.killpg if to_group else os.kill)(running.pid, number)
        text, errors = running.communicate(timeout=PATIENCE)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual((running.returncode, text), (125, ""), errors)
        self.assertIn("interrupted", errors)
        self.assert_untouched()

    def test_interrupted_at_a_terminal(self):
        # Everybody in the foreground hears Ctrl-C.
        for pause in (0, 0.3, 1):
            with self.subTest(pause=pause):
                self.is_interrupted(signal.SIGINT, True, pause)

    def test_told_to_end(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                self.is_interrupted(number, False, 0.2)


    def test_killed(self):
        # Nobody is left to put anything away but who waits for that.
        for to_group in (False, True):
            for pause in (0, 0.5):
                with self.subTest(to_group=to_group, pause=pause):
                    running = self.start("--json")
                    wait_for(lambda: "immure-probe" in (name for _, name, _ in descendants(running.pid)), "a probe")
                    time.sleep(pause)
                    (os.killpg if to_group else os.kill)(running.pid, signal.SIGKILL)
                    running.communicate(timeout=PATIENCE)
                    self.assert_untouched()

    def test_killed_at_the_beginning(self):
        for pause in (0.002, 0.005, 0.01, 0.02, 0.04):
            running = self.start("--json")
            time.sleep(pause)
            os.kill(running.pid, signal.SIGKILL)
            running.communicate(timeout=PATIENCE)
        self.assert_untouched()


class Contained(HostTest):
    """Somebody kills, or stops, what the battery has just started."""

    def meets(self, number, whole, telling):
        """A signal to one probe, or to the process that runs the probes of a place: told of one attack, the rest is
        judged as always. It is stopped first: most are too fast, and have told what they found."""
        chosen = ("--only", "processes,privilege,kernel")
        running = self.start("--json", *chosen)

        def hit():
            for pid, name, parent in descendants(running.pid):
                # Below the battery itself it is the one that stands outside, before it has its own name.
                if name == "immure-probe" and (parent == name) != whole and parent != "immure-full":
                    try:
                        os.kill(pid, signal.SIGSTOP)
                        time.sleep(0.05)
                        if state_of(pid) == "T":
                            os.kill(pid, number)
                            return number == signal.SIGSTOP or os.kill(pid, signal.SIGCONT) is None
                    except ProcessLookupError:
                        pass
            return False

        wait_for(hit, "a probe")
        text, errors = running.communicate(timeout=PATIENCE)
        self.assertTrue(text, errors)
        found, usual = json.loads(text), verdicts_of(report_once())
        told = {one["id"] for one in found["attacks"]
                if telling in (one["inside"]["ending"], one["control"]["ending"])}
        self.assertEqual(len(told), 1, f"{telling}: {told}")
        self.assertEqual({name: verdict for name, verdict in verdicts_of(found).items()
                          if verdict != usual[name] and name not in told and name not in UNSTEADY}, {})
        self.assert_untouched()

    def test_a_probe_that_hangs(self):
        self.meets(signal.SIGSTOP, False, "it hung and was killed")

    def test_a_probe_that_crashes(self):
        self.meets(signal.SIGILL, False, "SIGILL")

    def test_what_runs_the_probes_crashes(self):
        self.meets(signal.SIGILL, True, "all ended by SIGILL")

    def test_a_sandbox_that_ends_again_and_again(self):
        # After each half dozen of lines.
        found = report("--only", "root", "--against", """sh -c '"$@" | head -n 6' sh {}""")
        verdicts = list(verdicts_of(found).values())
        self.assertIn("inconclusive", verdicts)
        self.assertGreater(len(of(found, "escaped", "exposed", "blocked")), 10)

    def test_a_sandbox_that_ends_at_once(self):
        status, _, errors = prove("--only", "root", "--against", "sh -c 'exit 3' {}")
        self.assertEqual(status, 125)
        self.assertIn("status 3", errors)
