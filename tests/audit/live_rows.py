"""Faults of living processes: what is changed of a process that is held well, and which findings that adds.

A row: a name, what the twin is like (None: held well), what the fault adds to it, the rules that are new.
"""
import os
import stat

CAN_RAISE_LIMITS = 24  # CAP_SYS_RESOURCE
# Rows that take this capability of who makes them, and are skipped without it; no other row ever is.
TAKE_IT = {"oom", "rlimit-NPROC", "rlimits-that-it-may-lift"}

# They stand for what is made outside of the process while it is there.
HOST = object()           # a file
SOCKET = object()         # a socket that everybody may connect to
CLOSED_SOCKET = object()  # one that is root's alone
HOME = object()           # a folder in /home
STATIC = object()         # a program that needs no other file
SHARED = object()         # a mount that hands on what is mounted in it

_ALL = ["mnt", "cgroup", "uts", "ipc", "pid", "net", "time"]


def without(*spaces):
    return [space for space in _ALL if space not in spaces]


_ROOT = {"uid": 0}
_CLOSED = {"filter": []}

PLACES = [
    ("root-of-the-host", {"root": "chroot"}, {"root": "none"}, {"process-root-host-tree"}, "and what is in it"),
    ("chroot", None, {"root": "chroot"}, {"process-root-chroot"}),
    ("chroot-with-capability", {"root": "chroot"}, {"root": "chroot", "capabilities": [18]},
     {"process-root-way-out", "process-cap-chroot"}),
    ("chroot-same-mounts", {"root": "chroot"}, {"root": "chroot", "spaces": without("mnt")},
     {"process-namespace-mount"}),
    ("root-of-another-namespace", None, {"root": "foreign"}, {"process-root-foreign", "process-devices"}),
    ("nothing-changed", {"root": "none"}, {"root": "none", "spaces": []},
     {"process-root-unchanged", "process-namespace-mount", "process-namespace-pid", "process-namespace-net",
      "process-namespace-ipc", "process-namespace-uts", "process-namespace-cgroup", "process-namespace-time"}),
    ("working-directory", None, {"cwd_outside": True}, {"process-cwd-outside"}),
    ("program-of-root", _ROOT, {"uid": 0, "hidden": True}, set()),
    ("program-outside", {"exec": STATIC}, {}, {"process-exe-outside", "process-init-dumpable"}),
    ("first-process-is-the-launcher", {"hidden": True}, {}, {"process-init-dumpable"}),
]

PRIVILEGES = [
    ("root", None, _ROOT, {"process-root-outside", "process-proc-writable"}),
    ("saved-root", None, {"uids": [65534, 65534, 0]}, {"process-root-outside"}),
    ("root-mapped", {"users": 65534, "uid": 0}, {"users": 0, "uid": 0},
     {"process-root-mapped", "process-proc-writable"}),
    ("group-root", None, {"groups": [0]}, {"process-groups"}),
    ("groups-without-power", None, {"groups": [65533]}, set()),
    ("groups", None, {"groups": [6, 42]}, {"process-groups"}),
    ("no-new-privs", None, {"no_new_privs": False}, {"process-no-new-privs"}),
    ("set-id-program", {"no_new_privs": False, "set_id_mounts": True},
     {"no_new_privs": False, "set_id_mounts": True, "files": [["/usr/bin/su", 0o4755]]}, {"process-set-id"}),
    ("bounding", None, {"bounding": [1, 7]}, {"process-cap-bounding"}),
    ("inheritable", {"bounding": [10]}, {"bounding": [10], "inheritable": [10]}, {"process-cap-inheritable"}),
    ("ambient", {"bounding": [10], "capabilities": [10]}, {"bounding": [10], "ambient": [10]},
     {"process-cap-ambient", "process-cap-inheritable"}),
    ("admin", None, {"capabilities": [21]}, {"process-cap-admin"}),
    ("kernel", None, {"capabilities": [16, 17]}, {"process-cap-kernel"}),
    ("files", None, {"capabilities": [1, 2]}, {"process-cap-files"}),
    ("ids", None, {"capabilities": [7]}, {"process-cap-ids"}),
    ("processes", None, {"capabilities": [19]}, {"process-cap-processes"}),
    ("network", None, {"capabilities": [12, 13]}, {"process-cap-network"}),
    ("logs", None, {"capabilities": [34]}, {"process-cap-logs"}),
    ("modules", None, {"capabilities": [32]}, {"process-cap-modules"}),
    ("machine", None, {"capabilities": [25]}, {"process-cap-machine"}),
    ("thread-without-filter", _CLOSED, {"filter": [], "thread": "filter"}, 
     {"process-threads", "process-filter-none", "process-keyring"}),
]

NAMESPACES = [
    ("space-user", {"users": 65534, "uid": 0}, {}, {"process-namespace-user", "process-keyring"}),
    ("space-user-no-keyctl", {"users": 65534, "uid": 0, "filter": []}, _CLOSED, {"process-namespace-user"}),
    ("space-pid", None, {"spaces": without("pid"), "hidden": True}, {"process-namespace-pid"}),
    ("space-net", None, {"spaces": without("net")}, {"process-namespace-net"}),
    ("space-ipc", None, {"spaces": without("ipc")}, {"process-namespace-ipc"}),
    ("space-uts", None, {"spaces": without("uts")}, {"process-namespace-uts"}),
    ("space-cgroup", None, {"spaces": without("cgroup")}, {"process-namespace-cgroup"}),
    ("space-time", None, {"spaces": without("time")}, {"process-namespace-time"}),
]

DESCRIPTORS = [
    ("fd-folder", None, {"open": [["path", "/usr", os.O_RDONLY]]}, {"process-fd-folder"}),
    ("fd-place", None, {"open": [["path", "/usr", os.O_PATH]]}, {"process-fd-folder"}),
    ("fd-high", None, {"open": [["top", 900]]}, {"process-fd-folder"}),
    ("fd-written", None, {"open": [["path", HOST, os.O_WRONLY]]}, {"process-fd-written"}),
    ("fd-read", None, {"open": [["path", "/etc/passwd", os.O_RDONLY]]}, {"process-fd-read"}),
    ("fd-proc", None, {"open": [["path", "/proc", os.O_RDONLY]]}, {"process-fd-proc"}),
    ("fd-namespace", None, {"open": [["path", "/proc/self/ns/user", os.O_RDONLY]]}, set()),
    ("fd-other-namespace", None, {"open": [["before", "/proc/self/ns/mnt"]]}, {"process-fd-namespace"}),
    ("fd-device", None, {"open": [["path", "/dev/kmsg", os.O_RDONLY]]}, {"process-fd-device"}),
    ("fd-pidfd", None, {"open": [["pidfd", ""]]}, {"process-fd-process"}),
    ("fd-bpf", None, {"open": [["bpf", ""]]}, {"process-fd-anonymous"}),
    ("fd-null", None, {"open": [["path", "/dev/null", os.O_RDWR]]}, set()),
    ("fd-socket", {"open": [["socket", ""]]}, {"open": [["socket-before", ""]]}, {"process-fd-socket"}),
    ("fd-disk", {"open": [["disk", os.O_PATH]]}, {"open": [["disk", os.O_RDONLY]]}, {"process-fd-disk"}),
    ("fd-terminal", {"mounts": [["devpts", "/pts", 0]], "open": [["inside", "/pts/ptmx", os.O_RDWR]]},
     {"mounts": [["devpts", "/pts", 0]], "open": [["terminal", ""]]}, {"process-fd-terminal"}),
    ("fd-standard", None, {"open": [["standard", HOST]]}, {"process-fd-standard"}),
    ("fd-of-a-thread", None, {"thread": "files", "open": [["path", "/usr", os.O_RDONLY]]}, {"process-fd-folder"}),
]


def _call(rule, *names):
    return [(f"filter-{name}", _CLOSED, {"filter": [name]}, {"process-filter-" + rule}) for name in names]


FILTERS = [
    ("filter-none", _CLOSED, {}, {"process-filter-none", "process-keyring"}),
    ("filter-i386", _CLOSED, {"filter": [], "entry": "i386"}, {"process-filter-i386"}),
    ("filter-x32", _CLOSED, {"filter": [], "entry": "x32"}, {"process-filter-x32"}),
    ("filter-log", _CLOSED, {"filter": [], "entry": "log"}, {"process-filter-log"}),
    *_call("mount", "mount", "fsopen", "mount_setattr"),
    *_call("userns", "unshare", "clone"),
    *_call("clone3", "clone3"),
    *_call("setns", "setns"),
    *_call("ptrace", "ptrace", "process_vm_writev", "pidfd_getfd"),
    *_call("bpf", "bpf"),
    ("filter-keyctl", _CLOSED, {"filter": ["keyctl"]}, {"process-filter-keys", "process-keyring"}),
    *_call("userfaultfd", "userfaultfd"),
    *_call("io-uring", "io_uring_setup"),
    *_call("kexec", "kexec_load", "reboot"),
    *_call("modules", "finit_module"),
    *_call("perf", "perf_event_open"),
    *_call("handles", "open_by_handle_at"),
    *_call("machine", "clock_settime", "iopl"),
    *_call("sockets", "socket"),
    *_call("terminal", "ioctl"),
]

def _socket(rule, *paths):
    """Of the jail's own, or root's alone: none; of the outside: one."""
    rows = []
    for path in paths:
        name = "socket-" + os.path.basename(path)
        bound = {"binds": [[SOCKET, path, 0]]}
        rows += [(name, {"sockets": [path]}, bound, {"process-socket-" + rule}),
                 (name + "-closed", {"binds": [[CLOSED_SOCKET, path, 0]]}, bound, {"process-socket-" + rule})]
    return rows


SOCKETS = [
    *_socket("engine", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"),
    *_socket("engine", "/run/user/65534/podman/podman.sock"),
    *_socket("system", "/run/dbus/system_bus_socket", "/run/systemd/private"),
    *_socket("session", "/run/user/65534/bus", "/run/user/65534/wayland-0", "/tmp/.X11-unix/X0"),
    ("socket-file", None, {"binds": [[HOST, "/run/docker.sock", 0]]}, set()),
]

_LIMITED = ["memory", "pids", "cpu"]
_BOUNDED = {"AS": 1 << 34, "FSIZE": 1 << 30, "NPROC": 4096, "NOFILE": 1024, "CPU": 3600}

LIMITS = [
    *[("limit-" + one, {"limited": _LIMITED}, {"limited": [other for other in _LIMITED if other != one]},
       {"process-limit-" + one}) for one in _LIMITED],
    *[("rlimit-" + one, {"limits": _BOUNDED}, {"limits": dict(_BOUNDED, **{one: -1})},
       {"process-limit-resources"}) for one in ("AS", "FSIZE", "NPROC", "CPU")],
    ("rlimits-that-it-may-lift", {"limits": _BOUNDED}, {"limits": _BOUNDED, "capabilities": [24]},
     {"process-limit-resources", "process-cap-machine"}),
]

REACH = [
    ("terminal", {"terminal": "own"}, {"terminal": "shared"}, {"process-terminal"}),
    ("terminal-none", None, {"terminal": "shared"}, {"process-terminal"}),
    ("terminal-own", None, {"terminal": "own"}, set()),
    ("mount-shared", {"binds": [[SHARED, "/shared", 0]]}, {"shared": [[SHARED, "/shared"]]},
     {"process-mount-propagation"}),
    ("mount-home", {"binds": [[HOME, "/host", 1]]}, {"binds": [[HOME, "/host", 0]]}, {"process-mount-home"}),
    ("environment-secret", None, {"environment": {"DB_PASSWORD": "x"}}, {"process-environment-secret"}),
    ("environment-shape", None, {"environment": {"INNOCENT": "ghp_0123456789abcdef0123456789"}},
     {"process-environment-secret"}),
    ("environment-agent", None, {"environment": {"SSH_AUTH_SOCK": "/tmp/x"}}, {"process-environment-agent"}),
    ("disk", {"device_mounts": True},
     {"device_mounts": True, "nodes": [["/dev/sda", stat.S_IFBLK | 0o666, 8, 0]]}, {"process-devices"}),
    ("memory", {"device_mounts": True},
     {"device_mounts": True, "nodes": [["/dev/mem", stat.S_IFCHR | 0o666, 1, 1]]}, {"process-devices"}),
    ("memory-closed", {"device_mounts": True},
     {"device_mounts": True, "nodes": [["/dev/mem", stat.S_IFCHR | 0o600, 1, 1]]}, set()),
    ("null-alone", {"device_mounts": True},
     {"device_mounts": True, "nodes": [["/dev/null", stat.S_IFCHR | 0o666, 1, 3]]}, set()),
    ("mount-set-id", None, {"set_id_mounts": True}, {"process-mount-set-id"}),
    ("mount-devices", None, {"device_mounts": True}, {"process-mount-devices"}),
    ("mount-host-etc", None, {"binds": [["/etc", "/host", 0]]}, {"process-mount-host-writable"}),
    ("mount-host-etc-read-only", None, {"binds": [["/etc", "/host", 1]]}, set()),
    ("mount-host-top", None, {"binds": [["/", "/host", 1]]}, {"process-mount-host-seen"}),
    ("mount-sys", None, {"mounts": [["sysfs", "/sys", 1]]}, {"process-sys-seen"}),
    ("mount-sys-written", {"mounts": [["sysfs", "/sys", 1]]}, {"mounts": [["sysfs", "/sys", 0]]},
     {"process-sys-writable"}),
    ("mount-debug", None, {"mounts": [["tracefs", "/trace", 1]]}, {"process-mount-debug"}),
    ("mount-cgroup", None, {"mounts": [["cgroup2", "/groups", 0]]}, {"process-cgroup-writable"}),
    ("mount-host-proc", None, {"binds": [["/proc", "/hostproc", 1]]}, {"process-proc-host"}),
    ("proc-written", {"uid": 0, "proc_read_only": True}, _ROOT, {"process-proc-writable"}),
    ("oom", None, {"oom": -1000}, {"process-limit-oom"}),
    ("kernel-read", {"proc": False}, {}, {"process-kernel-read"}),
    ("core", {"limits": {"CORE": 0}}, {"limits": {"CORE": 1 << 20}}, {"process-core"}),
]
