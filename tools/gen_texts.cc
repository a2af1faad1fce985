// Run on the host when immure is built: the files of a folder as texts.
//   gen_texts FOLDER OUTPUT
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "literal.h"

namespace {

using namespace immure;

int complain(const Error& error) {
  std::fputs(format(error).c_str(), stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: gen_texts FOLDER OUTPUT\n", stderr), 2;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string out = "// Made by tools/gen_texts.cc: {name, {text, its length}}.\n";
  for (const auto& file : files) {
    Result<std::string> text = read_file(file);
    if (!text) return complain(text.error());
    out += "{" + literal(file.stem().string()) + ", {" + literal(*text) + ", " + num(text->size()) + "}},\n";
  }
  if (Status written = write_file_atomic(argv[2], out, 0644); !written) return complain(written.error());
  return 0;
}
