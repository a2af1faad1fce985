#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "base/text.h"
#include "rootfs/collector.h"

namespace immure::rootfs {
namespace {

// A program's $ORIGIN is what /proc/self/exe says, and a plain chroot has no /proc: there the loader's cache
// must tell where these are.
bool by_own_place(const Elf& elf, const Loading& loading, const std::vector<std::string>& paths) {
  bool asks =
      elf.rpath.find("ORIGIN") != std::string::npos || elf.runpath.find("ORIGIN") != std::string::npos;
  if (elf.interpreter.empty() || loading.musl || !asks) return false;
  std::vector<std::string> own = Libraries::default_folders(elf.machine, false);
  return std::any_of(paths.begin(), paths.end(), [&own](const std::string& path) {
    return std::find(own.begin(), own.end(), path_folder(path)) == own.end();
  });
}

constexpr size_t kScriptHead = 256;  // as much as execve(2) reads of a script

// The host's own, and the one of 32 bits that its kernel may start too.
bool runs_here(const Machine& machine) {
  const Machine host = host_machine();
  if (machine.little != host.little) return false;
  return machine.number == host.number || (host.number == EM_X86_64 && machine.number == EM_386) ||
         (host.number == EM_AARCH64 && machine.number == EM_ARM);
}

}  // namespace

// What a file needs shows in its first bytes.
Status Collector::examine(uint32_t index) {
  const std::string path = files_[index].source;
  auto fd = source_.open_file(path);
  if (!fd) {
    if (vital(index)) return tl::unexpected<Error>(std::move(fd.error()));
    note(quoted(path) + " cannot be read: " + errno_text(fd.error().sys_errno));
    return {};
  }
  char head[kScriptHead];
  ssize_t size = pread(fd->get(), head, sizeof head, 0);
  if (size < 0) return fail(Code::kSystem, quoted(path) + " cannot be read", {}, {}, {}, errno);
  std::string_view first(head, static_cast<size_t>(size));
  switch (content_of(first)) {
    case Content::Elf: return examine_elf(index, fd->get());
    case Content::Script:
      return (files_[index].look.mode & 0111) != 0 ? examine_script(index, first) : Status{};
    case Content::Other: break;
  }
  bool program = must_start(index) && files_[index].reasons.front().by == kNobody;
  if (program && (files_[index].look.mode & 0111) != 0)
    note(quoted(path) + " begins as no program does: only a shell, or a binfmt of the host, could start it");
  return {};
}

Status Collector::examine_elf(uint32_t index, int fd) {
  const std::string path = files_[index].source;
  auto elf = read_elf(fd, path);
  if (!elf) {
    if (!must_start(index)) return {};  // data that looks like one: a test's, a boot loader's
    if (files_[index].reasons.front().by == kNobody) elf.error().code = Code::kNotExecutable;
    return tl::unexpected<Error>(std::move(elf.error()));
  }
  bool foreign = source_.is_host() && !runs_here(elf->machine);
  if (foreign && must_start(index) && files_[index].reasons.front().by == kNobody)
    return no_loader(path, *elf, Error{});
  families_.look_at_imports(files_, index, elf->imports, elf->machine);
  auto named = found_as_.find(index);
  const std::string from = named == found_as_.end() ? path : named->second;
  Loading loading = loading_of(index, *elf);
  if (elf->calls_dlopen && files_[index].reasons.front().by == kNobody && vital(index))
    dlopens_.push_back(index);
  if (!elf->interpreter.empty()) {
    auto loader = add_started(elf->interpreter, {Because::Loader, index, {}});
    if (!loader && must_start(index)) return no_loader(path, *elf, loader.error());
    if (!loader) return {};
  }
  for (const std::string& name : elf->needed) {
    auto found = libraries_.find(name, from, *elf, loading);
    if (!found) {
      if (vital(index)) return tl::unexpected<Error>(std::move(found.error()));
      lacking_[name].push_back(index);
      continue;
    }
    for (const std::string& library : found->paths) {
      auto added = add(library, {Because::Needed, index, name});
      if (!added) return tl::unexpected<Error>(std::move(added.error()));
      loadings_.try_emplace(*added, libraries_.below(loading, from, *elf));
      found_as_.try_emplace(*added, library);
    }
    if (!found->by_default || by_own_place(*elf, loading, found->paths)) for_cache(name, found->paths, *elf);
  }
  return {};
}

// A program begins its own; a library is loaded as whoever needed it was, and a module that nobody needs by
// name as the first program of its machine.
Loading Collector::loading_of(uint32_t index, const Elf& elf) {
  if (elf.program || !elf.interpreter.empty()) {
    Loading own = Libraries::of_program(files_[index].source, elf);
    if (programs_.empty() || !(programs_.back().machine == own.machine)) programs_.push_back(own);
    return own;
  }
  if (auto known = loadings_.find(index); known != loadings_.end()) return known->second;
  for (const Loading& program : programs_)
    if (program.machine == elf.machine) return program;
  Loading loading;
  loading.machine = elf.machine;
  return loading;
}

void Collector::for_cache(const std::string& name, const std::vector<std::string>& paths, const Elf& elf) {
  for (const std::string& path : paths) cache_.push_back({name, path, cache_flags(elf.machine), 0});
}

tl::unexpected<Error> Collector::no_loader(const std::string& path, const Elf& elf,
                                           const Error& error) const {
  bool foreign = source_.is_host() && !runs_here(elf.machine);
  return fail(Code::kNotExecutable, quoted(path) + " cannot be started here",
              foreign ? "it is for " + machine_name(elf.machine) + ", and this host is " +
                            machine_name(host_machine())
                      : "its loader " + quoted(elf.interpreter) +
                            (error.code == Code::kNotExecutable ? " is no program" : " is missing"),
              foreign ? "name the program for this machine; --file takes it as a file"
                      : "install the package that has the loader",
              {}, error.sys_errno);
}

// What a file names to be started with. The file may be anybody's, and name anything: what nobody can start
// is not taken, a folder least of all.
Result<uint32_t> Collector::add_started(const std::string& path, const Reason& reason) {
  auto trail = source_.walk(path);
  if (!trail) return tl::unexpected<Error>(std::move(trail.error()));
  if (trail->look.kind != FileKind::File || (trail->look.mode & 0111) == 0)
    return fail(Code::kNotExecutable, quoted(path) + " is no program", {}, {}, {}, EACCES);
  return add(path, reason);
}

Status Collector::examine_script(uint32_t index, std::string_view first) {
  const std::string path = files_[index].source;
  auto line = read_shebang(first, path);
  if (!line && !must_start(index)) return {};
  if (!line) {
    line.error().code = Code::kNotExecutable;
    return tl::unexpected<Error>(std::move(line.error()));
  }
  Reason reason{Because::Interpreter, index,
                line->interpreter + (line->argument.empty() ? "" : " " + line->argument)};
  std::vector<std::string> programs = {line->interpreter};
  if (path_name(line->interpreter) == "env") {
    for (std::string_view word : split(line->argument, ' ')) {
      if (word.empty() || word.front() == '-' || word.find('=') != std::string_view::npos) continue;
      programs.emplace_back(word);
      break;
    }
  }
  for (const std::string& program : programs) {
    auto found = find_program(program);
    auto added = found ? add_started(*found, reason) : tl::unexpected<Error>(found.error());
    if (added) continue;
    // Modules of languages begin with lines that nobody uses.
    if (!must_start(index)) continue;
    bool there = added.error().code == Code::kNotExecutable;
    std::string what = quoted(path) + " is a script for " + quoted(program) + ", which is " +
                       (there ? "no program" : "not there");
    return fail(Code::kNotExecutable, what, {}, "install the interpreter", {}, added.error().sys_errno);
  }
  return {};
}

}  // namespace immure::rootfs
