#include "run/groups.h"

#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/text.h"
#include "kernel/sys.h"

namespace immure::run {
namespace {

Error cannot(const std::string& what, long error) {
  return Error{Code::kLayer, static_cast<int>(-error), what, {}, "say --need cgroup=prefer to run without it", {}};
}

// The kernel cuts a size to whole pages.
bool is_shown(std::string_view value, std::string_view shown) {
  while (!shown.empty() && shown.back() == '\n') shown.remove_suffix(1);
  auto wanted = parse_u64(value), now = parse_u64(shown);
  return shown == value || (wanted && now && *now <= *wanted && *wanted - *now < 65536);
}

// Writes it and reads it back.
long set_limit(const char* path, std::string_view value) {
  long fd = sys::open(AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return fd;
  char shown[64];
  long n = sys::write(static_cast<int>(fd), value.data(), value.size());
  if (n >= 0) n = sys::call(__NR_pread64, fd, sys::arg(shown), sizeof shown, 0);
  sys::close(static_cast<int>(fd));
  if (n < 0) return n;
  return is_shown(value, {shown, static_cast<size_t>(n)}) ? 0 : -EBADE;
}

// A write whose file name begins with '?' may fail: not every kernel has swap accounting.
Status write_all(const std::string& dir, const CgroupDir& spec) {
  for (const auto& [file, value] : spec.writes) {
    bool optional = file.front() == '?';
    std::string path = dir + "/" + (optional ? file.substr(1) : file);
    long n = set_limit(path.c_str(), value);
    if (n >= 0 || optional) continue;
    Error error = cannot("the limit " + quoted(path) + " cannot be set", n);
    if (n == -EBADE) error.why = "the control group took it, and shows another one";
    return tl::unexpected<Error>(std::move(error));
  }
  return {};
}

// Version 2 tells it among other numbers and in microseconds, version 1 in a file of its own, wherever cpuacct is.
constexpr const char* kCpuFiles[] = {"/cpuacct.usage", "/cpu.stat"};
constexpr std::string_view kUsage = "usage_usec";

UniqueFd open_cpu_file(const std::vector<std::string>& groups) {
  for (const char* file : kCpuFiles)
    for (const std::string& group : groups) {
      UniqueFd fd(static_cast<int>(sys::open(AT_FDCWD, (group + file).c_str(), O_RDONLY | O_CLOEXEC)));
      if (fd) return fd;
    }
  return {};
}

}  // namespace

Groups::~Groups() { remove(); }

Groups& Groups::operator=(Groups&& other) noexcept {
  if (this == &other) return *this;
  remove();
  paths_ = std::move(other.paths_);
  other.paths_.clear();   // they are this object's to remove now
  controllers_ = std::move(other.controllers_);
  joins_ = std::move(other.joins_);
  into_ = std::move(other.into_);
  cpu_ = std::move(other.cpu_);
  return *this;
}

Status Groups::step_aside(const Plan& plan) {
  return plan.cgroup_leaf_first ? cgroup_enter_leaf(plan.cgroup_parent, "immure-supervisor") : Status{};
}

Result<Groups> Groups::make(const Plan& plan, int* slots) {
  Groups groups;
  if (!plan.cgroup_enable.empty()) IMMURE_TRY(enable_controllers(plan.cgroup_parent, plan.cgroup_enable));
  groups.paths_.reserve(plan.cgroup.size());
  for (const CgroupDir& dir : plan.cgroup) {
    long r = sys::call(__NR_mkdirat, AT_FDCWD, sys::arg(dir.path.c_str()), 0755);
    if (r < 0) {
      Error error = cannot("the control group " + quoted(dir.path) + " cannot be made", r);
      if (r == -EEXIST) {
        error.why = "a jail of this name is alive, or its group was left behind";
        error.how = "choose another --name; immure ps shows the living and collects the dead";
      }
      return tl::unexpected<Error>(std::move(error));
    }
    groups.paths_.push_back(dir.path);
    groups.controllers_.push_back(dir.controller);
    IMMURE_TRY(write_all(dir.path, dir));
    std::string file = dir.controller == "unified" ? "/cgroup.procs" : "/tasks";
    long fd = dir.into ? sys::open(AT_FDCWD, dir.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)
                       : sys::open(AT_FDCWD, (dir.path + file).c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return tl::unexpected<Error>(cannot("the control group " + quoted(dir.path) + " cannot be joined", fd));
    if (dir.into) {
      groups.into_.reset(static_cast<int>(fd));
    } else {
      slots[dir.slot] = static_cast<int>(fd);
      groups.joins_.emplace_back(static_cast<int>(fd));
    }
  }
  if (plan.group_counts_cpu) {
    groups.cpu_ = open_cpu_file(groups.paths_);
    if (!groups.cpu_ || !groups.cpu_ns())
      return tl::unexpected<Error>(cannot("the processor time of the jail cannot be read", 0));
  }
  return groups;
}

void Groups::close_descriptors() {
  joins_.clear();
  into_.reset();
}

CgroupUsage Groups::usage() const {
  std::vector<CgroupRef> refs;
  for (size_t i = 0; i < paths_.size(); i++) refs.push_back({paths_[i], controllers_[i]});
  return read_usage(refs);
}

std::optional<uint64_t> Groups::cpu_ns() const {
  char buffer[1024];
  long n = sys::call(__NR_pread64, cpu_.get(), sys::arg(buffer), sizeof buffer, 0);
  if (n <= 0) return std::nullopt;
  std::string_view text(buffer, static_cast<size_t>(n));
  if (!text.starts_with(kUsage)) return single_value(text);
  auto micros = flat_value(text, kUsage);
  return micros ? std::optional<uint64_t>(*micros * 1000) : std::nullopt;
}

std::optional<uint64_t> Groups::pids_refused() const {
  for (size_t i = 0; i < paths_.size(); i++) {
    bool counts = controllers_[i] == "pids" || controllers_[i] == "unified";
    if (!counts) continue;
    if (auto events = read_file(paths_[i] + "/pids.events", 4096)) return flat_value(*events, "max");
  }
  return std::nullopt;
}

Status Groups::kill() const {
  for (size_t i = 0; i < paths_.size(); i++) IMMURE_TRY(kill_group({paths_[i], controllers_[i]}));
  return {};
}

void Groups::remove() {
  close_descriptors();
  cpu_.reset();
  for (size_t i = 0; i < paths_.size(); i++) (void)remove_group({paths_[i], controllers_[i]}, true);
  paths_.clear();
  controllers_.clear();
}

}  // namespace immure::run
