#!/usr/bin/env python3
"""bundle.py ENGINE OWNER ROOT PROGRAM [WORD…]: runs it by crun or runc, with the configuration that their `spec` writes.

OWNER is the number of the process that tests; clear() takes away what is left of its bundles, and of those whose owner
has gone: whoever kills this program leaves the engine's state and control groups behind.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PREFIX = "immure-test-bundle-"
GROUPS = "/sys/fs/cgroup"


def started_by(engine):
    """crun does not start where control groups of both versions are mounted: the newer ones are hidden from it."""
    unified = "/sys/fs/cgroup/unified"
    if engine != "crun" or not os.path.ismount(unified):
        return []
    hide = f"umount -l {unified} && mount -t tmpfs none {unified} && exec \"$@\""
    return ["unshare", "--mount", "sh", "-c", hide, "sh"]


def is_mine(name, owner):
    found = re.match(PREFIX + r"(\d+)-", name)
    return bool(found) and (int(found[1]) == owner or not os.path.exists("/proc/" + found[1]))


def remove_group(folder):
    """With those below it, and with who is still in them."""
    for name in os.listdir(folder):
        if os.path.isdir(f"{folder}/{name}"):
            remove_group(f"{folder}/{name}")
    end = time.monotonic() + 10
    while True:
        try:
            with open(folder + "/cgroup.procs", encoding="ascii") as file:
                for pid in file.read().split():
                    os.kill(int(pid), signal.SIGKILL)
            os.rmdir(folder)
            return
        except (FileNotFoundError, ProcessLookupError):
            if not os.path.exists(folder):
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise OSError(f"the control group {folder} cannot be removed")
        time.sleep(0.02)


def clear(owner):
    """What is left of the bundles; the groups that were removed."""
    for state in ("/run/runc", "/run/crun"):
        for folder in glob.glob(f"{state}/{PREFIX}*"):
            if is_mine(os.path.basename(folder), owner):
                subprocess.run([os.path.basename(state), "delete", "--force", os.path.basename(folder)], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    removed = []
    for folder, names, _ in os.walk(GROUPS):
        for name in [name for name in names if is_mine(name, owner)]:
            names.remove(name)
            remove_group(f"{folder}/{name}")
            removed.append(f"{folder}/{name}")
    for folder in glob.glob(f"{tempfile.gettempdir()}/{PREFIX}*"):
        if is_mine(os.path.basename(folder), owner):
            shutil.rmtree(folder, ignore_errors=True)
    return removed


def main():
    engine, owner, root, words = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    bundle = tempfile.mkdtemp(prefix=f"{PREFIX}{owner}-")
    name = os.path.basename(bundle)
    subprocess.run([engine, "spec"], cwd=bundle, check=True)
    with open(bundle + "/config.json", encoding="utf-8") as file:
        config = json.load(file)
    config["process"].update(args=words, terminal=False, cwd="/")
    config["root"] = {"path": root, "readonly": False}
    program = words[0]
    if not os.path.exists(root + program):
        config["mounts"].append({"destination": os.path.dirname(program), "source": os.path.dirname(program),
                                 "type": "bind", "options": ["rbind", "ro"]})
    with open(bundle + "/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    before = started_by(engine)
    done = subprocess.run([*before, engine, "run", "--bundle", bundle, name], check=False)
    subprocess.run([*before, engine, "delete", "--force", name], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(bundle, ignore_errors=True)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
