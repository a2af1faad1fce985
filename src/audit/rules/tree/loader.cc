// What the loader and the shell are told to take from where.
#include "audit/rules/tree/rules.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

bool is_open_place(std::string_view path) {
  for (std::string_view place : {"/tmp", "/var/tmp", "/dev/shm", "/run/user", "/home"})
    if (path_within(path, place)) return true;
  return false;
}

void preload(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files) {
    if (file.known != Known::LdPreload) continue;
    if (!file.read) answers.unknown(file.path + ": " + file.why);
    for (std::string_view line : lines_of(file))
      answers.found(is_open_place(line) ? Severity::Critical : Severity::Medium, file.path, std::string(line),
                    on_host(tree, file.path), without_line(file, line));
  }
}

void library_folder(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files) {
    if (file.known != Known::LdConf) continue;
    if (!file.read) answers.unknown(file.path + ": " + file.why);
    for (std::string_view line : lines_of(file)) {
      if (line.starts_with("include") || line.starts_with("hwcap")) continue;
      if (!line.starts_with('/') || is_open_place(path_normal(line)))
        answers.found(file.path, std::string(line), on_host(tree, file.path), without_line(file, line));
    }
  }
}

// "PATH=…" with a part that is relative, empty, or a place where everybody writes.
bool has_open_part(std::string_view line) {
  if (line.starts_with("export ")) line.remove_prefix(7);
  if (!line.starts_with("PATH=")) return false;
  line.remove_prefix(5);
  for (char quote : {'"', '\''})
    if (line.starts_with(quote)) line = line.substr(1, line.find(quote, 1) - 1);
  if (const size_t end = line.find_first_of(" ;\t"); end != std::string_view::npos)
    line = line.substr(0, end);
  for (std::string_view part : split(line, ':')) {
    if (part.starts_with('$') || part.starts_with('~')) continue;
    if (!part.starts_with('/') || (is_open_place(path_normal(part)) && !part.starts_with("/home")))
      return true;
  }
  return false;
}

void search_path(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers);
  for (const KnownFile& file : tree.files) {
    if (file.known != Known::Shell) continue;
    if (!file.read) answers.unknown(file.path + ": " + file.why);
    for (std::string_view line : lines_of(file))
      if (has_open_part(line))
        answers.found(file.path, std::string(line.substr(0, 200)), on_host(tree, file.path),
                      without_line(file, line));
  }
}

}  // namespace

const Rule kTreePreload = {
    .id = "tree-preload",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::Integrity,
    .title = "library that is loaded into every program",
    .why =
        "What stands in ld.so.preload is in every process, root's and set-id programs' too. It is"
        " the first thing that a rootkit of user space writes.",
    .fix = "sed -i {value} {path}",
    .advice = "unless you know what put the row there",
    .reference = "ld.so(8), /etc/ld.so.preload",
    .check = preload,
    .predicts = "planted-preload-write"};

const Rule kTreeLibraryFolder = {
    .id = "tree-library-folder",
    .look = Look::Tree,
    .severity = Severity::High,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "libraries are taken from where users write",
    .why =
        "The loader looks there for the libraries of every program, set-id programs included. A "
        "file of the right name in it is code that runs as somebody else.",
    .fix = "sed -i {value} {path} && ldconfig -r {tree}",
    .reference = "ldconfig(8); ld.so(8)",
    .check = library_folder,
    .predicts = "write-loader"};

const Rule kTreeSearchPath = {
    .id = "tree-search-path",
    .look = Look::Tree,
    .severity = Severity::Medium,
    .concern = Concern::Privilege,
    .point = Point::TreeWriting,
    .title = "search path with a place where others write",
    .why =
        "An empty part, a dot or /tmp in PATH runs the program ls of whoever put one there. It "
        "waits for root to change into that folder.",
    .fix = "sed -i {value} {path}",
    .advice = "then set PATH anew, with absolute folders alone that only root writes",
    .reference = "environ(7), PATH; bash(1)",
    .check = search_path,
    .predicts = ""};

}  // namespace immure::audit
