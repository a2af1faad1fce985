"""Roots for the tests: made by `immure build`, used in a jail, in a plain chroot, and beside a client of the host's.

What a root holds is shown by what works in it. So nothing here looks at lists of files: programs are run, and say
something that they can only say when they did their work."""
import functools
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import tomllib
import unittest

IMMURE = os.environ.get("IMMURE", "immure")
PRESETS = os.environ.get("IMMURE_PRESETS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../presets"))
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# A program in a chroot sees what a jail's program sees of the caller's environment.
PLAIN = {"PATH": PATH, "HOME": "/tmp", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
ROOT = os.geteuid() == 0


class Said:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def all(self):
        return self.out + self.err

    def __str__(self):
        return f"status {self.status}\n{self.out[-3000:]}\n{self.err[-3000:]}"


def run(words, seconds=90, env=None, text=""):
    """A command's end; one that takes too long has the status 124."""
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, errors="replace", timeout=seconds,
                              env=env)
        return Said(done.returncode, done.stdout, done.stderr)
    except subprocess.TimeoutExpired as late:
        return Said(124, str(late.stdout), str(late.stderr))


def missing(*programs):
    """Programs that this host lacks."""
    return [name for name in programs if not shutil.which(name, path=PATH)]


def need(*programs, package=""):
    """Skips aloud."""
    lacking = missing(*programs)
    if lacking:
        raise unittest.SkipTest(f"not installed: {package or ' '.join(lacking)}")


@functools.lru_cache(maxsize=None)
def preset(name):
    with open(os.path.join(PRESETS, name + ".toml"), "rb") as file:
        return tomllib.load(file)


def preset_names():
    return sorted(name.removesuffix(".toml") for name in os.listdir(PRESETS) if name.endswith(".toml"))


def need_preset(name):
    """Skips when a program of the preset is not there, and names the packages."""
    for program in preset(name)["programs"]:
        there = glob.glob(program) if "/" in program else not missing(program)
        if not there:
            raise unittest.SkipTest(f"{program} is not there; packages: {' '.join(preset(name)['packages'])}")


class Root:
    """A root below TMPDIR, which goes away with the test."""

    def __init__(self, test, *words, seconds=120):
        # Not in the folder of tempfile itself: nobody else may look into that, and a jail is somebody else.
        self.home = tempfile.mkdtemp(prefix="immure-build-")
        test.addCleanup(shutil.rmtree, self.home, True)
        os.chmod(self.home, 0o755)
        self.path = os.path.join(self.home, "root")
        self.built = run([IMMURE, "build", self.path, *words], seconds)

    def jail(self, *command, words=(), seconds=90, text="", env=()):
        more = [f"--env={name}" for name in env]
        return run([IMMURE, "run", "--quiet", "--no-tty", "--root", self.path, *words, *more, "--", *command], seconds,
                   dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color"), text)

    def chroot(self, *command, user=None, seconds=90, text=""):
        """As that user of the host, or as root; nothing is mounted in it, not even /proc."""
        who = []
        if user:
            entry = pwd.getpwnam(user)
            who = ["--userspec", f"{entry.pw_uid}:{entry.pw_gid}"]
        return run(["chroot", *who, self.path, *command], seconds, PLAIN, text)

    def beside(self, script, words=(), seconds=90):
        """Python of the host's, in the jail: a client for a server of the root. The host's /usr is at /smoke then, and
        its loader is told so, since the root's own must not find anything there."""
        top = "/smoke/usr"
        loader = os.path.realpath("/lib64/ld-linux-x86-64.so.2")
        multi = os.path.dirname(os.path.realpath("/lib/x86_64-linux-gnu/libc.so.6"))
        return self.jail("/smoke" + loader, "--library-path", "/smoke" + multi, top + "/bin/python3", "-B", "-c", script,
                         words=[*words, f"--ro-bind=/usr:{top}"], env=["PYTHONHOME=" + top], seconds=seconds)


class Case(unittest.TestCase):
    maxDiff = None

    def root(self, *words, **more):
        root = Root(self, *words, **more)
        self.assertEqual(root.built.status, 0, str(root.built))
        return root

    def works(self, said, expected=""):
        self.assertEqual(said.status, 0, str(said))
        self.assertTrue(expected in said.all, f"{expected!r} was not said: {said}")

    def both(self, root, expected, *command, text="", user=None):
        """In a jail, and as root in a plain chroot as well."""
        self.works(root.jail(*command, text=text), expected)
        if ROOT:
            self.works(root.chroot(*command, text=text, user=user), expected)
