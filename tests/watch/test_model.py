"""The model of ordinary runs: learned from made-up traces of programs, it tells other behaviour from theirs.

With IMMURE_ADFA=FOLDER (train/, normal/ and attack/FAMILY_N/ of ADFA-LD, unpacked) also on those."""
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest

IMMURE = os.environ.get("IMMURE", "immure")
ADFA = os.environ.get("IMMURE_ADFA")
READABLE = bool(ADFA) and all(os.access(os.path.join(ADFA, part), os.R_OK | os.X_OK) for part in ("train", "normal", "attack"))


def immure(*words, text=None):
    return subprocess.run([IMMURE, "watch", *words], input=text, capture_output=True, text=True, timeout=300, check=False)


def area(normal, attack):
    """How often a trace of an attack has a higher score than an ordinary one; ties count half."""
    marked = sorted([(score, 0) for score in normal] + [(score, 1) for score in attack])
    below = above = 0.0
    at = 0
    while at < len(marked):
        end = at
        while end < len(marked) and marked[end][0] == marked[at][0]:
            end += 1
        ties = [kind for _, kind in marked[at:end]]
        above += ties.count(1) * (below + ties.count(0) / 2)
        below += ties.count(0)
        at = end
    return above / (len(normal) * len(attack))


def detection(normal, attack, false_alarms):
    ordered = sorted(normal, reverse=True)
    threshold = ordered[int(false_alarms * len(ordered))]
    return sum(score > threshold for score in attack) / len(attack)


class Program:
    """A grammar: a start, and phases of loops over fixed rounds of calls, with what happens now and then."""

    def __init__(self, dice, calls):
        self.start = [11, 45, 33, 192, 33, 5, 197, 192, 6] + dice.choices(calls, k=10)
        self.rounds = [dice.choices(calls, k=dice.randint(2, 9)) for _ in range(dice.randint(3, 7))]
        self.rare = dice.choices(calls, k=4)

    def run(self, dice):
        trace, length = list(self.start), dice.randint(150, 1500)
        while len(trace) < length:
            for _ in range(dice.randint(1, 12)):
                trace += dice.choice(self.rounds[:2]) if dice.random() < 0.2 else self.rounds[dice.randrange(len(self.rounds))]
            if dice.random() < 0.3:
                trace.append(dice.choice(self.rare))
        return trace[:length]


def shell_inside(trace, dice, calls):
    """The program runs something else from some point on: calls of its kind, in an order of their own."""
    at = dice.randint(20, len(trace) // 3)
    strange = dice.sample(calls, 6)
    return trace[:at] + [dice.choice(strange) for _ in range(len(trace) - at)]


def waits_and_beats(trace, dice, _calls):
    """All that is left is a loop that nobody has seen, of a few calls."""
    few = dice.sample(trace, 4) + [dice.randint(230, 240)]
    return [dice.choice(few) for _ in range(len(trace))]


def out_of_order(trace, dice, _calls):
    moved = [(at + dice.uniform(0, 30), call) for at, call in enumerate(trace)]
    return [call for _, call in sorted(moved)]


ATTACKS = {"shell": shell_inside, "loop": waits_and_beats, "order": out_of_order}


class Folder(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="immure-model-")
        self.addCleanup(shutil.rmtree, self.home)

    def write(self, folder, number, trace, between=" "):
        os.makedirs(os.path.join(self.home, folder), exist_ok=True)
        with open(os.path.join(self.home, folder, f"{number:04}.txt"), "w", encoding="ascii") as file:
            file.write(between.join(map(str, trace)) + "\n")

    def path(self, name):
        return os.path.join(self.home, name)

    def scores(self, model, *folders):
        done = immure("score", "--model", model, "--json", *folders)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def train(self, *words):
        done = immure("train", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class MadeUp(Folder):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(20)
        self.calls = list(range(1, 180))
        self.programs = [Program(self.dice, self.calls) for _ in range(6)]
        for number in range(120):
            self.write("train", number, self.programs[number % 6].run(self.dice))
        self.model = self.path("model")
        self.train(self.path("train"), "-o", self.model)

    def test_attacks_score_higher_than_runs_of_the_same_programs(self):
        for number in range(120):
            self.write("normal", number, self.programs[number % 6].run(self.dice), "\n")
            for name, attack in ATTACKS.items():
                trace = attack(self.programs[number % 6].run(self.dice), self.dice, self.calls)
                self.write(f"attack/{name}", number, trace)
        rows = self.scores(self.model, self.path("normal"))
        normal = [row["score"] for row in rows]
        self.assertLess(sum(row["anomalous"] for row in rows) / len(rows), 0.2)
        for name in ATTACKS:
            rows = self.scores(self.model, self.path(f"attack/{name}"))
            attack = [row["score"] for row in rows]
            self.assertGreater(area(normal, attack), 0.98, name)
            self.assertGreater(detection(normal, attack, 0.1), 0.95, name)
            self.assertGreater(sum(row["anomalous"] for row in rows) / len(rows), 0.9, name)

    def test_the_windows_say_where(self):
        trace = (self.programs[0].run(self.dice) * 8)[:1024]
        trace[600:700] = [self.dice.randint(300, 330) for _ in range(100)]
        trace[650] = 26
        self.write("one", 1, trace)
        row, = self.scores(self.model, self.path("one"))
        self.assertEqual(row["windows"][0]["offset"], 512)
        self.assertEqual((row["calls"], row["windows_scored"]), (1024, 4))
        worst = row["windows"][0]["least_expected"]
        self.assertIn(worst["offset"], range(600, 700))
        self.assertEqual(worst["call"], trace[worst["offset"]])
        done = immure("score", "--model", self.model, "--arch", "i386", self.path("one"))
        self.assertRegex(done.stdout, r"calls 512 to 767.*\n.*least expected: [a-z_0-9]+ at 6\d\d, where")

    def test_the_same_traces_make_the_same_bytes(self):
        shutil.copytree(self.path("train"), self.path("moved"))
        os.rename(self.path("moved/0000.txt"), self.path("moved/9999.txt"))
        self.train(self.path("moved"), "-o", self.path("again"))
        with open(self.model, "rb") as one, open(self.path("again"), "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_ci_ends_with_1_when_a_trace_is_anomalous(self):
        ordinary = " ".join(map(str, self.programs[1].run(self.dice)))
        strange = " ".join(str(self.dice.randint(200, 300)) for _ in range(400))
        for text, status in ((ordinary, 0), (strange, 1)):
            done = immure("score", "--model", self.model, "--ci", "-", text=text)
            self.assertEqual(done.returncode, status, done.stdout)
            self.assertEqual(immure("score", "--model", self.model, "-", text=text).returncode, 0)

    def test_what_is_no_trace_or_model_is_refused(self):
        cases = {"letters": ("3 4 five", "IMM-E002"), "great": ("3 70000", "IMM-E002"), "empty": ("", "IMM-E002")}
        for name, (text, code) in cases.items():
            with open(self.path(name), "w", encoding="ascii") as file:
                file.write(text)
            for words in (("score", "--model", self.model), ("train", "-o", self.path("no"))):
                done = immure(*words, self.path(name))
                self.assertEqual(done.returncode, 125, name)
                self.assertIn(code, done.stderr)
        os.mkdir(self.path("nothing"))
        for place in ("nothing", "not-there"):
            done = immure("score", "--model", self.model, self.path(place))
            self.assertIn("IMM-E010", done.stderr)
        with open(self.model, "rb") as file:
            whole = file.read()
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 4
        other = bytearray(whole)
        other[13] = 77
        for name, content, says in (("damaged", damaged, "damaged"), ("other", other, "another version"),
                                    ("cut", whole[:-1], "damaged"), ("text", b"3 4 5\n", "no model")):
            with open(self.path(name), "wb") as file:
                file.write(content)
            done = immure("score", "--model", self.path(name), self.path("train"))
            self.assertEqual(done.returncode, 125)
            self.assertIn(says, done.stderr)
        self.assertFalse(os.path.exists(self.path("no")))


@unittest.skipUnless(READABLE, "IMMURE_ADFA names no folder with train/, normal/ and attack/ that can be read")
class Adfa(Folder):
    """The numbers of docs/anomaly.md, with a little less asked for."""

    def test_area_and_detection(self):
        model = self.path("model")
        self.train(os.path.join(ADFA, "train"), "-o", model)
        normal = [row["score"] for row in self.scores(model, os.path.join(ADFA, "normal"))]
        rows = self.scores(model, os.path.join(ADFA, "attack"))
        attack = [row["score"] for row in rows]
        families = {}
        for row in rows:
            family = re.sub(r"_\d+$", "", os.path.basename(os.path.dirname(row["path"])))
            families.setdefault(family, []).append(row["score"])
        for name, scores in [("all", attack), *sorted(families.items())]:
            found = "  ".join(f"{100 * detection(normal, scores, share):.1f} % at {100 * share:.0f} %"
                              for share in (0.05, 0.1, 0.15))
            print(f"# {name}: area {area(normal, scores):.4f}, found {found}", flush=True)
        self.assertGreater(area(normal, attack), 0.89)
        self.assertGreater(detection(normal, attack, 0.1), 0.73)
        self.assertGreater(detection(normal, attack, 0.15), 0.84)
        for name, scores in families.items():
            self.assertGreater(area(normal, scores), 0.86, name)


if __name__ == "__main__":
    unittest.main()
