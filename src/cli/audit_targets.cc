#include "cli/audit_targets.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "audit/facts/described_readers.h"
#include "base/text.h"
#include "cli/inspect.h"
#include "cli/jail_state.h"
#include "prove/foreign.h"

namespace immure::cli {
namespace {

using audit::Look;

constexpr std::string_view kAll = "--all";

// The name of the service of the system that has started it; empty: none. What somebody starts out of a
// service (a job of cron's, a login) is in its control group too, and is not what the unit is for.
std::string service_of(const audit::Live& live) {
  for (const audit::GroupView& group : live.process.groups) {
    if (!group.path.starts_with("/system.slice/")) continue;
    for (std::string_view part : split(group.path, '/')) {
      if (part.ends_with(".slice") || part.empty()) continue;
      constexpr std::string_view kSuffix = ".service";
      if (!part.ends_with(kSuffix)) break;
      const std::string_view stem = part.substr(0, part.size() - kSuffix.size());
      if (live.process.status.ppid == 1 || stem == live.process.name) return std::string(part);
      break;
    }
  }
  return {};
}

// Fixes name places as they are from everywhere.
std::string whole_path(const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

Status gather_live(int pid, Gathered& into) {
  auto seen = audit::look_at_live(pid);
  if (!seen) return tl::unexpected<Error>(std::move(seen.error()));
  into.live = std::move(*seen);
  into.target.pid = pid;
  into.target.config = service_of(*into.live);
  into.against = "pid " + num_signed(pid);
  return {};
}

Status gather_folder(const AuditWish& wish, const std::string& value, Gathered& into) {
  auto seen = audit::look_at_tree(whole_path(value), {.find_partners = wish.find_links});
  if (!seen) {
    if (seen.error().how.empty())
      seen.error().how = "name a folder that this user may read; jails that run: immure ps";
    return tl::unexpected<Error>(std::move(seen.error()));
  }
  into.tree = std::make_unique<audit::Tree>(std::move(*seen));
  if (into.tree->vanished != 0)
    into.target.notes.push_back(counted(into.tree->vanished, "name was", "names were") +
                                " gone when looked at: somebody changes the tree meanwhile");
  if (into.tree->is_no_root())
    into.target.notes.push_back(into.tree->names == 0
                                    ? "it is empty: this is no root, and that nothing is found says nothing"
                                    : "no program is in it: this is no root, or not yet");
  into.target.name = value;
  into.target.device = into.tree->top_device;
  into.target.inode = into.tree->top_inode;
  into.target.tree = into.tree->path;
  if (into.tree->caller != 0 && into.tree->caller == into.tree->top_uid)
    into.target.keeper = num(into.tree->top_uid) + ":" + num(into.tree->top_gid);
  into.run_options = {"--root", value};
  return {};
}

Status gather_pid(const AuditWish&, const std::string& value, Gathered& into) {
  auto pid = parse_pid(value);
  if (!pid) {
    pid.error().how = "a number that ps -e shows; all that are in a jail: immure audit --all";
    pid.error().origin = "--pid";
    return tl::unexpected<Error>(std::move(pid.error()));
  }
  IMMURE_TRY(gather_live(*pid, into));
  into.target.same = into.live->process.name;
  into.target.name = num_signed(*pid) + " (" + into.live->process.name + ")";
  return {};
}

Status gather_jail(const AuditWish&, const std::string& value, Gathered& into) {
  auto pid = program_of(value);
  if (!pid) return tl::unexpected<Error>(std::move(pid.error()));
  IMMURE_TRY(gather_live(*pid, into));
  into.target.name = value;
  return {};
}

// Never asked: gather() makes one jail for each process of it.
Status gather_all(const AuditWish&, const std::string&, Gathered&) { return {}; }

Status gather_host(const AuditWish&, const std::string&, Gathered& into) {
  into.host = std::make_shared<const audit::HostState>(audit::look_at_host());
  into.target.name = "this host";
  return {};
}

// Where words of its kind are written: the file, or the name of a unit.
std::string config_of(const audit::Described& said, const std::string& value) {
  if (said.kind == "bwrap" || said.kind == "profile") return {};
  if (said.kind == "oci") return whole_path(value) + "/config.json";
  if (said.kind != "unit" || value.find('/') != std::string::npos) return whole_path(value);
  return value.find('.') == std::string::npos ? value + ".service" : value;
}

constexpr const char* kNameIt =
    "name what is there: --unit NAME, --oci FOLDER with a config.json, --sshd /etc/ssh/sshd_config, --vsftpd "
    "/etc/vsftpd.conf";

// What a configuration says; `read` is one of the readers of facts/described_readers.h.
template <Result<audit::Described> (*Read)(const std::string&)>
Status gather_described(const AuditWish&, const std::string& value, Gathered& into) {
  auto said = Read(value);
  if (!said) {
    Error& error = said.error();
    if (error.how.empty() && (error.code == Code::kSystem || error.code == Code::kBadProfile))
      error.how = kNameIt;
    return tl::unexpected<Error>(std::move(error));
  }
  into.target.name = said->kind == "bwrap" ? value : said->name;
  into.target.config = config_of(*said, value);
  if (said->kind == "profile") into.run_options = {"--profile", value};
  if (said->kind == "unit" && value.find('/') == std::string::npos) into.against = "unit " + value;
  if (said->kind == "bwrap" && value.ends_with(prove::kProgramAndArgs)) into.against = value;
  constexpr size_t kNotes = 20;
  for (size_t i = 0; i < said->notes.size() && i < kNotes; ++i) into.target.notes.push_back(said->notes[i]);
  if (said->notes.size() > kNotes)
    into.target.notes.push_back("and " + num(said->notes.size() - kNotes) + " more");
  into.described = std::make_unique<audit::Described>(std::move(*said));
  return {};
}
Result<audit::Described> bwrap(const std::string& command) { return audit::describe_bwrap(command); }
Result<audit::Described> oci(const std::string& bundle) { return audit::describe_oci(bundle); }
Result<audit::Described> unit(const std::string& name) { return audit::describe_unit(name); }
Result<audit::Described> sshd(const std::string& file) { return audit::describe_sshd(file); }
Result<audit::Described> vsftpd(const std::string& file) { return audit::describe_vsftpd(file); }
Result<audit::Described> profile(const std::string& name) { return audit::describe_profile(name); }

// In the order of the help.
constexpr TargetKind kKinds[] = {
    {"", true, "root", "DIR", "a folder that is, or shall be, the root of a jail", Look::Tree, gather_folder},
    {"", true, "jail", "NAME", "a running jail of immure", Look::Process, gather_jail},
    {"--pid", true, "process", "N", "a running process, whoever started it", Look::Process, gather_pid},
    {"--all", false, "process", "", "every process in a root or namespaces of its own", Look::Process,
     gather_all},
    {"--unit", true, "unit", "NAME|FILE", "a systemd service, as its files describe it", Look::Described,
     gather_described<unit>},
    {"--oci", true, "oci", "BUNDLE", "a bundle of runc, crun and their kin: its config.json", Look::Described,
     gather_described<oci>},
    {"--bwrap", true, "bwrap", "'CMD'", "a bubblewrap command, in quotes", Look::Described,
     gather_described<bwrap>},
    {"--sshd", true, "sshd", "FILE", "a configuration of sshd: ChrootDirectory", Look::Described,
     gather_described<sshd>},
    {"--vsftpd", true, "vsftpd", "FILE", "a configuration of vsftpd", Look::Described,
     gather_described<vsftpd>},
    {"--profile", true, "profile", "NAME|FILE", "a profile of immure: what it loosens", Look::Described,
     gather_described<profile>},
    {"--host", false, "host", "", "the settings of the machine", Look::Host, gather_host},
};

bool is_folder(const std::string& word) {
  struct stat there {};
  return word.find('/') != std::string::npos || (stat(word.c_str(), &there) == 0 && S_ISDIR(there.st_mode));
}

// A word of its own is a folder when there is one, else the name of a jail.
const TargetKind& kind_of(const AuditWish::Said& said) {
  const std::string_view kind = is_folder(said.value) ? "root" : "jail";
  return *std::find_if(std::begin(kKinds), std::end(kKinds), [&](const TargetKind& one) {
    return one.flag == said.flag && (!said.flag.empty() || one.kind == kind);
  });
}

// In the order of the table, so that a jail has one name whatever was said first.
std::vector<AuditWish::Said> in_order(std::vector<AuditWish::Said> targets) {
  std::stable_sort(targets.begin(), targets.end(), [](const AuditWish::Said& a, const AuditWish::Said& b) {
    return &kind_of(a) < &kind_of(b);
  });
  return targets;
}

std::string shown(const AuditWish::Said& said) {
  return said.flag.empty() ? quoted(said.value)
                           : std::string(said.flag) + (said.value.empty() ? "" : " " + quoted(said.value));
}

// A running process is not looked at beside a description: which of them would be the jail?
Look part_of(Look look) { return look == Look::Described ? Look::Process : look; }

void name_it(Gathered& jail, const audit::Target& part) {
  audit::Target& whole = jail.target;
  if (whole.kind.empty()) {
    whole = part;
    return;
  }
  whole.kind += ", " + part.kind;
  whole.name += ", " + part.name;
  if (!part.same.empty() || !whole.same.empty())
    whole.same += (whole.same.empty() ? "" : ", ") + (part.same.empty() ? part.name : part.same);
  if (part.pid != 0) whole.pid = part.pid;
  if (whole.config.empty()) whole.config = part.config;
  if (whole.tree.empty()) whole.tree = part.tree, whole.keeper = part.keeper;
  whole.notes.insert(whole.notes.end(), part.notes.begin(), part.notes.end());
}

// One for each set of processes that are held alike. What ends meanwhile is none.
Result<std::vector<Gathered>> gather_jailed(const AuditWish& wish, std::vector<std::string>& notes) {
  std::vector<Gathered> out;
  std::shared_ptr<const audit::HostState> host;
  for (const AuditWish::Said& said : wish.targets) {
    if (said.flag == kAll) continue;
    if (said.flag != "--host")
      return fail(Code::kUsage, shown(said) + " cannot be audited beside --all", {},
                  "audit one after the other");
    host = std::make_shared<const audit::HostState>(audit::look_at_host());
  }
  auto around = audit::look_around();
  const std::vector<audit::JailedGroup> groups = audit::jailed_groups(*around);
  std::vector<int> pids;
  for (const audit::JailedGroup& group : groups) pids.push_back(group.pid);
  auto looks = audit::look_at_many(pids, around);
  for (size_t i = 0; i < groups.size(); ++i) {
    const audit::JailedGroup& group = groups[i];
    Gathered jail;
    jail.target.kind = "process";
    jail.target.name = num_signed(group.pid);
    auto& seen = looks[i];
    if (!seen && seen.error().code == Code::kNoJail) continue;
    if (seen) {
      jail.live = std::move(*seen);
      jail.target.pid = group.pid;
      jail.target.config = service_of(*jail.live);
      jail.target.same = jail.live->process.name;
      jail.target.name += " (" + jail.live->process.name + ")";
      jail.against = "pid " + num_signed(group.pid);
    } else {
      jail.target.notes.push_back(seen.error().what + ": " + seen.error().why);
      jail.target.unseen = true;
    }
    if (!group.others.empty())
      jail.target.notes.push_back(num(group.others.size()) +
                                  (group.others.size() == 1 ? " more is" : " more are") +
                                  " held alike; what they have open was not looked at");
    jail.host = host;
    out.push_back(std::move(jail));
  }
  if (size_t hidden = audit::hidden_processes(*around); hidden != 0)
    notes.push_back(num(hidden) + (hidden == 1 ? " process does" : " processes do") +
                    " not show this caller whether " + (hidden == 1 ? "it is" : "they are") + " in a jail" +
                    (geteuid() == 0 ? "" : "; root sees those of others"));
  return out;
}

}  // namespace

audit::Facts Gathered::facts(int64_t now) const {
  return {
      .tree = tree.get(), .live = live.get(), .host = host.get(), .described = described.get(), .now = now};
}

std::span<const TargetKind> target_kinds() { return kKinds; }

Result<std::vector<Gathered>> gather(const AuditWish& wish, std::vector<std::string>& notes) {
  for (const AuditWish::Said& said : wish.targets)
    if (said.flag == kAll) return gather_jailed(wish, notes);
  std::vector<Gathered> out(1);
  Gathered& jail = out.front();
  std::vector<std::pair<Look, std::string>> seen;
  for (const AuditWish::Said& said : in_order(wish.targets)) {
    const TargetKind& kind = kind_of(said);
    for (const auto& [look, words] : seen)
      if (look == part_of(kind.look))
        return fail(Code::kUsage, shown(said) + " and " + words + " are the same part of a jail",
                    "one audit is of one jail", "audit one after the other");
    seen.emplace_back(part_of(kind.look), shown(said));
    const audit::Target before = std::move(jail.target);
    jail.target = {};
    jail.target.kind = kind.kind;
    IMMURE_TRY(kind.gather(wish, said.value, jail));
    const audit::Target part = std::move(jail.target);
    jail.target = before;
    name_it(jail, part);
  }
  return out;
}

}  // namespace immure::cli
