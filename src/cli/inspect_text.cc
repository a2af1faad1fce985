#include <algorithm>

#include "base/text.h"
#include "cli/inspect.h"
#include "cli/page.h"
#include "kernel/capabilities.h"
#include "kernel/ids.h"
#include "kernel/mountinfo.h"

namespace immure::cli {
using namespace audit;
namespace {

constexpr const char* kNotReadable = "not readable for this caller";

std::string user_text(uint32_t uid) {
  auto user = user_by_uid(uid);
  return user ? num(uid) + " (" + user->name + ")" : num(uid);
}
std::string group_text(uint32_t gid) {
  auto group = group_by_gid(gid);
  return group ? num(gid) + " (" + group->name + ")" : num(gid);
}

bool all_equal(const uint32_t (&ids)[4]) { return ids[0] == ids[1] && ids[0] == ids[2] && ids[0] == ids[3]; }

std::string four(const uint32_t (&ids)[4], std::string (*shown)(uint32_t)) {
  if (all_equal(ids)) return shown(ids[0]);
  return "real " + shown(ids[0]) + ", effective " + shown(ids[1]) + ", saved " + shown(ids[2]) + ", files " +
         shown(ids[3]);
}

std::string map_text(const std::optional<std::vector<IdRange>>& map) {
  if (!map) return kNotReadable;
  if (map->empty()) return "none written: every id is seen as the overflow id";
  std::string out;
  for (const IdRange& range : *map) {
    if (!out.empty()) out += "; ";
    if (range.inside == 0 && range.outside == 0 && range.count == UINT32_MAX) {
      out += "every id is itself";
    } else if (range.count == 1) {
      out += num(range.inside) + " is " + num(range.outside) + " outside";
    } else {
      out += num(range.inside) + "–" + num(uint64_t{range.inside} + range.count - 1) + " are " +
             num(range.outside) + "–" + num(uint64_t{range.outside} + range.count - 1) + " outside";
    }
  }
  return out;
}

void process(Page& page, const Inspection& p) {
  page.heading("process " + num_signed(p.pid));
  page.pair("name", p.name);
  if (!p.command.empty())
    page.pair("command", p.command.size() > 300 ? p.command.substr(0, 300) + " …" : p.command);
  std::string state(1, p.status.state);
  page.pair("state", state + ", " + num(p.status.threads) + (p.status.threads == 1 ? " thread" : " threads") +
                         ", parent " + num_signed(p.status.ppid));
  if (p.status.tracer > 0) page.pair("traced by", "process " + num_signed(p.status.tracer));
  std::string pids(p.status.ns_pid);
  for (char& c : pids)
    if (c == '\t') c = ' ';
  if (pids.find(' ') != std::string::npos) page.pair("pids", pids + " (outermost first)");
  for (const FdView& place : p.places) {
    const char* label = place.number == -1 ? "directory" : (place.number == -2 ? "root" : "program");
    std::string text = place.target.empty() ? place.note : place.target;
    if (place.deleted) text += " (deleted)";
    if (place.where == Where::Outside) text += " — outside: " + place.note;
    page.pair(label, text);
  }
}

void identity(Page& page, const Inspection& p) {
  page.heading("identity");
  page.pair("user", four(p.status.uid, user_text));
  page.pair("group", four(p.status.gid, group_text));
  std::string groups;
  std::string_view rest = p.status.groups;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest))
    groups += (groups.empty() ? "" : ", ") + group_text(static_cast<uint32_t>(parse_u64(word).value_or(0)));
  page.pair("groups", groups.empty() ? "none" : groups);
  page.pair("user map", map_text(p.uid_map));
  page.pair("group map", map_text(p.gid_map));
  if (!p.setgroups.empty()) page.pair("setgroups", p.setgroups);
}

void namespaces(Page& page, const Inspection& p) {
  page.heading("namespaces");
  for (const NamespaceView& ns : p.namespaces) {
    std::string inode = ns.inode != 0 ? num(ns.inode) : std::string();
    switch (ns.whose) {
      case Whose::Own: page.row(Mark::Good, "own", ns.kind, inode); break;
      case Whose::Host: page.row(Mark::Bad, "host", ns.kind, inode + ", shared with the host"); break;
      case Whose::Caller:
        page.row(Mark::Note, "same", ns.kind, inode + ", the caller's, not the host's");
        break;
      case Whose::Unknown: page.row(Mark::None, "?", ns.kind, kNotReadable); break;
    }
  }
}

void privilege(Page& page, const Inspection& p) {
  page.heading("privilege");
  struct Set {
    const char* name;
    uint64_t value;
  };
  const ProcStatus& s = p.status;
  for (const Set& set : {Set{"effective", s.cap_effective}, Set{"permitted", s.cap_permitted},
                         Set{"inheritable", s.cap_inheritable}, Set{"bounding", s.cap_bounding},
                         Set{"ambient", s.cap_ambient}})
    page.pair(set.name, s.has_caps ? capability_set(set.value, p.last_capability) : "not shown");
  page.pair("securebits", p.securebits >= 0 ? hex(static_cast<uint64_t>(p.securebits))
                                            : "the kernel shows them to the process alone");
  page.pair("no_new_privs", s.no_new_privs < 0 ? "not shown" : (s.no_new_privs != 0 ? "yes" : "no"));
  std::string seccomp =
      s.seccomp < 0 ? "not shown" : (s.seccomp == 0 ? "none" : (s.seccomp == 1 ? "strict" : "filter"));
  if (s.seccomp == 2 && s.seccomp_filters >= 0)
    seccomp += ", " + num(static_cast<uint64_t>(s.seccomp_filters)) + " deep";
  page.pair("seccomp", seccomp);
  page.pair("landlock", "the kernel does not show it");
  page.pair("module label", p.lsm_label.empty() ? "none" : p.lsm_label);
  page.pair("dumpable", p.dumpable ? "yes" : "no");
  page.pair("parent death", p.parent_death_signal < 0 ? "the kernel shows it to the process alone"
                                                      : "signal " + num_signed(p.parent_death_signal));
}

std::string cpu_text(uint64_t milli) { return num(milli / 10) + " % of one processor"; }

// What the group itself says, and what a group above it leaves when that is less.
std::string limit_text(std::optional<uint64_t> own, std::optional<uint64_t> effective,
                       std::string (*shown)(uint64_t)) {
  std::string out = !own ? "not told" : (*own == kNoLimit ? "none" : shown(*own));
  if (effective && *effective != kNoLimit && (!own || *effective < *own))
    out += " here, " + shown(*effective) + " by a group above";
  return out;
}

void groups(Page& page, const Inspection& p) {
  page.heading("control groups");
  for (const GroupView& group : p.groups)
    page.pair(group.controllers, group.path + (group.directory.empty() ? " (not visible here)" : ""));
  const CgroupLimits& l = p.limits;
  const CgroupLimits& e = p.effective;
  page.pair("memory limit",
            limit_text(l.memory, e.memory, format_size) +
                (p.usage.memory_now ? ", " + format_size(*p.usage.memory_now) + " used" : ""));
  page.pair("process limit", limit_text(l.pids, e.pids, num) +
                                 (p.usage.pids_now ? ", " + num(*p.usage.pids_now) + " used" : ""));
  page.pair("cpu limit", limit_text(l.cpu_milli, e.cpu_milli, cpu_text));
  if (!l.cpus.empty()) page.pair("processors", l.cpus);
  if (p.usage.oom_kills && *p.usage.oom_kills != 0) page.pair("memory kills", num(*p.usage.oom_kills));
}

void rlimits(Page& page, const Inspection& p) {
  page.heading("resource limits");
  if (!p.rlimits) {
    page.line(kNotReadable);
    return;
  }
  // Those that are bounded; the rest in one line.
  std::string open;
  for (const LimitLine& limit : *p.rlimits) {
    std::string name(limit.resource >= 0 ? limit_name(limit.resource) : limit.name);
    if (limit.soft == kUnlimited && limit.hard == kUnlimited) {
      open += (open.empty() ? "" : ", ") + name;
      continue;
    }
    std::string hard = limit.hard == kUnlimited ? "unlimited" : num(limit.hard);
    std::string soft = limit.soft == kUnlimited ? "unlimited" : num(limit.soft);
    page.pair(name, soft == hard ? soft : soft + ", may be raised to " + hard);
  }
  if (!open.empty()) page.pair("unlimited", open);
}

void mounts(Page& page, const Inspection& p) {
  page.heading("mounts");
  if (!p.mounts) {
    page.line(kNotReadable);
    return;
  }
  for (const MountView& mount : *p.mounts) {
    std::string text = mount.target + "  " + mount.fstype + "  " + mount.options;
    if (!mount.propagation.empty()) text += "  " + mount.propagation;
    if (!mount.source.empty() && mount.source != mount.fstype && mount.source != "none")
      text += "  from " + mount.source;
    page.line(text);
  }
}

std::string fd_text(const FdView& fd) {
  std::string out = name(fd.kind);
  if (!fd.target.empty()) out += " " + fd.target;
  if (fd.deleted) out += " (deleted)";
  out += fd.path_only ? ", path only"
                      : (fd.readable ? (fd.writable ? ", read and write" : ", read") : ", write");
  if (fd.close_on_exec) out += ", closed at exec";
  if (!fd.note.empty()) out += " — " + fd.note;
  return out;
}

void descriptors(Page& page, const Inspection& p) {
  page.heading("descriptors");
  if (!p.fds) {
    page.line(kNotReadable);
    return;
  }
  for (const FdView& fd : *p.fds) {
    Mark mark =
        fd.where == Where::Outside ? Mark::Note : (fd.where == Where::Inside ? Mark::Good : Mark::None);
    const char* word = fd.where == Where::Outside ? "out" : (fd.where == Where::Inside ? "in" : "·");
    page.row(mark, word, num_signed(fd.number), fd_text(fd));
  }
}

void summary(Page& page, const Inspection& p) {
  auto shared = std::count_if(p.namespaces.begin(), p.namespaces.end(),
                              [](const NamespaceView& ns) { return ns.whose == Whose::Host; });
  std::string text =
      num(static_cast<uint64_t>(shared)) + " of " + num(p.namespaces.size()) + " namespaces are the host's";
  auto outside = [](const FdView& fd) { return fd.where == Where::Outside; };
  if (p.fds) {
    auto out = std::count_if(p.fds->begin(), p.fds->end(), outside);
    auto dirs = std::count_if(p.fds->begin(), p.fds->end(), [](const FdView& fd) {
      return fd.where == Where::Outside && fd.kind == FdKind::Directory;
    });
    text += ", " + num(static_cast<uint64_t>(out)) + " descriptors lead outside";
    if (dirs != 0)
      text += " (" + num(static_cast<uint64_t>(dirs)) + " of them directories: a way out by fchdir)";
  }
  for (const FdView& place : p.places)
    if (place.where == Where::Outside && place.number == -1) text += ", the working directory is outside";
  page.blank();
  page.line(text + ".");
}

}  // namespace

std::string inspect_text(const Inspection& p, bool colour) {
  Page page(colour);
  process(page, p);
  identity(page, p);
  namespaces(page, p);
  privilege(page, p);
  groups(page, p);
  rlimits(page, p);
  mounts(page, p);
  descriptors(page, p);
  summary(page, p);
  return page.str();
}

}  // namespace immure::cli
