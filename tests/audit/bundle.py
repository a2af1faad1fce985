#!/usr/bin/env python3
"""bundle.py ENGINE ROOT PROGRAM [WORD…]: runs it by crun or runc, with the configuration that their `spec` writes."""
import json
import os
import shutil
import subprocess
import sys
import tempfile


def started_by(engine):
    """crun does not start where control groups of both versions are mounted: the newer ones are hidden from it."""
    unified = "/sys/fs/cgroup/unified"
    if engine != "crun" or not os.path.ismount(unified):
        return []
    hide = f"umount -l {unified} && mount -t tmpfs none {unified} && exec \"$@\""
    return ["unshare", "--mount", "sh", "-c", hide, "sh"]


def main():
    engine, root, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    bundle = tempfile.mkdtemp(prefix="immure-test-bundle-")
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
