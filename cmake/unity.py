"""Which files of a library are compiled together: unity.py LIMIT FOLDER… -- file…

Most of what a compiler does for a small file it does for the headers, and does again for the next file. Files that are
compiled together share their unnamed namespaces: one that declares something there is kept apart from those that declare
the same, use that name for something else, or have headers that do. A file that defines macros, takes a whole namespace, or
says "unity: alone" with the reason, is by itself.

Writes "GROUP;file" for each file that has company, for CMake. LIMIT: bytes of source in one group. FOLDERs: where headers
of the project are."""
import functools
import os
import re
import sys

NOISE = re.compile(r"'(?:\\.|[^'\\\n])'|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"")
UNNAMED = re.compile(r"^namespace \{$(.*?)^\}  // namespace$", re.M | re.S)
ALONE = re.compile(r"^\s*#\s*define |^using namespace |unity: alone", re.M)
TAKEN = re.compile(r"^using [\w:]*::(\w+);", re.M)
INCLUDE = re.compile(r"^#include \"(.*)\"", re.M)
# What begins in the first column declares something, unless it is a brace, a label or a directive.
FIRST_COLUMN = re.compile(r"^(?:template <[^\n]*>\n?)?(?!static_assert|namespace|extern |[A-Z_]+\()[A-Za-z[][^\n]*", re.M)
TYPE = re.compile(r"(?:template <.*>\s*)?(?:(?:struct|class|union|enum class|enum)\s+(?:\w+\(.*?\)\s*|\[\[.*?\]\]\s*)?(\w+)|using (\w+) =)")
FUNCTION = re.compile(r"(\w+)\(")
CONSTANT = re.compile(r"\b(k[A-Z]\w*)(?:\[[^\]]*\])*\s*(?:=|\{|;|,|\}|$)")
# What a file may mean by a name that another one declares: constants, and functions without an object.
USED = re.compile(r"\b(k[A-Z]\w*)|(?<![.>:\w])(\w+)\(")


def declared(text):
    names = set()
    for line in FIRST_COLUMN.findall(NOISE.sub("", text)):
        line = line.replace("\n", " ")
        if match := TYPE.match(line):
            names.add(match.group(1) or match.group(2))
        else:
            names.update(FUNCTION.findall(line.split(" = ")[0])[:1])
        names.update(CONSTANT.findall(line))
    return names


@functools.cache
def read(file):
    with open(file, encoding="utf-8") as source:
        return source.read()


def headers_of(file, folders, found):
    """The project's headers that a file includes, and theirs."""
    for name in INCLUDE.findall(read(file)):
        for header in (os.path.join(folder, name) for folder in [os.path.dirname(file), *folders]):
            if header not in found and os.path.exists(header):
                found.add(header)
                headers_of(header, folders, found)
    return found


@functools.cache
def declared_in(header):
    return declared(read(header))


class Group:
    def __init__(self):
        self.own, self.seen, self.size, self.files = set(), set(), 0, []


def main(limit, folders, files):
    groups = []
    for file in files:
        text = read(file)
        if ALONE.search(text):
            continue
        own = set(TAKEN.findall(text)).union(*map(declared, UNNAMED.findall(text)))
        seen = own.union(*map(declared_in, headers_of(file, folders, set())), *USED.findall(NOISE.sub("", text)))
        for group in groups:
            if group.size + len(text) <= limit and not own & group.seen and not seen & group.own:
                break
        else:
            group = Group()
            groups.append(group)
        group.own |= own
        group.seen |= seen
        group.size += len(text)
        group.files.append(file)
    for number, group in enumerate(groups):
        if len(group.files) > 1:
            for file in group.files:
                print(f"g{number};{file}")


if __name__ == "__main__":
    middle = sys.argv.index("--")
    main(int(sys.argv[1]), sys.argv[2:middle], sys.argv[middle + 1:])
