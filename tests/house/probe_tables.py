"""Every attack's row is in the battery.

A table function (`std::span<const Probe> NAME()`) that two folders of src/probes/ define under one name is no error of
the linker's in a static library: one of the two files is left out, and its rows with it. One that no table.cc names is
left out the same way. So: each name is defined once, and named by one table.cc; a file of a category's folder has a table
function, or a header of its own for those that have one."""
import os
import re

import house

DEFINED = re.compile(r"\bstd::span<const Probe>\s+(?P<name>\w+)\(\)\s*\{")
# The list in a table.cc: what is between the braces of its array.
LISTED = re.compile(r"\bkTechniques\[\]\s*=\s*\{(?P<list>[^}]*)\}")


def complaints_of(files):
    """`files`: {path below src/probes/: text}."""
    defined, listed, complaints = {}, {}, []
    for name, text in sorted(files.items()):
        if not name.endswith(".cc") or "/" not in name:
            continue
        code = house.blank(text)
        if name.endswith("/table.cc"):
            for match in LISTED.finditer(code):
                for word in re.findall(r"\w+(?=\(\))", match.group("list")):
                    if word in listed:
                        complaints.append(f"src/probes/{name}: {word}() is in {listed[word]}, too: its rows would run twice")
                    listed.setdefault(word, name)
            continue
        here = [match.group("name") for match in DEFINED.finditer(code)]
        for word in here:
            if word in defined:
                complaints.append(f"src/probes/{name}: {word}() is in {defined[word]}, too: the linker drops one of them")
            defined.setdefault(word, name)
        if not here and name[:-len("cc")] + "h" not in files:
            complaints.append(f"src/probes/{name}: has neither a table of attacks nor a header")
    for word, name in defined.items():
        if word not in listed:
            complaints.append(f"src/probes/{name}: {word}() is in no table.cc: its rows are never run")
    for word, name in listed.items():
        if word not in defined:
            complaints.append(f"src/probes/{name}: {word}() is defined nowhere")
    return complaints


def check(top):
    start = "src/probes/"
    files = {name[len(start):]: house.read(top, name) for name in house.tracked_files(top) if name.startswith(start)}
    if not any(name.endswith("/table.cc") for name in files):
        return [f"{start}: there is no table.cc: the check looks at the wrong place"]
    return complaints_of(files)


def self_test():
    function = "std::span<const Probe> {}() {{ return kRows; }}\n"
    table = "std::span<const Probe> {0}();\nauto f() {{ static const X kTechniques[] = {{{0}()}}; }}\n"
    right = {"links/a.cc": function.format("ways"), "links/table.cc": table.format("ways"), "links/help.cc": "int f();\n",
             "links/help.h": "", "main.cc": "int main() {}\n"}
    samples = [
        ("what is in order", {}, False),
        ("a table in a comment", {"links/help.cc": "// " + function.format("ways")}, False),
        ("one name in two folders", {"root/b.cc": function.format("ways")}, True),
        ("a table that nobody names", {"links/b.cc": function.format("more")}, True),
        ("a table that is only declared",
         {"links/b.cc": function.format("more"),
          "links/table.cc": "std::span<const Probe> more();\n" + table.format("ways")}, True),
        ("a name without a table", {"links/table.cc": table.format("ways").replace("ways()}", "ways(), more()}")}, True),
        ("a table that is named twice", {"root/table.cc": table.format("ways")}, True),
        ("a file without a table or a header", {"links/lost.cc": "int g();\n"}, True),
    ]
    bad = [f"probe_tables: {'allows' if refused else 'refuses'} {what}" for what, changed, refused in samples
           if bool(complaints_of({**right, **changed})) != refused]
    if not check(os.path.join(os.path.dirname(__file__), "none")):
        bad.append("probe_tables: finds nothing wrong where there is nothing")
    return bad


if __name__ == "__main__":
    house.main(check, self_test)
