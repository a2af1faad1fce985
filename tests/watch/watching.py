"""A process that is watched: it waits until the watch has begun, then does what the test says, then ends."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from processes import until

IMMURE = os.environ.get("IMMURE", "immure")
ROOT = os.geteuid() == 0

# What every watched script begins with: numbers of x86-64, and a call that raises nothing.
PREFIX = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(nr, *args):
    return libc.syscall(ctypes.c_long(nr), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
sys.stdin.readline()
"""


def status_of(pid, field):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return line.split(":", 1)[1].split()[0]
    except OSError:
        pass
    return None


def has_source(name):
    text = subprocess.run([IMMURE, "watch", "--sources"], capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^{name}\n(?:  .*\n)*?  here:  (\w+)", text, re.M)
    return found is not None and found.group(1) == "yes"


class Watch:
    """`immure watch … --json`, its lines read as they come."""

    def __init__(self, folder, *words):
        self.path = os.path.join(folder, f"out-{time.monotonic_ns()}")
        self.errors = self.path + ".err"
        with open(self.path, "wb") as out, open(self.errors, "wb") as err:
            self.process = subprocess.Popen([IMMURE, "watch", "--json", *words], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err)

    def begun(self):
        until(lambda: os.path.getsize(self.path) > 0 or self.process.poll() is not None, what="no watch began")
        if self.process.poll() not in (None, 0):
            raise AssertionError(self.error())
        return self

    def error(self):
        with open(self.errors, encoding="utf-8") as file:
            return file.read()

    def lines(self):
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().splitlines(keepends=True) if line.endswith("\n")]

    def events(self, **wanted):
        return [line for line in self.lines() if line["type"] == "event"
                and all(line.get(key) == value for key, value in wanted.items())]

    def wait(self, seconds=60):
        code = self.process.wait(seconds)
        if code != 0:
            raise AssertionError(f"{code}: {self.error()}")
        return self.lines()

    def end(self, by=signal.SIGINT):
        self.process.send_signal(by)
        return self.process.wait(30)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="immure-watch-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(subprocess.run, ["rm", "-rf", self.folder])

    def waiting(self, script, *words, prefix=PREFIX):
        """A Python that waits for a line, and then runs the script."""
        child = subprocess.Popen([sys.executable, "-c", prefix + script, *words], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.gone, child)
        # It waits when it sleeps in a read of what it was given: ld.so and its imports are behind it.
        until(lambda: self.reads(child.pid), what="the script does not wait")
        return child

    @staticmethod
    def reads(pid):
        try:
            with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
                return file.read().startswith("0 0x0 ")
        except OSError:
            return False

    @staticmethod
    def gone(child):
        if child.poll() is None:
            child.kill()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream and not stream.closed:
                stream.close()
        child.wait(20)

    def watch(self, *words):
        watch = Watch(self.folder, *words)

        def end():
            if watch.process.poll() is None:
                watch.process.kill()
            watch.process.wait(20)
        self.addCleanup(end)
        return watch.begun()

    def seen(self, script, *words, source="ptrace", level="security"):
        """The watch of a script, when both have ended."""
        child = self.waiting(script, *words)
        watch = self.watch("--pid", str(child.pid), "--source", source, "--level", level)
        _, err = child.communicate("go\n", timeout=60)
        self.assertEqual(err, "")
        watch.wait()
        watch.pid = child.pid
        return watch
