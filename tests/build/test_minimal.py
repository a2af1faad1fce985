"""A root is enough, and no more than that: a program works in it, and does not when any file of code is taken away."""
import os

import roots

# A program, and words with which it does something.
SAMPLES = [
    ("bash", ["-c", "echo done"]),
    ("ls", ["-n", "/etc/passwd"]),
    ("find", ["/tmp", "-maxdepth", "0", "-user", "root"]),
    ("tar", ["-cf", "/dev/null", "/tmp"]),
    ("sort", ["/etc/passwd"]),
    ("awk", ["BEGIN { print sqrt(4) }"]),
    ("grep", ["-P", "ro+t", "/etc/passwd"]),
    ("sqlite3", [":memory:", "select 1"]),
    ("curl", ["--version"]),
    ("less", ["/etc/passwd"]),
    ("ps", ["--version"]),
    ("ssh-keygen", ["-l", "-f", "/nothing"]),
    ("redis-cli", ["--version"]),
    ("xz", ["--version"]),
]
ENOUGH = 10


def code_of(root):
    for top, _, files in os.walk(root):
        for name in files:
            path = os.path.join(top, name)
            if os.path.islink(path):
                continue
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


class Minimal(roots.Case):
    def one(self, program, words):
        root = self.root(program, "--file", "/etc/passwd", "--no-smoke")
        run = root.chroot if roots.ROOT else root.jail
        whole = run(program, *words)
        self.assertNotIn(whole.status, (126, 127), str(whole))
        taken = 0
        for path in list(code_of(root.path)):
            os.rename(path, root.home + "/away")
            without = run(program, *words)
            os.rename(root.home + "/away", path)
            self.assertNotEqual((without.status, without.out), (whole.status, whole.out),
                                f"{program} works without {path}")
            taken += 1
        self.assertEqual(run(program, *words).out, whole.out)
        return taken

    def test_every_file_of_code_is_needed(self):
        shown = []
        for program, words in SAMPLES:
            if roots.missing(program):
                print(f"# {program} is not installed: left out")
                continue
            with self.subTest(program):
                shown.append(f"{program} {self.one(program, words)}")
        print("# files taken away one by one: " + ", ".join(shown))
        self.assertGreaterEqual(len(shown), ENOUGH)
