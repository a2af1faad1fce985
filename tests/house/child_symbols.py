"""Between clone and exec nothing allocates and nothing calls into libc: the child's room needs no symbol from outside
but those listed here. Usage: child_symbols.py [TOP] LIBRARY, the archive of the child's room."""
import os
import subprocess
import sys
import tempfile

import house

ALLOWED = {
    # what the compiler makes of loops and copies
    "memcpy", "memset", "memmove", "memcmp", "strlen", "bcmp",
    # kernel/clone_call.cc: the system call that returns on a stack of its own
    "immure::sys::clone_call(void*, unsigned long, int (*)(void*), void*)",
    # -fstack-protector of the start binary; ends the process
    "__stack_chk_fail",
    "_GLOBAL_OFFSET_TABLE_",
}


def symbols(nm_output):
    """(defined, undefined), of `nm -C` over one or many objects."""
    defined, undefined = set(), set()
    for line in nm_output.splitlines():
        # "0000000000000000 T name" or "                 U name"
        kind, _, name = line[17:].partition(" ")
        if not name or line.endswith(":"):
            continue
        (undefined if kind in ("U", "w", "v") else defined).add(name)
    return defined, undefined


def complaints_of(nm_output):
    defined, undefined = symbols(nm_output)
    strangers = undefined - defined - ALLOWED
    complaints = [f"the child needs '{name}', which is not on the list" for name in sorted(strangers)]
    guards = [name for name in defined if name.startswith("guard variable for")]
    complaints += [f"the child has a variable that is initialised when first used: {name}" for name in sorted(guards)]
    if not defined:
        complaints.append("the archive holds no symbol at all")
    return complaints


def nm(library):
    # gcc-nm also reads objects of -flto.
    tool = "gcc-nm" if any(os.access(os.path.join(p, "gcc-nm"), os.X_OK) for p in os.environ["PATH"].split(":")) else "nm"
    result = subprocess.run([tool, "-C", library], capture_output=True, text=True)
    if result.returncode != 0:
        return None, result.stderr.strip()
    return result.stdout, ""


def check(*words):
    output, problem = nm(words[-1])
    return [problem or f"{words[-1]} cannot be read"] if output is None else complaints_of(output)


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        samples = [
            ("an allocation", "int* f() { return new int(1); }", True),
            ("printf", "#include <stdio.h>\nvoid f() { printf(\"%d\", 1); }", True),
            ("errno of libc", "#include <unistd.h>\nlong f() { return close(1); }", True),
            ("a guarded static", "int g(); int f() { static int x = g(); return x; } int g() { return 1; }", True),
            ("copies and own functions", "#include <string.h>\nstruct A { char x[999]; };\nint g(A* a);\n"
             "void f(A* a, A* b, unsigned n) { memcpy(a, b, n); g(a); }\nint g(A*) { return 1; }", False),
        ]
        for what, text, refused in samples:
            source, target = os.path.join(folder, "a.cc"), os.path.join(folder, "a.o")
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            subprocess.run([os.environ.get("CXX", "g++"), "-O0", "-c", source, "-o", target], check=True)
            if bool(check(target)) != refused:
                bad.append(f"child_symbols: {'allows' if refused else 'refuses'} {what}")
    if not complaints_of(""):
        bad.append("child_symbols: allows an empty archive")
    return bad


if __name__ == "__main__":
    house.main(check, self_test)
