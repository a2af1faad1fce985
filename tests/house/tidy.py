"""clang-tidy over src/, in TAP: tidy.py TOP BUILD [JOBS [quick]].

What only the start program is made of is read as the folder "start" beside BUILD compiles it.

"quick" leaves the path-sensitive analyzer out, which takes three quarters of the time, and reads together what is compiled
together (cmake/unity.py): the few checks that look at nothing but the file they are asked for are left out so. `./dev test`
is quick, `./dev lint` is whole and reads each file by itself.

A file whose text, headers, flags and rules are those of the last good run is not read again (BUILD/tidy holds the
digests), so that the second run takes a second."""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

TIDY = "clang-tidy-14"
# What means nothing of files that are read together.
OF_SINGLE_FILES = "-bugprone-suspicious-include,-readability-redundant-declaration"
QUICK = "-clang-analyzer-*"
UNITY = re.compile(r"/Unity/unity_\w+\.cxx$")
MEMBER = re.compile(r'^#include "(/.*\.cc)"$', re.M)
# What gcc understands and clang does not.
GCC_ONLY = re.compile(r" (?:-Wno-restrict|-fno-tree-\S+|-fconserve-stack)(?= )")


def dependencies(build):
    """{object: [files]} as ninja knows them from the last build."""
    result = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True)
    found, current = {}, None
    for line in result.stdout.splitlines():
        if match := re.match(r"(\S+): #deps", line):
            current = found.setdefault(match.group(1), [])
        elif line.startswith("    ") and current is not None:
            current.append(os.path.join(build, line.strip()))
    return found


def members(file):
    """The files that are compiled with this one, or itself."""
    if not UNITY.search(file):
        return [file]
    with open(file, encoding="utf-8") as unity:
        return MEMBER.findall(unity.read())


def compiled(folder, top, mode):
    """What the folder compiles of src/: [(files, entry of the compilation database)]."""
    with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as file:
        database = json.load(file)
    for entry in database:
        files = members(entry["file"])
        if not os.path.realpath(files[0]).startswith(os.path.join(top, "src/")):
            continue
        if mode == "quick":
            yield files, entry
            continue
        for file in files:
            yield [file], {**entry, "file": file, "command": entry["command"].replace(entry["file"], file)}


def rules_of(top, name):
    """The checks of the nearest folder that has rules of its own: clang-tidy looks for them beside the file it is given."""
    folder = os.path.dirname(name)
    while folder != top:
        if os.path.exists(path := os.path.join(folder, ".clang-tidy")):
            with open(path, encoding="utf-8") as file:
                return re.findall(r"^Checks: '(.*)'$", file.read(), re.M)
        folder = os.path.dirname(folder)
    return []


def digest_of(files, texts):
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    for name in sorted(set(files)):
        with open(name, "rb") as file:
            digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()


def main(top, build, jobs="2", mode="whole"):
    if shutil.which(TIDY) is None:
        print(f"ok - lint # SKIP {TIDY} is not installed")
        return 0
    top, build = os.path.realpath(top), os.path.realpath(build)
    entries, known = [], {}
    for folder in (build, os.path.join(os.path.dirname(build), "start")):
        if not os.path.exists(os.path.join(folder, "compile_commands.json")):
            print(f"not ok - tidy: {folder} is not built")
            return 1
        seen = {file for files, _ in entries for file in files}
        entries += [(files, entry) for files, entry in compiled(folder, top, mode) if not seen.issuperset(files)]
        known = {**dependencies(folder), **known}
    # Those of the top, and of the folders that have some of their own: clang-tidy finds the nearest.
    rules = ""
    for folder, _, names in sorted(os.walk(os.path.join(top, "src"))) + [(top, [], [".clang-tidy"])]:
        if ".clang-tidy" in names:
            with open(os.path.join(folder, ".clang-tidy"), encoding="utf-8") as file:
                rules += file.read()
    stamps = os.path.join(build, "tidy")
    os.makedirs(stamps, exist_ok=True)
    for _, entry in entries:
        entry["command"] = GCC_ONLY.sub("", entry["command"])
    with open(os.path.join(stamps, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump([entry for _, entry in entries], file)

    def look(compiled_together):
        files, entry = compiled_together
        names = [os.path.relpath(os.path.realpath(file), top) for file in files]
        output = re.search(r" -o (\S+)", entry["command"])
        everything = known.get(output.group(1), []) if output else []
        needed = [dep for dep in everything if os.path.realpath(dep).startswith((top, build))]
        digest = digest_of([*files, *needed], [rules, entry["command"]])
        stamp = os.path.join(stamps, names[0].replace("/", "."))
        if needed and os.path.exists(stamp):
            with open(stamp, encoding="utf-8") as file:
                if file.read() in (f"{digest} whole", f"{digest} {mode}"):
                    return names, 0, ""
        checks = [QUICK] if mode == "quick" else []
        if len(files) > 1:
            checks += [OF_SINGLE_FILES, *rules_of(top, os.path.realpath(files[0]))]
        words = ["--checks=" + ",".join(checks)] if checks else []
        result = subprocess.run([TIDY, "-p", stamps, "--quiet", *words, entry["file"]], capture_output=True, text=True)
        if result.returncode == 0:
            with open(stamp, "w", encoding="utf-8") as file:
                file.write(f"{digest} {mode}")
        return names, result.returncode, result.stdout + (result.stderr if result.returncode else "")

    bad = 0
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        for names, status, text in pool.map(look, entries):
            for line in text.splitlines():
                print(f"# {line}")
            # A finding names its file; of those that were read with it, nobody can tell that they are clean.
            for name in names:
                print(f"{'not ok' if status else 'ok'} - tidy {name}", flush=True)
            bad += status != 0
    if not entries:
        print("not ok - tidy found no file in compile_commands.json")
    return bad or not entries


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:5]) else 0)
