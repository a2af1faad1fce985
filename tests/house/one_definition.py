"""A type's name is its own: two types of one name in one namespace are one type to the linker, which takes the functions of
either for the other's. No compiler says so, and optimising hides it.

What a file keeps to itself stands in a namespace without a name; what is defined inside another type is not looked at."""
import re

import house

OPENS = re.compile(r"namespace\s*([\w:]*)\s*$")
TYPE = re.compile(r"(?:template\s*<.*>\s*)?(?:struct|class|union|enum(?:\s+class|\s+struct)?)\s+(?:alignas\([^)]*\)\s*)?(\w+)(?:\s+final)?\s*(?::[^:].*)?$", re.S)


def types_of(text):
    """Names, with their namespaces, of the types that a file defines for others to see."""
    code = re.sub(r"^[ \t]*#[^\n]*", "", house.blank(text), flags=re.M)
    stack, found, head_from = [], [], 0
    for at, char in enumerate(code):
        if char == "{":
            head = " ".join(code[head_from:at].split())
            opened, defined = OPENS.match(head), TYPE.match(head)
            if defined and not opened and all(space for space in stack):
                found.append("::".join([*stack, defined[1]]))
            stack.append(opened[1] if opened else "")
            head_from = at + 1
        elif char == "}":
            if stack:
                stack.pop()
            head_from = at + 1
        elif char == ";":
            head_from = at + 1
    return found


def complaints_of(files):
    seen, complaints = {}, []
    for name, text in files:
        for found in types_of(text):
            if found in seen and seen[found] != name:
                complaints.append(f"{name}: {found} is also a type of {seen[found]}")
            seen.setdefault(found, name)
    return complaints


def check(top):
    return complaints_of([(name, house.read(top, name)) for name in house.tracked_files(top)
                          if name.startswith("src/") and name.endswith((".h", ".cc"))])


def self_test():
    one = "namespace immure::cli {\nstruct Gathered {\n  int found;\n};\n}\n"
    own = "namespace immure::cli {\nnamespace {\nstruct Gathered {\n};\n}\nstruct Other { struct Gathered {}; };\n}\n"
    there = "namespace immure::run {\nclass Gathered final : public A {\n};\nstruct Later;\nenum class Kind : int { A };\n}\n"
    complaints = []
    if complaints_of([("a.h", one), ("b.cc", own), ("c.h", there)]):
        complaints.append("one_definition: refuses good samples")
    if len(complaints_of([("a.h", one), ("b.h", one)])) != 1:
        complaints.append("one_definition: two types of one name are let pass")
    if types_of(there) != ["immure::run::Gathered", "immure::run::Kind"]:
        complaints.append(f"one_definition: finds {types_of(there)}")
    return complaints


if __name__ == "__main__":
    house.main(check, self_test)
