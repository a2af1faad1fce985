#include "run/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include <iterator>

#include "base/fd.h"
#include "base/text.h"
#include "kernel/mountinfo.h"
#include "kernel/proc.h"
#include "kernel/sys.h"
#include "run/verify_mounts.h"
#include "uapi/kernel.h"

namespace immure::run {
namespace {

tl::unexpected<Error> differs(Layer layer, const std::string& planned, const std::string& seen) {
  return fail(Code::kVerify, std::string("the jail is not as planned: ") + name(layer),
              "planned " + planned + ", the kernel shows " + seen,
              "nothing was started; please report it with the output of immure doctor");
}

Result<std::string> read_proc(const std::string& path) {
  std::string text;
  long fd = sys::open(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Code::kVerify, "cannot read " + quoted(path), {}, {}, {}, static_cast<int>(-fd));
  char buffer[8192];
  long n;
  while ((n = sys::read(static_cast<int>(fd), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  sys::close(static_cast<int>(fd));
  if (n < 0) return fail(Code::kVerify, "cannot read " + quoted(path), {}, {}, {}, static_cast<int>(-n));
  return text;
}

struct NamespaceRow {
  Layer layer;
  uint64_t flag;
  const char* made;      // where pid 1 of a jail shows it
  const char* entered;   // where a process shows it that has entered one
};
constexpr NamespaceRow kNamespaces[] = {
    {Layer::UserNs, uapi::kCloneNewUser, "user", "user"},
    {Layer::MountNs, uapi::kCloneNewNs, "mnt", "mnt"},
    {Layer::PidNs, uapi::kCloneNewPid, "pid", "pid_for_children"},
    {Layer::NetNs, uapi::kCloneNewNet, "net", "net"},
    {Layer::IpcNs, uapi::kCloneNewIpc, "ipc", "ipc"},
    {Layer::UtsNs, uapi::kCloneNewUts, "uts", "uts"},
    {Layer::CgroupNs, uapi::kCloneNewCgroup, "cgroup", "cgroup"},
    {Layer::TimeNs, uapi::kCloneNewTime, "time_for_children", "time"},
};
static_assert(std::size(kNamespaces) == kNamespaceCount && static_cast<size_t>(Layer::TimeNs) + 1 == kNamespaceCount);

Status verify_namespaces(uint64_t planned, const BothNamespaces& both, NamespaceIds& seen) {
  for (const NamespaceRow& row : kNamespaces) {
    if ((planned & row.flag) == 0) continue;
    uint64_t jail = both.jail.inode(row.made), own = both.own.inode(row.made);
    const bool seen_both = jail != 0 && own != 0;
    if (!seen_both || jail == own) return differs(row.layer, "a namespace of its own", seen_both ? "the caller's" : "none");
    seen[static_cast<size_t>(row.layer)] = jail;
  }
  return {};
}

Status verify_entered(const Plan& plan, const BothNamespaces& both) {
  for (const NamespaceRow& row : kNamespaces) {
    uint64_t wanted = plan.entered[static_cast<size_t>(row.layer)];
    if (wanted == 0) continue;
    uint64_t now = both.jail.inode(row.entered);
    if (now != wanted) return differs(row.layer, "the jail's namespace " + num(wanted), now == 0 ? "none" : num(now));
  }
  return {};
}

Status verify_status(const Plan& plan, const ProcStatus& status) {
  for (int i = 0; i < 4; i++) {
    if (status.uid[i] != plan.outside_uid || status.gid[i] != plan.outside_gid)
      return differs(Layer::UserNs, "id " + num(plan.outside_uid) + ":" + num(plan.outside_gid),
                     num(status.uid[i]) + ":" + num(status.gid[i]));
  }
  if (plan.layers[static_cast<size_t>(Layer::NoNewPrivs)].state == State::InForce && status.no_new_privs != 1)
    return differs(Layer::NoNewPrivs, "1", num_signed(status.no_new_privs));
  uint64_t any = status.cap_inheritable | status.cap_permitted | status.cap_effective | status.cap_bounding |
                 status.cap_ambient;
  if (!status.has_caps || (any & ~plan.caps) != 0)
    return differs(Layer::Capabilities, "at most " + hex(plan.caps) + " in every set", hex(any));
  return {};
}

Status compare_mounts(const Plan& plan, std::string_view mountinfo) {
  MountReader reader(mountinfo);
  std::vector<bool> found(plan.mounts.size());
  std::vector<ExpectedOption> options = expected_options(plan);
  std::vector<std::string_view> covers = expected_covers(plan);
  unsigned roots = 0;
  while (auto entry = reader.next()) {
    // What is stacked there is the old root, not let go: ".." of the root leads into it.
    if (entry->is("/") && ++roots > 1) return differs(Layer::Root, "one root", "another mount on top of it");
    for (const ExpectedOption& expected : options)
      if (entry->is(expected.target) && !list_has(entry->super_options, expected.option))
        return differs(Layer::Mounts, expected.option + " at " + quoted(expected.target), std::string(entry->super_options));
    std::erase_if(covers, [&](std::string_view path) { return entry->is(path); });
    if (!entry->propagation.empty() && entry->propagation != "unbindable")
      return differs(Layer::Mounts, "private propagation", std::string(entry->propagation));
    for (size_t i = 0; i < plan.mounts.size(); i++) {
      const ExpectedMount& expected = plan.mounts[i];
      if (!entry->is(expected.target)) continue;
      found[i] = true;
      if (!expected.fstype.empty() && entry->fstype != expected.fstype)
        return differs(Layer::Mounts, expected.fstype + " at " + quoted(expected.target), std::string(entry->fstype));
      if ((expected.attributes & ~entry->attributes()) != 0)
        return differs(Layer::Mounts, "attributes " + hex(expected.attributes) + " at " + quoted(expected.target),
                       hex(entry->attributes()));
    }
    // Whatever else is mounted is part of a recursive bind, or a cover: set-id bits and devices are dead on all.
    bool node = (entry->attributes() & uapi::kAttrNodev) == 0;
    // A cover of /proc is the jail's own /dev/null, an empty directory beside it, or a made-up file: harmless wherever
    // it stands.
    bool cover = entry->root == "/null" || entry->root == "/mqueue" || entry->root == "/.proc-stat";
    if (cover && entry->target.starts_with("/proc/")) node = false;
    bool below_dev = entry->target == "/dev" || entry->target.starts_with("/dev/");
    if ((entry->attributes() & uapi::kAttrNosuid) == 0 || (node && !below_dev))
      return differs(Layer::Mounts, "nosuid and nodev at " + quoted(entry->target), std::string(entry->options));
  }
  for (size_t i = 0; i < found.size(); i++)
    if (!found[i]) return differs(Layer::Mounts, "a mount at " + quoted(plan.mounts[i].target), "none");
  for (std::string_view path : covers)
    if (is_on_this_kernel(path)) return differs(Layer::Mounts, "a cover over " + quoted(path), "none");
  return {};
}

// Groups are dropped once, and the umask is the program's own to change: both are looked at before it runs.
Status verify_inherited(const Plan& plan, const ProcStatus& status) {
  for (const Step& step : plan.steps) {
    if (step.op == Op::SetGroups && status.groups.find_first_not_of(" \t") != std::string_view::npos)
      return differs(Layer::UserNs, "no supplementary groups", std::string(status.groups));
    if (step.op == Op::Umask && status.umask >= 0 && static_cast<uint64_t>(status.umask) != step.x)
      return differs(Layer::Fds, "umask " + num(step.x), num(static_cast<uint64_t>(status.umask)));
  }
  return {};
}

Status verify_offsets(const Plan& plan, const std::string& proc) {
  std::string_view planned = planned_offsets(plan);
  if (planned.empty()) return {};
  auto shown = read_proc(proc + "/timens_offsets");
  if (!shown) return tl::unexpected<Error>(shown.error());
  return has_offsets(*shown, planned) ? Status{} : differs(Layer::TimeNs, "offsets " + quoted(planned), quoted(*shown));
}

// Of a process with another identity in the same user namespace only CAP_SYS_RESOURCE may ask by prlimit(2); the
// file may be read by anybody.
bool limit_from_proc(int pid, int resource, uint64_t (&seen)[2]) {
  auto text = read_proc("/proc/" + num(static_cast<uint64_t>(pid)) + "/limits");
  if (!text) return false;
  std::string_view rest = *text, line;
  while (next_line(rest, line)) {
    auto limit = parse_limit_line(line);
    if (!limit || limit->resource != resource) continue;
    seen[0] = limit->soft;
    seen[1] = limit->hard;
    return true;
  }
  return false;
}

Status verify_rlimits(const Plan& plan, int pid) {
  for (const ExpectedRlimit& expected : plan.rlimits) {
    uint64_t seen[2] = {0, 0};
    long r = sys::call(__NR_prlimit64, pid, expected.resource, 0, sys::arg(seen));
    bool known = r >= 0 || limit_from_proc(pid, expected.resource, seen);
    if (!known || seen[0] > expected.soft || seen[1] > expected.hard)
      return differs(Layer::Rlimits, num(expected.soft) + " for resource " + num(static_cast<uint64_t>(expected.resource)),
                     known ? num(seen[0]) : errno_name(static_cast<int>(-r)));
  }
  return {};
}

Status verify_groups(const Plan& plan, std::string_view cgroup) {
  for (const CgroupDir& dir : plan.cgroup) {
    std::string_view leaf = std::string_view(dir.path).substr(dir.path.rfind('/'));
    bool joined = false;
    std::string_view rest = cgroup, line;
    while (next_line(rest, line)) {
      auto entry = parse_cgroup_line(line);
      if (!entry) continue;
      bool same = dir.controller == "unified" ? entry->hierarchy == 0 : list_has(entry->controllers, dir.controller);
      joined = joined || (same && entry->path.ends_with(leaf));
    }
    if (!joined) return differs(Layer::Cgroup, "membership of " + quoted(dir.path), "another group");
  }
  return {};
}

}  // namespace

Status verify_early(const Plan& plan, const BothNamespaces& both, NamespaceIds& seen) {
  return verify_namespaces(plan.clone_flags, both, seen);
}

Status verify_mounts(const Plan& plan, int pid) {
  std::string proc = "/proc/" + num(static_cast<uint64_t>(pid));
  auto mounts = read_proc(proc + "/mountinfo");
  if (!mounts) return tl::unexpected<Error>(mounts.error());
  IMMURE_TRY(compare_mounts(plan, *mounts));
  return verify_offsets(plan, proc);
}

Status verify_at_gate(const Plan& plan, int pid, const BothNamespaces& both, NamespaceIds& seen) {
  std::string proc = "/proc/" + num(static_cast<uint64_t>(pid));
  IMMURE_TRY(verify_namespaces(plan.unshare_flags, both, seen));
  IMMURE_TRY(verify_entered(plan, both));
  auto status = read_proc(proc + "/status");
  if (!status) return tl::unexpected<Error>(status.error());
  ProcStatus seen_status = parse_status(*status);
  IMMURE_TRY(verify_status(plan, seen_status));
  IMMURE_TRY(verify_inherited(plan, seen_status));
  IMMURE_TRY(verify_rlimits(plan, pid));
  if (plan.cgroup.empty()) return {};
  auto cgroup = read_proc(proc + "/cgroup");
  if (!cgroup) return tl::unexpected<Error>(cgroup.error());
  return verify_groups(plan, *cgroup);
}

Status verify_running(const Plan& plan, int pid) {
  auto text = read_proc("/proc/" + num(static_cast<uint64_t>(pid)) + "/status");
  if (!text) return {};   // it has ended already
  ProcStatus status = parse_status(*text);
  if (status.state == 'Z' || status.state == 'X') return {};
  IMMURE_TRY(verify_status(plan, status));
  // 3: killed by its filter this moment.
  bool filtered = status.seccomp == 2 || status.seccomp == 3;
  if (!plan.filters.empty() && !plan.filters[0].empty() && !filtered)
    return differs(Layer::Seccomp, "a filter", "mode " + num_signed(status.seccomp));
  return {};
}

bool is_listener(int fd) {
  uint64_t nobody = 0;
  return sys::call(__NR_ioctl, fd, static_cast<long>(SECCOMP_IOCTL_NOTIF_ID_VALID), sys::arg(&nobody)) == -ENOENT;
}

Status verify_init(const Plan& plan, int pid) {
  if (plan.filters.size() > 1 && !plan.filters[1].empty()) {
    // It loads its filter once the program is started, which may be this moment.
    ProcStatus status;
    for (int attempt = 0; attempt < 200 && status.seccomp != 2; attempt++) {
      if (attempt > 0) sys::call(__NR_poll, 0, 0, 1);
      auto text = read_proc("/proc/" + num(static_cast<uint64_t>(pid)) + "/status");
      if (!text) return {};   // it has ended already
      status = parse_status(*text);
      if (status.state == 'Z' || status.state == 'X') return {};
    }
    if (status.seccomp != 2) return differs(Layer::Seccomp, "a filter of pid 1", "mode " + num_signed(status.seccomp));
  }
  return verify_descriptors(plan, pid);
}

namespace {

struct Identity {
  dev_t device;
  ino_t inode;
};

// What the program was given: standard descriptors and passed ones. It may have made copies under any number.
std::vector<Identity> given(const Plan& plan, const std::string& proc) {
  std::vector<Identity> list;
  auto add = [&](int result, const struct stat& st) {
    if (result == 0) list.push_back({st.st_dev, st.st_ino});
  };
  struct stat st {};
  for (int fd = 0; fd < 3; fd++) add(fstat(fd, &st), st);
  for (const auto& [slot, number] : plan.passed_fds) add(fstat(number, &st), st);
  for (const Step& step : plan.steps)
    if (step.op == Op::Open && step.side == Side::Parent && step.layer == Layer::Fds) add(stat(plan.text(step.s), &st), st);
  for (int fd : plan.kept_fds) add(stat((proc + "/fd/" + num(static_cast<uint64_t>(fd))).c_str(), &st), st);
  return list;
}

bool is_given(const std::vector<Identity>& list, int file) {
  struct stat st {};
  if (fstat(file, &st) != 0) return false;
  return std::any_of(list.begin(), list.end(),
                     [&](const Identity& own) { return own.device == st.st_dev && own.inode == st.st_ino; });
}

bool names_a_file(const std::string& link) {
  char target[8] = {};
  long n = sys::call(__NR_readlinkat, AT_FDCWD, sys::arg(link.c_str()), sys::arg(target), sizeof target);
  return n > 0 && target[0] == '/';
}

std::vector<uint64_t> mount_ids(std::string_view mountinfo) {
  std::vector<uint64_t> ids;
  MountReader reader(mountinfo);
  while (auto entry = reader.next()) ids.push_back(entry->id);
  return ids;
}

// What the number stands for may change at any time, as a shell changes it for one command. So it is held, and all that is
// asked is asked of the same thing. One that is gone leads nowhere; one that cannot be looked at is no proof.
bool leads_outside(int dir, const char* name, const std::vector<Identity>& own, const std::vector<uint64_t>& ids) {
  const long opened = sys::open(dir, name, O_PATH | O_CLOEXEC);
  if (opened < 0) return opened != -ENOENT && opened != -ESRCH && opened != -EACCES;   // EACCES: it made itself unreadable
  UniqueFd file(static_cast<int>(opened));
  const std::string number = num(static_cast<uint64_t>(file.get()));
  if (!names_a_file("/proc/self/fd/" + number) || is_given(own, file.get())) return false;
  auto text = read_proc("/proc/self/fdinfo/" + number);
  auto id = text ? parse_fdinfo(*text).mount_id : -1;
  return id < 0 || std::find(ids.begin(), ids.end(), static_cast<uint64_t>(id)) == ids.end();
}

}  // namespace

Status verify_descriptors(const Plan& plan, int pid) {
  std::string proc = "/proc/" + num(static_cast<uint64_t>(pid));
  auto mounts = read_proc(proc + "/mountinfo");
  UniqueFd dir(static_cast<int>(sys::open(AT_FDCWD, (proc + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!mounts || !dir) return {};   // it has ended, or made itself unreadable: then it is past its start
  std::vector<uint64_t> ids = mount_ids(*mounts);
  std::vector<Identity> own = given(plan, proc);
  alignas(8) char buffer[4096];
  for (;;) {
    long n = sys::call(__NR_getdents64, dir.get(), sys::arg(buffer), sizeof buffer);
    if (n <= 0) return {};
    for (long at = 0; at < n;) {
      uint16_t size;
      std::memcpy(&size, buffer + at + 16, sizeof size);
      const char* name = buffer + at + 19;   // linux_dirent64: inode, offset, size, type, name
      at += size;
      if (parse_u64(name) && leads_outside(dir.get(), name, own, ids))
        return differs(Layer::Fds, "no descriptor that leads outside", "descriptor " + std::string(name));
    }
  }
}

}  // namespace immure::run
