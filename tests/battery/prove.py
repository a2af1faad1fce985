"""`immure prove` as the tests drive it. The program under test is named by the environment variable IMMURE."""
import ctypes
import functools
import json
import os
import subprocess
import tempfile
import unittest

IMMURE = os.path.abspath(os.environ.get("IMMURE", ""))
IS_ROOT = os.geteuid() == 0
PATIENCE = 300  # seconds for one battery, on a machine that others keep busy
# A battery's jails must not outlive it: what does becomes a child of this process, and can be seen.
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def command(*words):
    return [IMMURE, "prove", *words]


@functools.cache
def folder():
    """The caller's folder, for profiles that bind it: empty, and the caller's own."""
    return tempfile.mkdtemp(prefix="project-", dir=os.environ["TMPDIR"])


def prove(*words):
    """Runs it to its end: (status, standard output, standard error)."""
    done = subprocess.run(command(*words), cwd=folder(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def report(*words):
    """The document of --json."""
    status, text, errors = prove("--json", *words)
    if not text:
        raise AssertionError(f"prove {' '.join(words)} ended with {status}: {errors}")
    return json.loads(text)


@functools.cache
def report_once(*words):
    """The same, for tests that look at one report from several sides."""
    return report(*words)


def of(document, *verdicts):
    """{id: why} of the attacks with these verdicts."""
    return {one["id"]: one.get("why", "") for one in document["attacks"] if one["verdict"] in verdicts}


def verdicts_of(document):
    return {one["id"]: one["verdict"] for one in document["attacks"]}


class ProveTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not os.access(IMMURE, os.X_OK):
            raise unittest.SkipTest("IMMURE does not name the program under test")

    def assert_only(self, found, known, what):
        """What was found is known, by id with its reason; the rest is shown with why."""
        self.assertEqual({name: why for name, why in found.items() if name not in known}, {}, what)
