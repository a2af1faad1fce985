"""Processes that tests hold, and what `immure audit` says of them."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import held_process
import live_rows

IMMURE = os.environ.get("IMMURE", "immure")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.geteuid() == 0
# About what else runs on this machine as the same user.
OF_THE_PLACE = {"process-same-user", "process-abstract-sockets"}


def audit(*words, before=()):
    done = subprocess.run([*before, IMMURE, "audit", "--json", *words], capture_output=True, text=True, check=False,
                          timeout=60)
    if not done.stdout.startswith("{"):
        raise AssertionError(f"immure audit {words}: {done.returncode} {done.stderr}")
    return json.loads(done.stdout)


def findings_of(pid):
    return [one for one in audit("--pid", str(pid))["audits"][0]["findings"] if one["rule"] not in OF_THE_PLACE]


class NothingStarted(AssertionError):
    pass


class Started:
    """Something that runs until the end of the block, with all that it has started."""

    def __init__(self, command, **more):
        more.setdefault("stderr", subprocess.DEVNULL)
        self.running = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **more)
        self.pids = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.killpg(self.running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.running.wait()
        for stream in (self.running.stdout, self.running.stderr):
            if stream:
                stream.close()


def children_of(pid):
    """All that descend from it, parents first."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as file:
                    found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def sleeper_below(started, seconds=20):
    """The number of the `sleep` that a sandbox was told to run."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if started.running.poll() is not None:
            break
        for pid in children_of(started.running.pid):
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read() == "sleep\n":
                        started.pids.append(pid)
                        time.sleep(0.1)
                        return pid
            except OSError:
                pass
        time.sleep(0.05)
    raise NothingStarted(f"it ended with {started.running.poll()}" if started.running.poll() is not None else
                         f"no sleep came up in {seconds} s")


def users_of_processes():
    """(uid, number) of each."""
    found = []
    for name in os.listdir("/proc"):
        try:
            found.append((os.stat("/proc/" + name).st_uid, int(name)))
        except (OSError, ValueError):
            pass
    return found


class Places:
    """What a process is given of the outside, made when it is asked for."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="immure-test-held-")
        self.made = {}
        self.folders, self.mounts = [self.scratch], []

    def close(self):
        for mount in self.mounts:
            subprocess.run(["umount", "-l", mount], check=False)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def __getitem__(self, what):
        if what not in self.made:
            self.made[what] = self.make(what)
        return self.made[what]

    def make(self, what):
        if what is live_rows.HOME:
            if not os.path.isdir("/home") or os.path.ismount("/home"):
                raise unittest.SkipTest("there is no /home in the root of this machine")
            self.folders.append(tempfile.mkdtemp(prefix="immure-test-", dir="/home"))
            return self.folders[-1]
        if what is live_rows.STATIC:
            found = shutil.which("busybox")
            if not found:
                raise unittest.SkipTest("busybox, the one static program of a system, is not installed (busybox-static)")
            return found
        folder = tempfile.mkdtemp(dir=self.scratch)
        if what is live_rows.SHARED:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev", "tmpfs", folder], check=True)
            self.mounts.append(folder)
            subprocess.run(["mount", "--make-shared", folder], check=True)
            with open("/proc/1/mountinfo", encoding="utf-8") as file:
                if folder not in file.read():
                    raise unittest.SkipTest("the tests are in a mount namespace that is not the machine's")
            return folder
        path = folder + "/file"
        if what is live_rows.HOST:
            with open(path, "w", encoding="ascii"):
                return path
        held_process.listen_at(path)
        os.chmod(path, 0o600 if what is live_rows.CLOSED_SOCKET else 0o666)
        return path


class Groups:
    """Control groups of which some have a limit. Directly below the tree's root: above that there is none."""
    OLD = {"memory": ("memory.limit_in_bytes", str(1 << 30)), "pids": ("pids.max", "100"),
           "cpu": ("cpu.cfs_quota_us", "50000")}
    NEW = {"memory": ("memory.max", str(1 << 30)), "pids": ("pids.max", "100"), "cpu": ("cpu.max", "50000 100000")}
    TOP = "/sys/fs/cgroup/"

    def __init__(self, limited):
        name = f"/immure-test-{os.getpid()}-{time.monotonic_ns()}"
        limits = self.OLD if os.path.ismount(self.TOP + "memory") else self.NEW
        if limits is self.NEW:
            try:
                with open(self.TOP + "cgroup.subtree_control", encoding="ascii") as file:
                    given = set(file.read().split())
            except OSError:
                given = set()
            if not given >= set(limits):
                raise unittest.SkipTest("no control groups of this machine limit memory, processes and processor")
        self.folders = []
        for controller, (file_name, limit) in limits.items():
            folder = self.TOP + (controller if limits is self.OLD else "") + name
            if folder not in self.folders:
                os.mkdir(folder)
                self.folders.append(folder)
            if controller in limited:
                with open(f"{folder}/{file_name}", "w", encoding="ascii") as file:
                    file.write(limit)

    def close(self):
        end = time.monotonic() + 10
        for folder in self.folders:
            while True:
                try:
                    os.rmdir(folder)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)


class Held:
    """Makes a process as live_rows.py says; rules of its findings."""

    def __init__(self, before=()):
        self.places = Places()
        self.before = list(before)
        self.refused = ""  # why the last one could not be made

    def close(self):
        self.places.close()

    def rules(self, how, look=None):
        groups = Groups(how["limited"]) if "limited" in how else None
        try:
            return self.rules_in(how, groups.folders if groups else [], look or findings_of)
        finally:
            if groups:
                groups.close()

    def rules_in(self, how, groups, look):
        scratch = tempfile.mkdtemp(dir=self.places.scratch)

        def filled(value):
            if isinstance(value, list):
                return [filled(one) for one in value]
            return self.places[value] if type(value) is object else value
        join = [folder + "/cgroup.procs" for folder in groups]
        words = {key: filled(value) for key, value in dict(how, scratch=scratch, join=join).items()}
        command = [*self.before, sys.executable, HERE + "/held_process.py", json.dumps(words)]
        environment = dict(how.get("environment", {}), PATH="/usr/bin")
        with Started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True) as started:
            line = started.running.stdout.readline()
            if not line:
                self.refused = started.running.stderr.read().strip().split("\n")[-1]
                return None
            started.pids.append(int(line))
            return {one["rule"] for one in look(int(line))}
