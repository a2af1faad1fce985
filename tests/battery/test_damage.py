"""What does real damage is tried nowhere but in a machine that is thrown away."""
import os
import subprocess
import tempfile
import unittest

from prove import IMMURE, ProveTest, report

PROBE = os.path.join(os.path.dirname(IMMURE), "immure-probe")
# The one that a mended kernel, as this one is, would refuse in any case: nothing is at stake here.
HARMLESS, WORD = "damage-long-options", "immure.expendable=to-the-end"
REASON = "only in a machine that may be destroyed"


@unittest.skipIf(any(word.startswith("immure.expendable") for word in open("/proc/cmdline", encoding="ascii").read().split()),
                 "this machine may be destroyed")
class Consent(ProveTest):
    def test_the_host_starts_none(self):
        for against in ((), ("--against", "none"), ("--against", "chroot")):
            attacks = report("--only", "damage", *against)["attacks"]
            self.assertGreater(len(attacks), 20)
            for one in attacks:
                self.assertEqual(one["verdict"], "not-applicable", one)
                self.assertIn(REASON, one["why"])
                self.assertEqual(one["control"]["ending"], "nothing was tried", one)

    def alone(self, **given):
        """The program that goes inside, by itself."""
        return subprocess.run([PROBE, "--", HARMLESS], capture_output=True, text=True, check=True, **given).stdout

    def test_nor_does_the_program_inside(self):
        refused = f"ready\n{HARMLESS}\tnot-applicable\t0\t\t{REASON}\n"
        self.assertEqual(self.alone(stdin=subprocess.DEVNULL), refused)
        with open("/proc/cmdline", encoding="ascii") as line:
            self.assertEqual(self.alone(stdin=line), refused)
        # Neither a file with the word nor one of procfs that a process fills is the kernel's.
        with tempfile.TemporaryFile() as file:
            file.write(WORD.encode())
            file.flush()
            self.assertEqual(self.alone(stdin=file), refused)
        with subprocess.Popen(["sleep", "60"], env={**os.environ, "X": f" {WORD} "}) as other:
            with open(f"/proc/{other.pid}/environ", "rb") as file:
                self.assertEqual(self.alone(stdin=file), refused)
            other.kill()
        self.assertEqual(self.alone(close_fds=True, preexec_fn=lambda: os.close(0)), refused)
