"""Baselines: what ordinary work did is learned from its traces, and a watch, a watched jail and a report tell what is new
against it, and nothing else."""
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from watching import Case as Watching

IMMURE = os.environ.get("IMMURE", "immure")
ROOT = os.geteuid() == 0
NEW = ("new-path", "new-program", "new-host", "rare-sequence")
PYTHON = "/usr/bin/python3"


def run(*words, **more):
    return subprocess.run([IMMURE, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
                          **more)


def alerts_in(path):
    with open(path, encoding="utf-8") as lines:
        return [line for line in map(json.loads, lines) if line["type"] == "alert"]


class Jails(unittest.TestCase):
    """Ordinary work in a jail: a shell lists a folder and writes a file."""
    ORDINARY = "/usr/bin/ls /usr/share/doc >/tmp/list; /usr/bin/sort </tmp/list >/tmp/sorted; echo done"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="immure-test-baseline-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.traces = [cls.place(f"ordinary{number}.trace") for number in range(2)]
        for trace in cls.traces:
            done = cls.jailed(cls.ORDINARY, "--watch-trace", trace)
            assert done.returncode == 0, done.stderr
        cls.baseline = cls.place("work.baseline")
        cls.trained = run("watch", "train", *cls.traces, "-o", cls.baseline)
        assert cls.trained.returncode == 0, cls.trained.stderr

    @classmethod
    def place(cls, name):
        return os.path.join(cls.folder, name)

    @staticmethod
    def jailed(script, *words, level="files"):
        return run("run", f"--watch={level}", "--watch-source", "notify", "--no-tty", *words, "--", "/bin/sh", "-c", script)

    def watched(self, script, *words, **more):
        path = self.place(f"events-{random.random()}")
        done = self.jailed(script, "--watch-json", path, "--watch-baseline", self.baseline, *words, **more)
        self.assertEqual(0, done.returncode, done.stderr)
        return [alert for alert in alerts_in(path) if alert["detector"] in NEW], done

    def test_says_what_it_learned(self):
        self.assertRegex(self.trained.stdout, r"^learned from 2 traces with \d+ events, level files\n")
        self.assertIn("no sequences of calls", self.trained.stdout)
        self.assertEqual(0o600, os.stat(self.baseline).st_mode & 0o777)

    def test_the_same_work_is_not_new(self):
        self.assertEqual([], self.watched(self.ORDINARY)[0])

    def test_a_new_program_and_a_new_file_are(self):
        alerts, _ = self.watched("/usr/bin/ls /usr/share/doc >/tmp/list; /usr/bin/id >/dev/null; echo >/tmp/planted")
        told = {(alert["detector"], alert["severity"]) for alert in alerts}
        self.assertIn(("new-program", "medium"), told)
        self.assertIn(("new-path", "medium"), told)
        whys = " ".join(alert["why"] for alert in alerts)
        self.assertIn("/usr/bin/id", whys)
        self.assertIn("/tmp/planted", whys)
        self.assertTrue(all(alert["events"] for alert in alerts))

    def test_a_new_address_is(self):
        connect = PYTHON + " -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((\"127.0.0.1\", 9))'"
        alerts, _ = self.watched(connect)
        self.assertIn("127.0.0.1:9", " ".join(alert["why"] for alert in alerts if alert["detector"] == "new-host"))

    def test_what_the_level_did_not_show_is_not_new(self):
        narrow, trace = self.place("narrow.baseline"), self.place("narrow.trace")
        self.assertEqual(0, self.jailed(self.ORDINARY, "--watch-trace", trace, level="security").returncode)
        self.assertEqual(0, run("watch", "train", trace, "-o", narrow).returncode)
        path = self.place("narrow.events")
        done = self.jailed(self.ORDINARY + "; echo >/tmp/planted", "--watch-json", path, "--watch-baseline", narrow)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual([], [alert for alert in alerts_in(path) if alert["detector"] == "new-path"])

    def test_a_report_weighs_a_stored_trace(self):
        trace = self.place("other.trace")
        self.assertEqual(0, self.jailed("/usr/bin/id; echo >/tmp/planted", "--watch-trace", trace).returncode)
        for words, wanted in (((), set()), (("--baseline", self.baseline), {"new-path", "new-program"})):
            done = run("report", trace, "--json", *words)
            self.assertEqual(0, done.returncode, done.stderr)
            found = {alert["detector"] for alert in json.loads(done.stdout)["alerts"]} & {"new-path", "new-program"}
            self.assertEqual(wanted, found)
        # What a watch has told of the same baseline is not told twice.
        again = self.place("again.trace")
        self.assertEqual(0, self.jailed("/usr/bin/id", "--watch-trace", again, "--watch-baseline", self.baseline).returncode)
        def count(*words):
            listed = json.loads(run("report", again, "--json", *words).stdout)["alerts"]
            return sum(alert["detector"] == "new-program" for alert in listed)
        self.assertEqual(1, count())
        self.assertEqual(1, count("--baseline", self.baseline))

    def test_a_profile_says_what_is_expected(self):
        profile, trace = self.place("narrow.toml"), self.place("profile.trace")
        with open(profile, "w", encoding="utf-8") as file:
            file.write(f'extends = "default"\nro-bind = ["{self.folder}"]\n')
        self.assertEqual(0, self.jailed(f"/usr/bin/id; cat {self.baseline} >/dev/null; cat /etc/hostname; echo >/tmp/x",
                                        "--ro-bind", self.folder, "--watch-trace", trace).returncode)
        listed = json.loads(run("report", trace, "--json", "--expect", profile).stdout)["alerts"]
        whys = " ".join(alert["why"] for alert in listed if alert["detector"] in NEW)
        self.assertIn("/etc/hostname", whys)
        self.assertNotIn("/usr/bin/id", whys)
        self.assertNotIn(self.baseline, whys)
        self.assertNotIn("/tmp/x", whys)

    def test_sequences_need_every_call(self):
        every = self.place("every.baseline")
        self.learn_sequences(every)
        done = run("run", "--watch=files", "--watch-source", "notify", "--watch-baseline", every, "--no-tty", "--", "/bin/true")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("sequences of calls are not weighed at the level files", done.stderr)
        quiet = run("run", "--watch=files", "--watch-source", "notify", "--watch-baseline", self.baseline, "--no-tty", "--",
                    "/bin/true")
        self.assertNotIn("sequences", quiet.stderr)

    def learn_sequences(self, path):
        """Of a program that a watch by ptrace sees every call of."""
        folder = tempfile.mkdtemp(dir=self.folder)
        for number in range(2):
            trace = os.path.join(folder, f"{number}.trace")
            subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "sequences.py"), IMMURE,
                            trace, "ordinary", str(number)], check=True, stdout=subprocess.DEVNULL, timeout=300)
        done = run("watch", "train", *sorted(glob.glob(folder + "/*.trace")), "-o", path)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stdout, r"sequences of calls of [1-9]\d* programs")

    # ---- files that are no baseline

    def test_a_damaged_or_foreign_file_is_one_clear_error(self):
        with open(self.baseline, "rb") as file:
            whole = file.read()
        chance = random.Random(7)
        files = {"empty": b"", "foreign": b"\x7fELF" + whole, "cut": whole[:-1], "longer": whole + b"x", "head": whole[:20],
                 "model": b"immure model\n" + whole[16:]}
        for number in range(20):
            at = chance.randrange(len(whole))
            files[f"damaged{number}"] = whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1:]
        for name, content in files.items():
            path = self.place(name)
            with open(path, "wb") as file:
                file.write(content)
            for words in (("run", "--watch", "--watch-baseline", path, "--no-tty", "--", "/bin/true"),
                          ("watch", "--pid", str(os.getpid()), "--baseline", path),
                          ("report", self.traces[0], "--baseline", path)):
                done = run(*words)
                self.assertEqual(125, done.returncode, (name, words))
                self.assertIn("code: IMM-E002", done.stderr, (name, words))
                self.assertNotIn("\x7f", done.stderr)

    def test_one_that_is_not_there_and_one_without_end(self):
        done = run("watch", "--pid", str(os.getpid()), "--baseline", self.place("nowhere"))
        self.assertEqual(125, done.returncode)
        self.assertIn("code: IMM-E010", done.stderr)
        self.assertEqual(125, run("watch", "--pid", str(os.getpid()), "--baseline", "/dev/zero").returncode)

    def test_run_tells_what_is_outside_a_profile(self):
        profile, lines, shared = self.place("narrow.toml"), self.place("narrow.json"), self.place("shared")
        os.mkdir(shared)
        os.chmod(shared, 0o777)
        with open(profile, "w", encoding="utf-8") as file:
            file.write('ro-bind = ["/usr/bin/true"]\n')
        jailed = ("run", "--watch=files", "--watch-source", "notify", "--watch-expect", profile, "--watch-json", lines, "--no-tty",
                  "--bind", shared + ":/srv/shared", "--", "/bin/sh", "-c", "echo >/srv/shared/planted")
        self.assertEqual(0, run(*jailed).returncode)
        told = [alert["why"] for alert in alerts_in(lines) if alert["detector"] == "new-path"]
        self.assertTrue(any("/srv/shared/planted" in why for why in told), told)

    def test_words_that_do_not_go_together(self):
        plain = self.place("plain")
        with open(plain, "w", encoding="utf-8") as file:
            file.write("1 2 3\n")
        mixed = run("watch", "train", plain, self.traces[0], "-o", self.place("mixed"))
        self.assertEqual(125, mixed.returncode)
        self.assertIn("cannot be learned from together", mixed.stderr)
        share = run("watch", "train", self.traces[0], "--false-alarms", "0.2", "-o", self.place("share"))
        self.assertIn("code: IMM-E001", share.stderr)
        self.assertFalse(os.path.exists(self.place("mixed")) or os.path.exists(self.place("share")))
        alone = run("run", "--watch-expect", "default", "--", "/bin/true")
        self.assertIn("--watch-expect needs --watch", alone.stderr)
        unknown = run("run", "--watch", "--watch-expect", "no-such-profile", "--no-tty", "--", "/bin/true")
        self.assertEqual(125, unknown.returncode)
        self.assertIn("no-such-profile", unknown.stderr)
        alone = run("run", "--watch-baseline", self.baseline, "--", "/bin/true")
        self.assertIn("--watch-baseline needs --watch", alone.stderr)

    def test_a_trace_that_was_changed_is_not_learned_from(self):
        changed = self.place("changed.trace")
        with open(self.traces[0], "rb") as file:
            content = bytearray(file.read())
        content[-100] ^= 1
        with open(changed, "wb") as file:
            file.write(content)
        done = run("watch", "train", changed, "-o", self.place("changed.baseline"))
        self.assertEqual(125, done.returncode)
        self.assertIn("was changed", done.stderr)

    def test_the_same_traces_make_the_same_baseline(self):
        again = self.place("again.baseline")
        self.assertEqual(0, run("watch", "train", *reversed(self.traces), "-o", again).returncode)
        with open(again, "rb") as one, open(self.baseline, "rb") as other:
            self.assertEqual(other.read(), one.read())


class Sequences(Watching):
    """A program does what it did before, and then what it never did."""

    def sequence_alerts(self, *words):
        here = os.path.dirname(os.path.abspath(__file__))
        baseline = os.path.join(self.folder, "work.baseline")
        traces = [os.path.join(self.folder, f"{number}.trace") for number in range(3)]
        for number, trace in enumerate(traces):
            subprocess.run([sys.executable, here + "/sequences.py", IMMURE, trace, "ordinary", str(number)], check=True,
                           stdout=subprocess.DEVNULL, timeout=300)
        done = run("watch", "train", *traces, "-o", baseline)
        self.assertEqual(0, done.returncode, done.stderr)
        found = {}
        for kind in ("ordinary", "strange"):
            out = subprocess.run([sys.executable, here + "/sequences.py", IMMURE, os.path.join(self.folder, kind), kind, "77",
                                  "--baseline", baseline, *words], check=True, capture_output=True, text=True, timeout=300)
            found[kind] = [line for line in map(json.loads, out.stdout.splitlines())
                           if line["type"] == "alert" and line["detector"] == "rare-sequence"]
        return found

    def test_a_strange_sequence_is_told_with_its_window(self):
        acted = os.path.join(self.folder, "acted")
        found = self.sequence_alerts("--on", f"rare-sequence=command:cat >>{acted}")
        self.assertEqual([], found["ordinary"])
        self.assertTrue(found["strange"])
        alert = found["strange"][0]
        self.assertRegex(alert["why"], r"calls \d+ to \d+ of its thread score")
        self.assertTrue(re.search(r"least expected is '\w+', where '\w+' was likeliest", alert["why"]))
        self.assertTrue(1 <= len(alert["events"]) <= 16)
        with open(acted, encoding="utf-8") as file:
            self.assertEqual("rare-sequence", json.loads(file.readline())["detector"])


if __name__ == "__main__":
    unittest.main()
