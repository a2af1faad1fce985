"""The source ebpf: nothing is lost or counted twice in a flood, watchers do not disturb each other."""
import json
import os
import subprocess
import unittest

from test_sources import BESIDE, WATCHED, available, watched

FLOOD = os.path.join(BESIDE, "flood")
SECONDS = os.environ.get("IMMURE_FLOOD_SECONDS", "3")


def numbers_of(done):
    return json.loads([line for line in done.stderr.splitlines() if line.startswith("{")][-1])


def made_by(done):
    return int(done.stdout.split("made ")[1])


class Ebpf(unittest.TestCase):
    def setUp(self):
        why = available().get("ebpf", "this build does not have it")
        if why:
            self.skipTest(why)

    def test_no_record_is_lost_at_200000_a_second(self):
        done = watched("ebpf", "all", "quiet", FLOOD, "4", "200000", SECONDS, timeout=600)
        numbers = numbers_of(done)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(made_by(done), 190000 * float(SECONDS))
        self.assertEqual((numbers["getppid"], numbers["lost"]), (made_by(done), 0))

    def test_what_is_counted_is_right_to_the_last_call(self):
        done = watched("ebpf", "security", "quiet", FLOOD, "4", "0", "1")
        self.assertEqual((numbers_of(done)["getppid"], numbers_of(done)["lost"]), (made_by(done), 0))

    def test_a_flood_takes_no_memory(self):
        still = numbers_of(watched("ebpf", "all", "quiet", "true"))
        flood = numbers_of(watched("ebpf", "all", "quiet", FLOOD, "8", "0", "2"))
        self.assertLess(flood["rss_kb"], still["rss_kb"] + 32 * 1024)

    def test_what_is_not_kept_is_told(self):
        done = watched("ebpf", "all", "slow", FLOOD, "2", "0", "2")
        numbers = numbers_of(done)
        self.assertGreater(numbers["lost"], 0)
        # What is lost is calls that are only numbers, nearly all of the flood's, so that nothing that says more is.
        self.assertGreaterEqual(numbers["getppid"] + numbers["lost"], made_by(done))
        self.assertLess(numbers["getppid"] + numbers["lost"], made_by(done) + 100)
        self.assertEqual((numbers["born"], numbers["ended"]), (2, 3))

    def test_two_watchers_see_only_their_own(self):
        command = [WATCHED, "ebpf", "security", "quiet", FLOOD, "1", "20000", "1"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for one in both:
            out, err = one.communicate(timeout=60)
            done = subprocess.CompletedProcess(command, one.returncode, out, err)
            self.assertEqual(numbers_of(done)["getppid"], made_by(done))

    def test_a_watcher_in_a_watched_tree_is_watched_and_both_come_to_an_end(self):
        done = watched("ebpf", "process", "quiet", WATCHED, "ebpf", "process", "quiet", FLOOD, "1", "1000", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(numbers_of(done)["getppid"], made_by(done))


if __name__ == "__main__":
    unittest.main()
