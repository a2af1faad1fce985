"""The battery on the default jail and on every shipped profile; on what holds nothing, so that it can fail."""
import json
import subprocess

import known
from prove import IMMURE, IS_ROOT, ProveTest, of, prove, report, report_once, verdicts_of

# A limit's own attacks bring their limit along, so that profiles differ in them by nothing but time.
QUICK = ("--skip", "resources")
# Of those that can be tried here: what may hold where nothing holds it.
HOLDS_WITHOUT = 0.1
# What a user may do without a jail: be nobody, or root of a user namespace.
WITHOUT = ("none",) if IS_ROOT else ("none", "unshare --map-root-user --mount --pid --fork --mount-proc --kill-child {}")
WALKS = ("chroot-walk", "chroot-fchdir")


def profiles():
    """The shipped ones: a new one is tried by itself."""
    text = subprocess.run([IMMURE, "policy", "list", "--json"], capture_output=True, text=True, check=True).stdout
    return [one["name"] for one in json.loads(text)["profiles"]]


class Holds(ProveTest):
    def test_the_default_jail(self):
        found = report_once()
        self.assertEqual(of(found, "escaped"), {})
        self.assert_only(of(found, "exposed"), known.exposed_in("default"), "exposed in the default jail")
        self.assertGreater(found["counts"]["blocked"], 200)

    def test_every_profile(self):
        names = profiles()
        self.assertIn("judge", names)
        for name in names:
            with self.subTest(profile=name):
                found = report(*QUICK, "--profile", name)
                self.assertEqual(of(found, "escaped"), {}, f"escaped from {name}")
                self.assert_only(of(found, "exposed"), known.exposed_in(name), f"exposed in {name}")
                self.assertLessEqual(len(of(found, "inconclusive")), known.MOST_UNSURE, of(found, "inconclusive"))

    def test_limits_seen_through_a_terminal(self):
        # The end of a jail by a limit is the answer, however its output came.
        found = report("--only", "wall-time,wall-time-deaf,memory-one", "--tty")
        self.assertEqual(verdicts_of(found), {"wall-time": "blocked", "wall-time-deaf": "blocked",
                                              "memory-one": "blocked"}, found)

    def test_controls(self):
        unsure = of(report_once(), "inconclusive")
        self.assertLessEqual(len(unsure), known.MOST_UNSURE, unsure)

    def test_two_runs_tell_the_same(self):
        first, second = verdicts_of(report_once()), verdicts_of(report())
        self.assertEqual({name: (verdict, second.get(name)) for name, verdict in first.items()
                          if verdict != second.get(name) and name not in known.UNSTEADY
                          and "inconclusive" not in (verdict, second.get(name))}, {})


class CanFail(ProveTest):
    def test_without_a_jail_nearly_everything_gets_through(self):
        through, held = {}, {}
        for against in WITHOUT:
            found = report(*QUICK, "--against", against)
            through |= of(found, "escaped", "exposed")
            held |= of(found, "blocked", "inconclusive")
        held = {name for name in held if name not in through}
        self.assertGreater(len(through), 200)
        self.assertLessEqual(len(held), HOLDS_WITHOUT * (len(through) + len(held)), held)

    def test_chroot_does_not_hold_root(self):
        # As a user it is root of a user namespace who walks.
        status, text, errors = prove("--json", "--only", "root", "--against", "chroot")
        escaped = of(json.loads(text), "escaped")
        for walk in WALKS:
            self.assertIn(walk, escaped, errors)
        self.assertEqual(status, 1)

    def test_a_word_that_opens_a_door_is_seen(self):
        status, text, _ = prove("--json", "--only", "sysv-memory", "--need", "ipc-ns=off")
        self.assertEqual(list(of(json.loads(text), "escaped")), ["sysv-memory"])
        self.assertEqual(status, 1)

    def test_a_jail_that_does_not_start_is_no_success(self):
        status, text, errors = prove("--json", "--only", "root", "--against", "false {}")
        self.assertEqual((status, text), (125, ""))
        self.assertIn("nothing could be tried", errors)
