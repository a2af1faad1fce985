#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "respond/reading.h"

namespace immure::respond {
namespace {

constexpr size_t kMostFile = 16 << 20, kMostProgram = 512 << 20, kMostDescriptors = 65536,
                 kMostLines = 8 << 20;
constexpr const char* kCutLine = "{\"cut\":true}\n";

constexpr const char* kFiles[] = {
    "status",    "stat",      "cmdline",       "cgroup",   "limits",    "maps",
    "mountinfo", "io",        "oom_score_adj", "wchan",    "syscall",   "uid_map",
    "gid_map",   "setgroups", "attr/current",  "loginuid", "sessionid",
};
constexpr const char* kLinks[] = {
    "exe",    "cwd",     "root",   "ns/cgroup",           "ns/ipc", "ns/mnt", "ns/net",
    "ns/pid", "ns/user", "ns/uts", "ns/pid_for_children", "ns/time"};
constexpr const char* kSocketLists[] = {"tcp",  "tcp6",   "udp",     "udp6", "unix", "raw",
                                        "raw6", "packet", "netlink", "dev",  "route"};

// One descriptor of /proc/PID for all that is read: the number may be another's later.
UniqueFd open_at(int folder, const std::string& name, int flags) {
  return UniqueFd(openat(folder, name.c_str(), flags | O_CLOEXEC));
}

std::string link_at(int folder, const std::string& name) {
  std::array<char, 4096> room;
  const ssize_t length = readlinkat(folder, name.c_str(), room.data(), room.size());
  return length < 0 ? std::string() : std::string(room.data(), static_cast<size_t>(length));
}

Result<std::string> read_at(int folder, const std::string& name, size_t most) {
  const UniqueFd file = open_at(folder, name, O_RDONLY);
  if (!file) return fail(Code::kSystem, {}, {}, {}, {}, errno);
  return read_fd(file.get(), most, name);
}

void send_file(int folder, const std::string& name, const std::string& as, const PieceSink& sink) {
  auto text = read_at(folder, name, kMostFile);
  if (text)
    sink({as, *text, 0});
  else
    sink({as, {}, text.error().sys_errno});
}

std::vector<std::string> names_in(int folder, const char* name) {
  std::vector<std::string> names;
  UniqueFd held = open_at(folder, name, O_RDONLY | O_DIRECTORY);
  DIR* entries = held ? fdopendir(held.get()) : nullptr;
  if (entries == nullptr) return names;
  held.release();
  while (const dirent* entry = readdir(entries))
    if (entry->d_name[0] != '.' && names.size() < kMostDescriptors) names.emplace_back(entry->d_name);
  closedir(entries);
  return names;
}

std::string links_text(int proc) {
  JsonWriter json;
  json.begin_object();
  for (const char* name : kLinks) {
    const std::string leads = link_at(proc, name);
    if (leads.empty())
      json.null(name);
    else
      json.text(name, leads);
  }
  return json.end_object().str() + "\n";
}

std::string descriptors_text(int proc) {
  std::string lines;
  for (const std::string& number : names_in(proc, "fd")) {
    JsonWriter json;
    json.begin_object().text("fd", number).text("leads_to", link_at(proc, "fd/" + number));
    auto info = read_at(proc, "fdinfo/" + number, 1 << 16);
    json.text("info", info ? *info : "");
    lines += json.end_object().str() + "\n";
    if (lines.size() > kMostLines) return lines + kCutLine;
  }
  return lines;
}

std::string threads_text(int proc) {
  std::string lines;
  for (const std::string& number : names_in(proc, "task")) {
    JsonWriter json;
    json.begin_object().text("tid", number);
    for (const char* name : {"stat", "syscall", "wchan"}) {
      auto text = read_at(proc, "task/" + number + "/" + name, 4096);
      json.text(name, text ? std::string_view(*text) : std::string_view());
    }
    lines += json.end_object().str() + "\n";
    if (lines.size() > kMostLines) return lines + kCutLine;
  }
  return lines;
}

// The digest of a process's program, as text; an error has its number.
Result<std::string> program_digest(int proc) {
  const UniqueFd file = open_at(proc, "exe", O_RDONLY);
  if (!file) return fail(Code::kSystem, {}, {}, {}, {}, errno);
  auto digest = digest_of(file.get(), kMostProgram);
  if (!digest) return tl::unexpected<Error>(std::move(digest.error()));
  return hex_text(*digest) + "\n";
}

}  // namespace

Result<Digest> digest_of(int file, uint64_t most) {
  Sha256 sum;
  std::vector<char> part(size_t{1} << 17);
  for (uint64_t at = 0;;) {
    const ssize_t n = pread(file, part.data(), part.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::kSystem, "the file cannot be read", {}, {}, {}, errno);
    if (n == 0) return sum.end();
    at += static_cast<uint64_t>(n);
    if (at > most) return fail(Code::kSystem, "the file is too large", {}, {}, {}, EFBIG);
    sum.add({part.data(), static_cast<size_t>(n)});
  }
}

std::string environment_names(std::string_view environ) {
  std::string lines;
  for (std::string_view entry : split(environ, '\0'))
    if (const size_t sign = entry.find('='); sign != std::string_view::npos)
      lines += printable(entry.substr(0, sign)) + "\n";
  return lines;
}

void read_process(int pid, const PieceSink& sink) {
  const UniqueFd proc(open(("/proc/" + num_signed(pid)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return sink({"status", {}, errno});
  sink({"links.json", links_text(proc.get()), 0});
  sink({"fds.jsonl", descriptors_text(proc.get()), 0});
  sink({"threads.jsonl", threads_text(proc.get()), 0});
  for (const char* name : kFiles) {
    std::string as = name;
    std::replace(as.begin(), as.end(), '/', '-');
    send_file(proc.get(), name, as, sink);
  }
  if (auto environ = read_at(proc.get(), "environ", kMostFile))
    sink({"environment-names", environment_names(*environ), 0});
  else
    sink({"environment-names", {}, environ.error().sys_errno});
  if (auto program = program_digest(proc.get()))
    sink({"program.sha256", *program, 0});
  else
    sink({"program.sha256", {}, program.error().sys_errno});
}

void read_network(int pid, const PieceSink& sink) {
  const UniqueFd proc(open(("/proc/" + num_signed(pid)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return sink({"tcp", {}, errno});
  for (const char* name : kSocketLists) send_file(proc.get(), std::string("net/") + name, name, sink);
}

}  // namespace immure::respond
