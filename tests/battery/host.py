"""What a battery could leave on the host, or change there: looked at before, compared after.

Other batteries and other tests may run on the machine. What they made goes away with them, what a battery left stays:
so something new counts only when it is still there after many looks."""
import glob
import os
import subprocess
import time

LONG_ENOUGH = 30  # seconds that another's battery may take
# The kernel's own counters, and what depends on the hour.
RESTLESS = ("/proc/sys/fs/dentry-state", "/proc/sys/fs/file-nr", "/proc/sys/fs/inode-", "/proc/sys/fs/aio-nr",
            "/proc/sys/fs/quota/", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/pty/nr",
            "/proc/sys/kernel/random/", "/proc/sys/kernel/perf_event_max_sample_rate",
            "/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/vm/stat_refresh",
            "/proc/sys/kernel/seccomp/actions_logged")


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def below(folder):
    return {os.path.join(top, name) for top, folders, files in os.walk(folder) for name in folders + files}


def processes():
    """Children of this process (it is a subreaper), and whatever has immure's name."""
    found = set()
    for stat in glob.glob("/proc/[0-9]*/stat"):
        text = read(stat)
        if not text:
            continue
        pid, name = text.split(" ", 1)[0], text[text.find("(") + 1:text.rfind(")")]
        state, parent = text[text.rfind(")") + 2:].split(" ", 2)[:2]
        if state == "Z" and int(parent) == os.getpid():
            os.waitpid(int(pid), os.WNOHANG)
        elif int(parent) == os.getpid() or name.startswith("immure"):
            found.add(f"process {pid} ({name})")
    return found


def mounts():
    return {"mount " + " ".join(line.split()[2:5]) for line in read("/proc/self/mountinfo").splitlines()}


def ipc():
    found = set()
    for kind in ("shm", "sem", "msg"):
        found |= {f"{kind} {line.split()[0]} {line.split()[1]}"
                  for line in read(f"/proc/sysvipc/{kind}").splitlines()[1:]}
    return found | {f"queue {name}" for name in queues()}


def queues():
    if os.path.ismount("/dev/mqueue"):
        return os.listdir("/dev/mqueue")
    if os.geteuid() != 0:
        return []
    look = "mount -t mqueue none /mnt && ls /mnt"
    return subprocess.run(["unshare", "--mount", "sh", "-c", look], capture_output=True, text=True,
                          check=True).stdout.split()


def keys():
    """By serial number and description; uses and states of those that stay may change."""
    return {f"key {line.split()[0]} {' '.join(line.split()[7:])}" for line in read("/proc/keys").splitlines()}


def groups():
    return {"group " + top for top, _, _ in os.walk("/sys/fs/cgroup")}


def files():
    """Without what immure remembers from one run to the next, of filters and of roots that it has looked through."""
    found = {"file " + name for name in below("/dev/shm") | below(os.environ["HOME"]) | below(os.environ["TMPDIR"])}
    for place in ("/tmp", "/var/tmp", "/run", "/run/immure", "/"):
        found |= {f"file {name}" for name in glob.glob(f"{place}/*immure*") if "immure-stage." not in name}
    return {name for name in found if not name.endswith(".looked") and "/immure/filters" not in name}


def things():
    return processes() | mounts() | ipc() | keys() | groups() | files()


def settings():
    found = {"host name": os.uname().nodename, "domain name": read("/proc/sys/kernel/domainname")}
    for top, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(top, name)
            if not path.startswith(RESTLESS):
                found[path] = read(path)
    return found


class Host:
    """The picture before."""

    def __init__(self):
        self.things, self.settings = things(), settings()

    def left(self):
        """What has come since and stays. Empty is good."""
        end = time.monotonic() + LONG_ENOUGH
        left = things() - self.things
        while left and time.monotonic() < end:
            time.sleep(0.2)
            left &= things()
        return sorted(left)

    def changed(self):
        """{setting: (before, after)}"""
        now = settings()
        return {name: (value, now[name]) for name, value in self.settings.items() if now.get(name, value) != value}
