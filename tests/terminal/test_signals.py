"""Signals that come while the program ends do not change how it ended. (U52, U53)"""
import collections
import os
import signal
import subprocess
import time
import unittest


class Signals(unittest.TestCase):
    def test_status_survives_signals_at_the_end(self):
        program = os.environ.get("IMMURE", "")
        if not os.access(program, os.X_OK):
            self.skipTest("IMMURE does not name the program under test")
        seen = collections.Counter()
        for _ in range(100):
            run = subprocess.Popen([program, "run", "--", "sh", "-c", "trap '' USR1; echo; sleep 0.02; exit 7"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            run.stdout.readline()   # from here on it ignores the signal
            while run.poll() is None:
                run.send_signal(signal.SIGUSR1)
                time.sleep(0)
            run.stdout.close()
            seen[run.returncode] += 1
        self.assertEqual(dict(seen), {7: 100})


if __name__ == "__main__":
    unittest.main()
