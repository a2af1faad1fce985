#!/usr/bin/env python3
"""A process that is held as its first argument, a document of JSON, says; it tells its number and sleeps.

What is not said is held well: a root of its own that was pivoted, namespaces of its own but for the user
namespace, an unprivileged user, no capability, no_new_privs, nothing open. So one key makes one fault.
"""
import ctypes
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import stat
import struct
import sys
import termios
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
SPACES = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "pid": 0x20000000,
          "net": 0x40000000, "time": 0x80}
NOBODY = 65534
# Numbers of the native entry, by the names that the rules use.
CALLS = {"mount": 165, "umount2": 166, "pivot_root": 155, "fsopen": 430, "fsmount": 432, "move_mount": 429,
         "open_tree": 428, "mount_setattr": 442, "unshare": 272, "clone": 56, "setns": 308, "clone3": 435, "ptrace": 101,
         "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312, "bpf": 321, "keyctl": 250,
         "add_key": 248, "request_key": 249, "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426,
         "io_uring_register": 427, "kexec_load": 246, "kexec_file_load": 320, "reboot": 169, "init_module": 175,
         "finit_module": 313, "delete_module": 176, "perf_event_open": 298, "open_by_handle_at": 304,
         "settimeofday": 164, "clock_settime": 227, "swapon": 167, "swapoff": 168, "acct": 163, "iopl": 172,
         "ioperm": 173, "quotactl": 179, "syslog": 103, "sethostname": 170, "lookup_dcookie": 212, "socket": 41,
         "ioctl": 16}
NATIVE, I386 = 0xc000003e, 0x40000003
ALLOW, DENY, LOG = 0x7fff0000, 0x00050001, 0x7ffc0000


def must(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


def mount(source, target, kind=None, flags=0, data=None):
    coded = [None if word is None else word.encode() for word in (source, target, kind, data)]
    must(LIBC.mount(coded[0], coded[1], coded[2], ctypes.c_ulong(flags), coded[3]), f"mount {target}")


def prctl(option, *words):
    must(LIBC.prctl(option, *[ctypes.c_ulong(word) for word in words + (0,) * (4 - len(words))]), f"prctl {option}")


def set_capabilities(effective, permitted, inheritable):
    header = struct.pack("Ii", 0x20080522, 0)
    low = struct.pack("III", *[word & 0xffffffff for word in (effective, permitted, inheritable)])
    high = struct.pack("III", *[word >> 32 for word in (effective, permitted, inheritable)])
    must(LIBC.syscall(126, header, low + high), "capset")


def bits(numbers):
    return sum(1 << number for number in numbers)


def filter_of(allowed, entry):
    """All calls of CALLS are denied but `allowed`; all others go on. `entry`: of the other two entries."""
    program = [(0x20, 0, 0, 4)]
    foreign = ALLOW if entry == "i386" else DENY
    program += [(0x15, 1, 0, NATIVE), (0x06, 0, 0, foreign), (0x20, 0, 0, 0)]
    if entry != "x32":
        program += [(0x35, 0, 1, 0x40000000), (0x06, 0, 0, DENY)]
    verdict = LOG if entry == "log" else ALLOW
    for name, number in CALLS.items():
        if name not in allowed:
            program += [(0x15, 0, 1, number), (0x06, 0, 0, DENY)]
    return program + [(0x06, 0, 0, verdict)]


def load_filter(program):
    lines = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(lines)))
    prctl(22, 2, ctypes.addressof(head))


def make_root(how):
    root = how["scratch"] + "/root"
    os.makedirs(root, exist_ok=True)
    # Taken before all is made private, each is still shared with the mount that it is a copy of.
    shared = [(must(LIBC.syscall(428, -100, source.encode(), 1), "open_tree"), target)
              for source, target in how.get("shared", [])]
    if "mnt" in how["spaces"]:
        mount(None, "/", None, 0x44000)  # MS_REC | MS_PRIVATE
    if how["root"] in ("none", "foreign"):
        return
    nosuid = 0 if how.get("set_id_mounts") else 2
    if how["root"] != "chroot":
        mount("tmpfs", root, "tmpfs", nosuid | (0 if how.get("device_mounts") else 4), "mode=755")
    os.makedirs(root + "/proc", exist_ok=True)
    for folder in how.get("folders", []):
        os.makedirs(root + folder, exist_ok=True)
    for source, target, flags in how.get("binds", []):
        if os.path.isdir(source):
            os.makedirs(root + target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(root + target), exist_ok=True)
            open(root + target, "w").close()
        mount(source, root + target, None, 4096)
        mount(None, root + target, None, 4096 | 32 | 2 | 4 | flags)
    for tree, target in shared:
        os.makedirs(root + target, exist_ok=True)
        must(LIBC.syscall(429, tree, b"", -100, (root + target).encode(), 4), "move_mount")
        os.close(tree)
    for kind, target, flags in how.get("mounts", []):
        os.makedirs(root + target, exist_ok=True)
        mount(kind, root + target, kind, flags)
    for path, mode, major, minor in how.get("nodes", []):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.mknod(root + path, mode, os.makedev(major, minor))
        os.chmod(root + path, mode & 0o777)
    for path, mode in how.get("files", []):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        open(root + path, "w").close()
        os.chmod(root + path, mode)
    if how.get("exec"):
        shutil.copy(how["exec"], root + "/program")
    for path in how.get("sockets", []):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        listen_at(root + path)


def listen_at(path):
    """A socket of the jail's own; the file stays when nobody listens any more. An address has room for 107 bytes."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    os.close(folder)
    os.chmod(path, 0o666)


def enter_root(how):
    root = how["scratch"] + "/root"
    if how["root"] == "none":
        return
    if how["root"] in ("chroot", "foreign"):
        os.chdir(root)
        os.chroot(".")
    elif how["root"] == "tree":
        return
    else:
        if how.get("proc", True):
            mount("proc", root + "/proc", "proc", 2 | 4 | 8 | (1 if how.get("proc_read_only") else 0))
        os.chdir(root)
        must(LIBC.syscall(155, b".", b"."), "pivot_root")
        must(LIBC.umount2(b".", 2), "umount")
    os.chdir(how.get("cwd", "/"))


def open_things(how, kept):
    for what, *words in how.get("open", []):
        if what == "path":
            kept.append(os.open(words[0], words[1]))
        elif what == "socket":
            kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach())
        elif what == "bpf":
            attributes = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 128)
            kept.append(must(LIBC.syscall(321, 0, attributes, 128), "bpf"))
        elif what == "top":
            os.dup2(os.open("/", os.O_RDONLY), words[0])
        elif what == "standard":
            file = os.open(words[0], os.O_WRONLY)
            os.dup2(file, 1)
            os.close(file)
        elif what == "disk":
            kept.append(open_disk(how["scratch"], words[0]))


def open_inside(how, kept):
    for what, *words in how.get("open", []):
        if what == "inside":
            kept.append(os.open(words[0], words[1]))


def open_disk(scratch, flags):
    """A disk of this machine, which is not read; a loop device where the machine keeps its disks to itself."""
    with open("/proc/partitions", encoding="ascii") as file:
        rows = [line.split() for line in file]
    for major, minor in [(int(row[0]), int(row[1])) for row in rows if len(row) == 4 and row[0].isdigit()] + [(7, 0)]:
        node = f"{scratch}/disk{major}:{minor}"
        os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(major, minor))
        try:
            return os.open(node, flags)
        except OSError as refused:
            why = refused
    raise why


def enter_users(how):
    """A user namespace that maps one user of the outside to root inside."""
    outside = how["users"]
    os.setgroups([])
    os.setresgid(outside, outside, outside)
    os.setresuid(outside, outside, outside)
    prctl(4, 1)  # its maps belong to it only while it is dumpable
    must(LIBC.unshare(0x10000000), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {outside} 1"), ("gid_map", f"0 {outside} 1")):
        with open("/proc/self/" + name, "wb") as file:
            file.write(text.encode())


def give_up(how):
    for name, limit in how.get("limits", {}).items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (limit, limit))
    if "oom" in how:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(how["oom"]))
    bounding = how.get("bounding", [])
    for number in range(41):
        if number not in bounding and number != 8:
            LIBC.prctl(24, number, 0, 0, 0)
    if "users" not in how:
        os.setgroups(how.get("groups", []))
    prctl(8, 1)
    os.setresgid(how["uid"], how["uid"], how["uid"])
    os.setresuid(*how.get("uids", [how["uid"]] * 3))
    capabilities = how.get("capabilities", [])
    inheritable = how.get("inheritable", []) + how.get("ambient", [])
    every = bits(capabilities + how.get("ambient", []))
    if 8 not in bounding:
        set_capabilities(every | 1 << 8, every | 1 << 8, bits(inheritable))
        LIBC.prctl(24, 8, 0, 0, 0)
    set_capabilities(every, every, bits(inheritable))
    for number in how.get("ambient", []):
        prctl(47, 2, number)
    prctl(4, 0 if how.get("hidden") else 1)
    if how.get("label"):
        with open("/proc/self/attr/current", "wb", buffering=0) as file:
            file.write(b"changeprofile " + how["label"].encode())
    if how.get("no_new_privs", True):
        prctl(38, 1)


def in_thread(work):
    ready = threading.Event()

    def body():
        work()
        ready.set()
        time.sleep(600)
    threading.Thread(target=body, daemon=True).start()
    ready.wait(10)


def hold(how, tell, kept):
    outside = os.open("/", os.O_RDONLY)
    open_things(how, kept)
    if how["root"] == "foreign":
        os.chdir(how["scratch"])
    enter_root(how)
    open_inside(how, kept)
    if how.get("cwd_outside"):
        os.fchdir(outside)
    os.close(outside)
    if "users" in how:
        enter_users(how)
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    give_up(how)
    if how.get("thread") == "files":
        in_thread(lambda: must(LIBC.unshare(0x400), "unshare"))
        for descriptor in kept:
            os.close(descriptor)
    if how.get("thread") == "filter":
        in_thread(lambda: None)
    if how.get("filter") is not None:
        load_filter(filter_of(how["filter"], how.get("entry")))
    if how.get("exec"):  # that it has begun is told by the end of the pipe
        os.execve("/program", ["sleep", "600"], {})
    os.write(tell, b"x")
    os.close(tell)
    time.sleep(600)


def main():
    how = {"spaces": list(SPACES), "root": "pivot", "uid": NOBODY}
    how.update(json.loads(sys.argv[1]))
    for name in list(os.environ):
        if name not in how.get("environment", {}):
            LIBC.unsetenv(name.encode())
    for group in how.get("join", []):
        with open(group, "w", encoding="ascii") as file:
            file.write("0")
    kept = [os.open(path, os.O_RDONLY) for what, path, *_ in how.get("open", []) if what == "before"]
    kept += [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()
             for what, *_ in how.get("open", []) if what == "socket-before"]
    foreign = os.open("/", os.O_RDONLY | os.O_DIRECTORY) if how["root"] == "foreign" else -1
    must(LIBC.unshare(ctypes.c_int(sum(SPACES[space] for space in how["spaces"]))), "unshare")
    make_root(how)
    ready, tell = os.pipe()
    if ["pidfd", ""] in how.get("open", []):
        kept.append(os.pidfd_open(os.getpid()))
    terminal = os.openpty() if "terminal" in how else []
    if ["terminal", ""] in how.get("open", []):
        kept.append(os.openpty()[1])
    if how.get("terminal") == "shared":
        fcntl.ioctl(terminal[1], termios.TIOCSCTTY, 0)
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        if how.get("terminal") == "own":
            os.setsid()
            fcntl.ioctl(terminal[1], termios.TIOCSCTTY, 0)
        for descriptor in terminal:
            os.close(descriptor)
        LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
        if foreign >= 0:
            os.fchdir(foreign)
            os.chroot(".")
            os.chdir("/")
            how["root"] = "none"
        try:
            hold(how, tell, kept)
        except (OSError, ValueError) as refused:
            print(refused, file=sys.stderr, flush=True)
        finally:
            os.write(tell, b"e")
            os._exit(1)
    os.close(tell)
    if os.read(ready, 1) != (b"" if how.get("exec") else b"x"):
        sys.exit(1)  # the process itself has said why
    print(pid, flush=True)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
