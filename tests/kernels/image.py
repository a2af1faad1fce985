"""The root of the test machine: an initramfs of busybox, some programs of this host with their libraries, and the
tests; and the kernel that it is for."""
import glob
import gzip
import lzma
import os
import re
import shutil
import stat
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))

# Programs of the host that the tests start; what is missing is left out, and tests that need it skip.
PROGRAMS = """sh bash dash cat ls id env sleep true false echo kill ps stat head tail wc grep stty setpriv timeout uname
 hostname mkdir rm cp mv ln chmod chown touch dd seq tr sed awk mawk find sort date nproc test tty readlink realpath
 mount umount unshare nsenter newuidmap newgidmap ip setsid getent printf du df tar gzip""".split()
# What busybox stands in for, when the host has no such program.
APPLETS = """mount umount mkdir ln cat echo ip hostname stty insmod chown chmod tr env setpriv timeout sync poweroff sh
 uname setsid sleep ls cp rm id""".split()
# Loaded by init, in the order of their names.
MODULES = ["overlay", "fuse", "tun", "binfmt_misc", "brd", "unix_diag", "netlink_diag", "inet_diag", "tcp_diag", "udp_diag"]
AS_INSTALLED = ["kernel/drivers/net/dummy.ko"]                # where the distribution has it


class Skip(Exception):
    """Cannot be run here; the text says why."""


class Initramfs:
    """A cpio archive in the kernel's "newc" format, written without the need to be root."""

    def __init__(self):
        self.entries = {}  # path -> (mode, contents, (major, minor))

    def directory(self, path, mode=0o755):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.directory(parent)
        self.entries.setdefault(path, (stat.S_IFDIR | mode, b"", (0, 0)))

    def add(self, path, mode, contents, device=(0, 0)):
        self.directory(os.path.dirname(path))
        self.entries.setdefault(path, (mode, contents, device))

    def text(self, path, contents, mode=0o644):
        self.add(path, stat.S_IFREG | mode, contents.encode())

    def link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def file(self, source, path, mode=None):
        with open(source, "rb") as file:
            contents = file.read()
        self.add(path, stat.S_IFREG | (mode or stat.S_IMODE(os.stat(source).st_mode)), contents)

    def write(self, path):
        with gzip.open(path, "wb", compresslevel=1) as out:
            for number, (name, entry) in enumerate([*sorted(self.entries.items()), ("TRAILER!!!", None)], 1):
                mode, contents, device = entry or (0, b"", (0, 0))
                if not name:
                    continue
                encoded = name.encode() + b"\0"
                fields = [number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(contents), 0, 0,
                          device[0], device[1], len(encoded), 0]
                header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
                out.write(header + b"\0" * (-len(header) % 4))
                out.write(contents + b"\0" * (-len(contents) % 4))


def find_kernel(cache):
    """(kernel image, folder of its modules)"""
    def newest(root):
        images = sorted(glob.glob(f"{root}/boot/vmlinuz-*-cloud-amd64"),
                        key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
        for image in reversed(images):
            modules = f"{root}/lib/modules/{os.path.basename(image)[len('vmlinuz-'):]}"
            if os.access(image, os.R_OK) and os.path.isdir(modules):
                return image, modules
        return None
    if found := newest("") or newest(cache):
        return found
    if not shutil.which("apt-get"):
        raise Skip("there is no cloud kernel in /boot, and no apt-get to fetch one")
    depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True).stdout
    names = re.findall(r"Depends: (linux-image-\S+-cloud-amd64)", depends)
    if not names:
        raise Skip("apt knows no package linux-image-cloud-amd64")
    os.makedirs(cache, exist_ok=True)
    fetched = subprocess.run(["apt-get", "download", "-qq", names[0]], cwd=cache, capture_output=True, text=True)
    packages = glob.glob(f"{cache}/linux-image-*.deb")
    if fetched.returncode != 0 or not packages:
        raise Skip(f"{names[0]} cannot be downloaded: {fetched.stderr.strip().splitlines()[-1:]}")
    subprocess.run(["dpkg-deb", "-x", packages[0], cache], check=True)
    os.unlink(packages[0])
    found = newest(cache)
    if not found:
        raise Skip(f"{names[0]} holds no kernel")
    return found


def libraries(program):
    """What the loader would map for a dynamic program; empty for a static one."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(?:=> )?(/\S+) \(0x", listed)


def usr_merged(path):
    """Debian's /bin, /sbin, /lib and /lib64 are links below /usr."""
    return "/usr" + path if re.match(r"/(bin|sbin|lib|lib64)/", path) else path


def add_program(image, source, path):
    if path.lstrip("/") in image.entries:
        return
    # newuidmap and newgidmap have file capabilities or a set-id bit: an archive carries only the latter.
    mode = 0o4755 if os.path.basename(path) in ("newuidmap", "newgidmap") else 0o755
    image.file(source, path.lstrip("/"), mode)
    for library in libraries(source):
        target = usr_merged(library).lstrip("/")
        if target not in image.entries:
            image.file(os.path.realpath(library), target, 0o755)


PYTHON = "/usr/bin/python3"


def add_python(image, tests):
    """Python of the distribution with its library, and a folder of tests in /opt/immure."""
    if not os.path.exists(PYTHON):
        raise Skip("/usr/bin/python3 (package python3) is not installed")
    add_program(image, os.path.realpath(PYTHON), PYTHON)
    library = f"/usr/lib/{os.path.basename(os.path.realpath(PYTHON))}"
    for folder, folders, files in os.walk(library):
        folders[:] = [name for name in folders if name not in ("__pycache__", "test", "idlelib", "lib2to3", "tkinter", "config-3.11-x86_64-linux-gnu")]
        for name in files:
            source = os.path.join(folder, name)
            if name.endswith(".so"):
                add_program(image, source, source)
            elif name.endswith(".py"):
                image.file(source, source.lstrip("/"), 0o644)
    for name in os.listdir(tests):
        if name.endswith((".py", ".txt")):
            image.file(f"{tests}/{name}", f"opt/immure/{os.path.basename(tests)}/{name}", 0o644)
    for name in ("tap_of.py", "processes.py"):
        image.file(f"{os.path.dirname(HERE)}/support/{name}", f"opt/immure/{name}", 0o644)


def module_file(modules, name):
    """The contents of a module, unpacked; None when it is built in."""
    for path in glob.glob(f"{modules}/**/{name}.ko*", recursive=True):
        with open(path, "rb") as file:
            contents = file.read()
        return lzma.decompress(contents) if path.endswith(".xz") else contents
    return None


def make_image(programs, kernel, modules, target, names=None, tests=None):
    """`names`: of the programs these alone, and the kernel itself in /boot. `tests`: a folder of Python's."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise Skip("busybox (package busybox-static) is not installed")
    if libraries(busybox):
        raise Skip("busybox is not static; install busybox-static")
    image = Initramfs()
    for name in ("dev", "proc", "sys", "run", "tmp", "etc", "root", "home", "var", "srv", "usr/sbin", "usr/lib", "opt/modules"):
        image.directory(name)
    for name in ("bin", "sbin", "lib", "lib64"):
        image.directory(f"usr/{name}")
        image.link(name, f"usr/{name}")
    image.add("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1))
    image.file(f"{HERE}/init", "init", 0o755)
    image.file(busybox, "usr/bin/busybox", 0o755)
    for name in PROGRAMS:
        if path := shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin"):
            add_program(image, os.path.realpath(path), f"/usr/bin/{name}")
    for name in APPLETS:
        if f"usr/bin/{name}" not in image.entries:
            image.link(f"usr/bin/{name}", "busybox")
    for folder, _, files in os.walk(programs):
        if "/home-" in folder:
            continue
        for name in files:
            if names is not None and name not in names:
                continue
            source = os.path.join(folder, name)
            inside = os.path.join("/opt/immure", os.path.relpath(source, programs))
            if os.access(source, os.X_OK):
                add_program(image, source, inside)
            else:
                image.file(source, inside.lstrip("/"), 0o644)
    for name in MODULES:
        if (contents := module_file(modules, name)) is not None:
            image.add(f"opt/modules/{name}.ko", stat.S_IFREG | 0o644, contents)
    release = os.path.basename(modules)
    for name in AS_INSTALLED:
        if os.path.exists(f"{modules}/{name}"):
            image.file(f"{modules}/{name}", f"usr/lib/modules/{release}/{name}", 0o644)
    if names is not None:
        image.file(kernel, f"boot/vmlinuz-{release}", 0o644)
    if tests:
        add_python(image, tests)
    image.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nimmure-test:x:1000:1000::/home:/bin/sh\n")
    image.text("etc/group", "root:x:0:\ntty:x:5:\nimmure-test:x:1000:\n")
    image.text("etc/subuid", "immure-test:100000:65536\n")
    image.text("etc/subgid", "immure-test:100000:65536\n")
    image.text("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o600)
    image.text("etc/hosts", "127.0.0.1 localhost\n")
    image.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    if os.path.exists("/etc/ld.so.cache"):
        image.file("/etc/ld.so.cache", "etc/ld.so.cache", 0o644)
    image.write(target)
