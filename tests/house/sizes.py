"""A file is one topic and a function one thought: files below src/ have at most 500 lines, functions at most 80.

Tables are not functions, however long they are. Generated lists (*.inc) are not files that anybody reads."""
import re

import house

FILE_LINES = 500
FUNCTION_LINES = 80


def functions_of(text):
    """(first line, lines, head) of every outermost function body."""
    code = house.blank(text)
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.M)
    stack, head_from, found = [], 0, []
    for at, char in enumerate(code):
        if char == "{":
            head = code[head_from:at].strip()
            inside = any(kind == "function" for kind, _, _ in stack)
            is_function = not inside and "(" in head and not re.search(r"(=|\breturn|,|\()$", head) and \
                not re.match(r"(namespace|extern|enum)\b", head)
            if re.match(r"(class|struct|union)\b[^()]*$", head):
                is_function = False
            stack.append(("function" if is_function else "other", head_from + len(code[head_from:at]) - len(code[head_from:at].lstrip()), head))
            head_from = at + 1
        elif char == "}":
            if stack:
                kind, start, head = stack.pop()
                if kind == "function":
                    first = code.count("\n", 0, start) + 1
                    found.append((first, code.count("\n", 0, at) + 2 - first, " ".join(head.split())))
            head_from = at + 1
        elif char == ";" and not (stack and stack[-1][0] == "function"):
            head_from = at + 1
    return found


def complaints_of(name, text):
    complaints = []
    lines = text.count("\n")
    if lines > FILE_LINES:
        complaints.append(f"{name}: {lines} lines, {FILE_LINES} are allowed")
    for first, count, head in functions_of(text):
        if count > FUNCTION_LINES:
            complaints.append(f"{name}:{first}: {count} lines, {FUNCTION_LINES} are allowed: {head[:60]}")
    return complaints


def check(top):
    complaints = []
    for name in house.tracked_files(top):
        if name.startswith("src/") and name.endswith((".h", ".cc")):
            complaints += complaints_of(name, house.read(top, name))
    return complaints


def self_test():
    body = "  call();\n" * (FUNCTION_LINES - 2)
    right = "namespace a {\nint f(int x) {\n" + body + "}\n}  // namespace a\n"
    samples = [
        ("a file of 501 lines", "\n" * 501, True),
        ("a file of 500 lines", "\n" * 500, False),
        ("a function of 80 lines", right, False),
        ("a function of 81 lines", right.replace("{\n  call", "{\n\n  call", 1), True),
        ("a long member with an initialiser list",
         "class A {\n public:\n  A() : x_(1), y_(2) {\n" + body + "\n  }\n};\n", True),
        ("a long table", "constexpr Row kRows[] = {\n" + "  {1, f(2)},\n" * 200 + "};\n", False),
        ("a long table of calls", "const auto kRows = make(\n" + "  row(1, 2),\n" * 200 + ");\n", False),
        ("a brace in a string", 'const char* f() { return "{"; }\n' + right, False),
        ("a separator of digits", "int f() { return 1'000; }\n" + right, False),
        ("a long class of short functions", "struct A {\n" + "  int f() { return 1; }\n" * 200 + "};\n", False),
    ]
    return [f"sizes: {'allows' if refused else 'refuses'} {what}" for what, text, refused in samples
            if bool(complaints_of("sample", text)) != refused]


if __name__ == "__main__":
    house.main(check, self_test)
