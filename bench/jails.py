"""What the benchmarks share: a small root, the helpers, the compared commands, and the processes that start them.

Every command is asked for as nearly the floor's isolation (floor.cc) as it can give; what it lacks stands beside it.
Only programs that are installed take part, the others are named as skipped. Python's standard library only.
"""
import argparse
import ctypes
import json
import os
import platform
import pwd
import re
import resource  # os.wait4 looks for it late, where a user may not read the library any more
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

REPO = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("IMMURE_BENCH_BUILD", REPO / "build/bench"))
IMMURE = Path(os.environ.get("IMMURE", REPO / "build/bin/immure"))
CFLAGS = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fno-exceptions",
          "-fno-rtti", "-static", "-D_GNU_SOURCE"]

# --------------------------------------------------------------------------------------------------------------
# The filter: an allow-list of about 300 calls, the same bytes for whoever takes bytes.

DENIED = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init finit_module
fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp
kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages modify_ldt mount mount_setattr
move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open pivot_root
process_madvise process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key
set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon sysfs syslog umount2 unshare
uselib userfaultfd ustat vhangup vmsplice
""".split()
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, JEQ, JGE, JA, RETURN = 0x20, 0x15, 0x35, 0x05, 0x06
ALLOW, EPERM, KILL = 0x7FFF0000, 0x00050001, 0x80000000
LEAF, REACH = 4, 48  # calls compared in a row; calls that share one pair of verdicts (jumps reach 255 instructions)


def allowed_calls():
    """{name: number} of the calls the system's headers know, less the dangerous ones."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-xc", "/dev/null"], capture_output=True,
                          text=True, check=True).stdout
    known = {m[1]: int(m[2]) for m in re.finditer(r"#define __NR_(\w+) (\d+)$", text, re.M)}
    return {name: number for name, number in known.items() if name not in DENIED and name != "syscalls"}


def tree(numbers):
    """A balanced tree of comparisons; "allow" and "deny" stand for jumps to the verdicts behind it."""
    if len(numbers) <= LEAF:
        return [(JEQ, n, "allow", "deny" if n == numbers[-1] else 0) for n in numbers]
    middle = len(numbers) // 2
    low, high = tree(numbers[:middle]), tree(numbers[middle:])
    return [(JGE, numbers[middle], len(low), 0)] + low + high


def block(numbers):
    if len(numbers) > REACH:
        middle = len(numbers) // 2
        low, high = block(numbers[:middle]), block(numbers[middle:])
        return [(JGE, numbers[middle], 0, 1), (JA, len(low), 0, 0)] + low + high
    code = tree(numbers)
    verdict = {"allow": len(code), "deny": len(code) + 1}
    near = [(op, k, verdict[t] - i - 1 if t in verdict else t, verdict[f] - i - 1 if f in verdict else f)
            for i, (op, k, t, f) in enumerate(code)]
    return near + [(RETURN, ALLOW, 0, 0), (RETURN, EPERM, 0, 0)]


def filter_program(numbers):
    return [(LOAD, 4, 0, 0), (JEQ, AUDIT_ARCH[platform.machine()], 1, 0), (RETURN, KILL, 0, 0), (LOAD, 0, 0, 0)] + \
        block(sorted(numbers))


# --------------------------------------------------------------------------------------------------------------
# Helpers and the place.

def compile_helpers():
    """floor and payload, into build/bench, when their sources are newer."""
    BUILD.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent
    program = filter_program(allowed_calls().values())
    include, raw = BUILD / "floor_filter.inc", BUILD / "filter.bpf"
    lines = ["{0x%02x, %d, %d, 0x%08xU},\n" % (op, t, f, k) for op, k, t, f in program]
    text = f"// {len(program)} instructions\n" + "".join(lines)
    if not include.exists() or include.read_text() != text:
        include.write_text(text)
        raw.write_bytes(b"".join(struct.pack("=HBBI", op, t, f, k) for op, k, t, f in program))
    for name in ("floor", "payload"):
        source, binary = here / f"{name}.cc", BUILD / name
        newest = max(p.stat().st_mtime for p in (source, include, Path(__file__)))
        if not binary.exists() or binary.stat().st_mtime < newest:
            subprocess.run(["cc", *CFLAGS, f"-I{REPO}/src", f"-I{BUILD}", "-o", str(binary), str(source)], check=True)


def reachable_by_all(path):
    """Can any user execute it? (a checkout in a home folder often lets nobody in)"""
    path = Path(path).resolve()
    return all(p.stat().st_mode & 1 for p in [path, *path.parents])


class Place:
    """A temporary folder with the root, the filter, the OCI bundles; gone when closed."""

    def __init__(self):
        compile_helpers()
        self.path = Path(tempfile.mkdtemp(prefix="immure-bench."))
        self.path.chmod(0o755)
        self.root = str(self.path / "root")
        self.filter = str(self.path / "filter.bpf")
        self.floor = str(self.path / "floor")
        shutil.copy(BUILD / "filter.bpf", self.filter)
        shutil.copy(BUILD / "floor", self.floor)
        self._make_root(Path(self.root))
        self.immure = None
        if IMMURE.exists():
            self.immure = str(IMMURE)
            if os.geteuid() == 0 and not reachable_by_all(IMMURE):
                self.immure = shutil.copy(IMMURE, self.path / "immure")
        self.calls = sorted(allowed_calls())
        self._bundles = {}

    @staticmethod
    def _make_root(root):
        # the mount points of every peer, since a read-only root cannot grow them; os-release for systemd-nspawn
        for name in "bin usr/bin etc proc sys dev/pts dev/shm tmp var/tmp run root home".split():
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("true", "payload"):
            shutil.copy(BUILD / "payload", root / "bin" / name)
        for name in ("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"):
            (root / "dev" / name).touch()
        (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
        (root / "etc/os-release").write_text("ID=bench\nNAME=bench\n")
        for name in ("resolv.conf", "hosts", "hostname", "localtime"):
            (root / "etc" / name).touch()
        if shell := shutil.which("bash-static"):  # firejail starts its program through bash
            for name in ("bash", "sh"):
                shutil.copy(shell, root / "bin" / name)

    def bundle(self, payload, uid):
        """The folder of an OCI bundle of the floor's isolation."""
        key = (tuple(payload), uid)
        if key in self._bundles:
            return self._bundles[key]
        kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup"]
        allow = {"action": "SCMP_ACT_ALLOW", "names": self.calls}
        linux = {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow]}}
        inside = 65534
        if uid:
            inside = 0
            kinds.append("user")
            linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
        linux["namespaces"] = [{"type": kind} for kind in kinds]
        sets = ("bounding", "effective", "permitted", "inheritable", "ambient")

        def mount(at, kind, *options):
            return {"destination": at, "type": kind, "source": kind, "options": ["nosuid", *options]}

        config = {
            "ociVersion": "1.0.2", "hostname": "jail", "linux": linux,
            "root": {"path": self.root, "readonly": True},
            "process": {"args": list(payload), "cwd": "/", "env": ["PATH=/usr/bin:/bin"], "noNewPrivileges": True,
                        "user": {"uid": inside, "gid": inside}, "capabilities": {s: [] for s in sets}},
            "mounts": [mount("/proc", "proc", "nodev", "noexec"), mount("/dev", "tmpfs", "noexec", "mode=755"),
                       mount("/tmp", "tmpfs", "nodev")]}
        folder = self.path / f"bundle{len(self._bundles)}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        self._bundles[key] = str(folder)
        return str(folder)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --------------------------------------------------------------------------------------------------------------
# The commands.

ROOT, USER = "root", "user"


@dataclass
class Command:
    name: str
    program: str                       # a path, or a name to look for
    arguments: Callable                # (payload, unique number) → the arguments behind the program
    users: tuple = (ROOT, USER)
    lacks: str = "-"                   # of the floor's isolation
    fds: dict = field(default_factory=dict)
    dressed: bool = False              # wants the mount namespace with settings of its own
    payload: tuple = ()                # instead of the asked one, where the root is another

    def __post_init__(self):
        where = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        self.path = self.program if "/" in self.program else shutil.which(self.program, path=where)

    def argv(self, payload, number):
        return [self.path, *self.arguments(list(self.payload or payload), number)]


def commands(place, uid):
    """All that is compared; `uid` is the user's, for those that write maps themselves."""
    root = place.root
    bwrap = ["--die-with-parent", "--new-session", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin",
             "--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--cap-drop", "ALL",
             "--seccomp", "9", "--"]
    namespaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup"]
    firejail = ["--quiet", "--noprofile", f"--chroot={root}", "--net=none", "--ipc-namespace", "--private-tmp",
                "--private-dev", "--caps.drop=all", "--nonewprivs", "--seccomp", "--nogroups", "--"]
    nspawn = ["-q", "--register=no", "--keep-unit", "-D", root, "--read-only", "--private-network", "--tmpfs=/tmp",
              "--as-pid2", "--drop-capability=all", "--no-new-privileges=yes", "--console=pipe"]

    def name(number):
        return f"bench{os.getpid()}-{number}"

    def crun(owner):
        state = place.path / f"crun-state-{owner}"
        state.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(state, owner, -1)
        options = ["--root", str(state), "--cgroup-manager=disabled", "run", "--bundle"]
        return lambda p, n: [*options, place.bundle(p, owner), name(n)]

    table = [
        Command("fork+exec", "/bin/true", lambda p, n: p[1:], lacks="everything: no jail"),
        Command("fork+exec dynamic", "/bin/true", lambda p, n: [], lacks="everything: the host's /bin/true"),
        Command("floor", place.floor, lambda p, n: [root, *p], users=(ROOT,)),
        Command("floor --userns", place.floor, lambda p, n: ["--userns", root, *p], lacks="- (adds a user namespace)"),
        Command("bwrap", "bwrap", lambda p, n: namespaces + bwrap + p, users=(ROOT,), fds={9: place.filter},
                lacks="uid stays 0, bounding set stays"),
        Command("bwrap userns", "bwrap", lambda p, n: ["--unshare-all", "--uid", "65534", "--gid", "65534"] + bwrap + p,
                fds={9: place.filter}, lacks="- (adds a user namespace)"),
        Command("crun", "crun", crun(0), users=(ROOT,), dressed=True, lacks="- (cgroups disabled)"),
        Command("crun rootless", "crun", crun(uid), users=(USER,), dressed=True, lacks="- (cgroups disabled)"),
        Command("firejail", "firejail", lambda p, n: firejail + p, dressed=True,
                lacks="cgroup namespace, read-only root; own deny list"),
        Command("systemd-nspawn", "systemd-nspawn", lambda p, n: nspawn + ["-M", name(n), "--"] + p, users=(ROOT,),
                lacks="uid stays 0; own filter"),
    ]
    if place.immure:
        run = lambda *options: lambda p, n: ["run", *options, "--", *p]
        table += [
            Command("immure", place.immure, run("--root", root), lacks="- (and all its other layers)"),
            Command("immure no-cgroup", place.immure, run("--root", root, "--need", "cgroup=off"),
                    lacks="- (the default less the cgroup)"),
            Command("immure system-root", place.immure, run(), payload=("/bin/true",),
                    lacks="- (runs the host's dynamic /bin/true)"),
        ]
    table[0].path = root + "/bin/true"
    return table


# --------------------------------------------------------------------------------------------------------------
# Starters: each lives as one user in one mount namespace and does what it is told over a socket, so that one run
# can take root's and a user's commands in turn.

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MNT_DETACH, PR_SET_PDEATHSIG = 0x20000, 2, 1
MS_BIND, MS_REC_PRIVATE = 0x1000, 0x4000 | 0x40000


def _mount(source, target, kind, flags):
    text = lambda s: s.encode() if s else None
    if libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def dress(place):
    """A private mount namespace: firejail may use --chroot there, crun sees no hybrid cgroup tree (it refuses one)."""
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount(None, "/", None, MS_REC_PRIVATE)
    settings = Path("/etc/firejail/firejail.config")
    if settings.exists():
        ours = place.path / "firejail.config"
        ours.write_text(settings.read_text() + "\nchroot yes\n")
        _mount(str(ours), str(settings), None, MS_BIND)
    unified = "/sys/fs/cgroup/unified"
    if os.path.ismount(unified) and not libc.umount2(unified.encode(), MNT_DETACH):
        _mount("tmpfs", unified, "tmpfs", 0)


class Starter:
    ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "SHELL": "/bin/sh", "TERM": "dumb"}

    def __init__(self, place, user=None, dressed=False):
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            try:
                if dressed and os.geteuid() == 0:
                    dress(place)
                environment = dict(self.ENVIRONMENT, HOME=os.environ.get("HOME", "/"), XDG_RUNTIME_DIR=str(place.path))
                if user:
                    entry = pwd.getpwnam(user)
                    home = place.path / f"home-{user}"
                    home.mkdir(mode=0o700, exist_ok=True)
                    os.chown(home, entry.pw_uid, entry.pw_gid)
                    os.setgroups([])
                    os.setgid(entry.pw_gid)
                    os.setuid(entry.pw_uid)
                    environment.update(HOME=str(home), XDG_RUNTIME_DIR=str(home), USER=user)
                os.environ.clear()
                os.environ.update(environment)
                os.chdir("/")
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == parent:
                    self._serve(theirs.makefile("rw"), environment)
            except Exception:  # the parent only sees the end of file
                traceback.print_exc()
            finally:
                os._exit(0)
        theirs.close()
        self.wire = ours.makefile("rw")

    @staticmethod
    def _start(job, environment):
        flags = os.O_WRONLY | os.O_APPEND
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, job.get("stdout") or "/dev/null", flags, 0)]
        if not job.get("stderr"):
            actions.append((os.POSIX_SPAWN_OPEN, 2, "/dev/null", flags, 0))
        for number, path in job["fds"].items():
            actions.append((os.POSIX_SPAWN_OPEN, int(number), path, os.O_RDONLY, 0))
        return os.posix_spawn(job["argvs"][0][0], job["argvs"][0], environment, file_actions=actions)

    def _serve(self, wire, environment):
        for line in wire:
            job = json.loads(line)
            time.sleep(job.get("gap", 0))
            begin = time.perf_counter_ns()
            pids, status, cpu = [], 0, 0.0
            for argv in job["argvs"]:
                pids.append(self._start(dict(job, argvs=[argv]), environment))
            for pid in job.get("reap", []):
                os.waitpid(pid, 0)
            if not job.get("leave"):
                for pid in pids:
                    _, one, usage = os.wait4(pid, 0)
                    status |= one
                    cpu += usage.ru_utime + usage.ru_stime
            took = time.perf_counter_ns() - begin
            wire.write(json.dumps({"ns": took, "status": status, "cpu": cpu, "pids": pids}) + "\n")
            wire.flush()

    def run(self, command, payload=("/bin/true",), count=1, **more):
        """Starts `count` at once; with leave=True returns without waiting for their ends, which reap=pids does."""
        argvs = []
        for _ in range(count):
            Starter.number = getattr(Starter, "number", 0) + 1
            argvs.append(command.argv(payload, Starter.number))
        self.wire.write(json.dumps({"argvs": argvs, "fds": command.fds, **more}) + "\n")
        self.wire.flush()
        answer = self.wire.readline()
        if not answer:
            raise SystemExit("bench: a starter has died")
        return json.loads(answer)

    def close(self):
        self.wire.close()
        os.kill(self.pid, signal.SIGKILL)  # whoever it started and left dies by the caller's hand before
        os.waitpid(self.pid, 0)


class Starters:
    """The right starter for a command and a kind of user, made when first asked for."""

    def __init__(self, place, user):
        self.place, self.user, self.made = place, user, {}

    def get(self, kind, command):
        key = (kind, command.dressed)
        if key not in self.made:
            self.made[key] = Starter(self.place, self.user if kind == USER else None, command.dressed)
        return self.made[key]

    def close(self):
        for starter in self.made.values():
            starter.close()


def kinds_of(user):
    """Which columns this process can give: root's and the named user's, or only its own."""
    if os.geteuid() == 0:
        return [ROOT] + ([USER] if user else [])
    return [USER]


def usable(starters, kind, wanted, say=print):
    """The commands that are installed and work here, each tried once; says which do not take part."""
    uid = pwd.getpwnam(starters.user).pw_uid if starters.user else os.geteuid()
    good = []
    for command in commands(starters.place, uid if kind == USER else 0):
        if kind not in command.users or (wanted and not any(w == command.name for w in wanted)):
            continue
        if not command.path or not os.access(command.path, os.X_OK):
            say(f"skipped ({kind}): {command.name}: {command.program} is not installed")
        elif status := starters.get(kind, command).run(command)["status"]:
            say(f"skipped ({kind}): {command.name}: does not work here (status {status:#x})")
        else:
            good.append(command)
    if not starters.place.immure:
        say(f"skipped ({kind}): immure: {IMMURE} is not built")
    return good


def processors():
    """Idle and all ticks of all processors so far."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


class Quiet:
    """Waits for the processors to idle before something is measured, as long as its patience lasts."""

    def __init__(self, patience=60.0):
        self.patience, self.told = patience, False

    def wait(self):
        while self.patience > 0:
            before = processors()
            time.sleep(0.2)
            idle, total = (b - a for a, b in zip(before, processors()))
            if idle >= 0.8 * total:
                return
            self.patience -= 0.2
        if not self.told:
            print("the processors never idle here: these are figures of a busy machine", file=sys.stderr)
            self.told = True


def options_of(what, description):
    """The arguments that all three benchmarks take."""
    parser = argparse.ArgumentParser(prog=f"./dev bench {what}", description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", metavar="NAME", help="started as root: also measure as this user")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a promise does not hold")
    parser.add_argument("--json", action="store_true")
    return parser


def print_table(head, rows):
    width = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [str(cell).rjust(w) for cell, w in zip(row, width)]
        for left in (0, *({len(row) - 1} if head[-1].startswith("lacks") else ())):
            cells[left] = str(row[left]).ljust(width[left])
        print("  ".join(cells).rstrip())


class Promises:
    """What is promised, whether it held; one line each."""

    def __init__(self):
        self.broken = 0

    def at_most(self, what, value, bound, unit=""):
        held = value is not None and value <= bound
        self.broken += not held
        shown = "not measured" if value is None else f"{value:.2f}{unit}"
        print(f"{'held  ' if held else 'BROKEN'}  {what}: {shown} (at most {bound:g}{unit})")

    def at_least(self, what, value, bound, unit=""):
        held = value is not None and value >= bound
        self.broken += not held
        shown = "not measured" if value is None else f"{value:.2f}{unit}"
        print(f"{'held  ' if held else 'BROKEN'}  {what}: {shown} (at least {bound:g}{unit})")
