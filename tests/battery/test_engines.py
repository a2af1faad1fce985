"""Engines of containers as somebody else's sandbox: what they start is not their child, and must go all the same."""
import atexit
import functools
import io
import os
import resource
import shutil
import signal
import subprocess
import tarfile
import tempfile
import unittest

import known
from host import processes
from prove import IMMURE, PATIENCE, ProveTest, of, prove, report, verdicts_of
from test_host import HostTest, descendants, wait_for

PROBE = os.path.join(os.path.dirname(IMMURE), "immure-probe")
IMAGE = "localhost/immure-battery"
# Blocked at least, of a user's attacks, which are fewer.
MOST = 150


def podman(*words):
    return subprocess.run(["podman", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)


def settings(folder, runtime):
    """An engine of this test's alone: its images and containers are nobody else's, and it asks for no limit above
    those that there are, which takes a capability that not every root has."""
    files, processes = (resource.getrlimit(one) for one in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    few = min(processes[1], 10000) if processes[1] >= 0 else 10000
    limits = f'["nofile={files[0]}:{files[1]}", "nproc={few // 2}:{few // 2}"]'
    with open(os.path.join(folder, "containers.conf"), "w", encoding="ascii") as file:
        file.write(f'[containers]\ndefault_ulimits = {limits}\n[engine]\nevents_logger = "none"\n'
                   + (f'runtime = "{runtime}"\n' if runtime else ""))
    with open(os.path.join(folder, "storage.conf"), "w", encoding="ascii") as file:
        file.write(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n')
    os.environ["CONTAINERS_CONF"] = os.path.join(folder, "containers.conf")
    os.environ["CONTAINERS_STORAGE_CONF"] = os.path.join(folder, "storage.conf")


def put_away(folder):
    podman("rm", "--all", "--force")
    if os.geteuid() == 0:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        podman("unshare", "rm", "-rf", folder)


@functools.cache
def engine():
    """None when there is one with an image in it; else what is missing."""
    if not shutil.which("podman"):
        return "needs podman"
    folder = tempfile.mkdtemp(prefix="engine-", dir=os.environ["TMPDIR"])
    empty = os.path.join(folder, "empty.tar")
    with tarfile.open(empty, "w") as tar:
        for name in ("etc", "proc", "sys", "dev", "tmp"):
            made = tarfile.TarInfo(name)
            made.type, made.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(made)
        account = b"root:x:0:0:root:/:/bin/sh\n"
        made = tarfile.TarInfo("etc/passwd")
        made.size = len(account)
        tar.addfile(made, io.BytesIO(account))
    why = ""
    for runtime in ("", "crun", "runc"):
        settings(folder, runtime)
        made = podman("import", empty, IMAGE)
        tried = podman("run", "--rm", "--volume", f"{PROBE}:/p:ro", "--entrypoint", "/p", IMAGE, "--who")
        if made.returncode == 0 and tried.returncode == 0:
            atexit.register(put_away, folder)
            return None
        why = (made.stderr + tried.stderr).strip().splitlines()[-1:]
    return f"needs a podman that works here: {' '.join(why)}"


class Podman(HostTest):
    def setUp(self):
        missing = engine()
        if missing:
            raise unittest.SkipTest(missing)
        super().setUp()

    def containers(self, *words):
        listed = podman("ps", "--noheading", *words)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        return listed.stdout

    def assert_nothing_runs(self):
        self.assertEqual(self.containers("--all"), "")

    def test_an_image(self):
        # Each limit's attack has a container of its own, and two are there at a time.
        found = report("--against", f"podman:{IMAGE}")
        self.assertGreater(found["counts"]["blocked"], MOST)
        self.assertLessEqual(len(of(found, "inconclusive")), known.MOST_UNSURE, of(found, "inconclusive"))
        self.assertIn(verdicts_of(found)["signal-kill"], ("blocked", "not-applicable"))
        self.assert_nothing_runs()

    def test_a_planted_root(self):
        found = report("--skip", "resources", "--against", "podman")
        self.assertGreater(found["counts"]["blocked"], MOST)
        self.assertIn("link-absolute", verdicts_of(found))
        self.assertNotIn("the command names no {root}", str(of(found, "not-applicable")))
        self.assert_nothing_runs()

    def test_a_command_of_ones_own(self):
        status, text, errors = prove("--json", "--only", "processes", "--against",
                                     "podman run --rm --network none --cap-drop all -v {program}:/p:ro "
                                     f"--entrypoint /p {IMAGE} {{args}}")
        self.assertTrue(text, errors)
        self.assertEqual(status, 0, errors)

    def test_interrupted_and_killed(self):
        self.addCleanup(podman, "rm", "--all", "--force")
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(signal=number):
                before = processes()
                running = self.start("--json", "--against", f"podman:{IMAGE}")
                wait_for(lambda: ("immure-probe", "conmon") in (one[1:] for one in descendants(running.pid)),
                         "a container")
                os.kill(running.pid, number)
                running.communicate(timeout=PATIENCE)
                # An engine that is ended while it makes a container may keep its record of it. Nobody runs.
                wait_for(lambda: self.containers() == "" and not processes() - before, "the end of the containers")


if __name__ == "__main__":
    unittest.main()
