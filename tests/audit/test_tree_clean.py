"""No false alarm: what immure build makes, and a Debian as its packages make it, give advice at most."""
import os
import shutil
import subprocess
import tempfile
import unittest

import zoo

PRESETS = os.environ.get("IMMURE_PRESETS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../presets"))


class Presets(unittest.TestCase):
    def preset(self, name):
        home = tempfile.mkdtemp(prefix="immure-zoo-")
        self.addCleanup(shutil.rmtree, home, True)
        os.chmod(home, 0o755)
        path = os.path.join(home, "root")
        made = subprocess.run([zoo.IMMURE, "build", path, "--no-smoke", "--preset", name], capture_output=True, text=True,
                              check=False, timeout=300)
        if made.returncode == 127:  # a program of the preset is not installed; everything else is a fault
            self.skipTest(made.stderr.split("\n")[0])
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(zoo.audit(path).above_advice, [])


def add(name):
    def test(self):
        self.preset(name)
    setattr(Presets, "test_" + name.replace("-", "_"), test)


for each in sorted(os.listdir(PRESETS)):
    if each.endswith(".toml"):
        add(each.removesuffix(".toml"))


@unittest.skipUnless(zoo.ROOT, "mmdebstrap makes a folder for root alone")
class Distribution(unittest.TestCase):
    def test_debian(self):
        if not shutil.which("mmdebstrap"):
            self.skipTest("needs the package mmdebstrap")
        home = tempfile.mkdtemp(prefix="immure-zoo-")
        self.addCleanup(shutil.rmtree, home, True)
        os.chmod(home, 0o755)
        path = os.path.join(home, "root")
        made = subprocess.run(["mmdebstrap", "--mode=root", "--variant=essential", "bookworm", path], capture_output=True,
                              text=True, check=False, timeout=400)
        if made.returncode != 0:
            self.skipTest("mmdebstrap: " + made.stderr.strip().split("\n")[-1])
        said = zoo.audit(path)
        self.assertEqual(said.above_advice, [])
        self.assertIn("tree-set-id-shipped", said.ids)


if __name__ == "__main__":
    unittest.main()
