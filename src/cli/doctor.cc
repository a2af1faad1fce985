#include "cli/doctor.h"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/text.h"
#include "cli/page.h"
#include "kernel/ids.h"
#include "plan/compile.h"
#include "run/report.h"

namespace immure::cli {
namespace {

// The knobs that doctor_findings.cc judges, and those that explain a missing namespace.
constexpr const char* kSysctls[] = {
    "fs.protected_hardlinks",
    "fs.protected_symlinks",
    "fs.protected_fifos",
    "fs.protected_regular",
    "fs.suid_dumpable",
    "kernel.dmesg_restrict",
    "kernel.kptr_restrict",
    "kernel.unprivileged_bpf_disabled",
    "kernel.perf_event_paranoid",
    "kernel.yama.ptrace_scope",
    "kernel.io_uring_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns",
    "user.max_user_namespaces",
    "vm.unprivileged_userfaultfd",
    "vm.memfd_noexec",
    "dev.tty.legacy_tiocsti",
};

std::optional<std::string> sysctl(std::string_view name) {
  std::string path = "/proc/sys/";
  for (char c : name) path += c == '.' ? '/' : c;
  auto text = read_file(path, 4096);
  if (!text) return std::nullopt;
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  return *text;
}

// Only where the system keeps programs: a helper that runs with privilege is not taken from the caller's
// PATH.
Checkup::Helper find_helper(const char* name) {
  Checkup::Helper helper{name, {}, false};
  for (const char* dir : {"/usr/bin/", "/bin/", "/usr/local/bin/", "/usr/sbin/", "/sbin/"}) {
    std::string path = std::string(dir) + name;
    struct stat st {};
    if (stat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) continue;
    char value[64];
    helper.path = path;
    helper.privileged =
        (st.st_mode & S_ISUID) != 0 || getxattr(path.c_str(), "security.capability", value, sizeof value) > 0;
    break;
  }
  return helper;
}

Mark mark_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Good: return Mark::Good;
    case Verdict::Note: return Mark::Note;
    case Verdict::Bad: return Mark::Bad;
  }
  return Mark::None;
}
const char* word_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Good: return "ok";
    case Verdict::Note: return "note";
    case Verdict::Bad: return "no";
  }
  return "";
}

bool brief(const Finding& finding) {
  return finding.verdict == Verdict::Good && (finding.value.empty() || finding.section == "sysctls");
}

void show(Page& page, const Finding& finding) {
  const std::string& value = finding.value.empty() ? finding.why : finding.value;
  page.row(mark_of(finding.verdict), word_of(finding.verdict), finding.name, value);
  if (!finding.why.empty() && !finding.value.empty()) page.detail("why", finding.why);
  bool commands = finding.how.find(" && ") != std::string::npos;
  if (!finding.how.empty() && commands)
    page.whole("fix", finding.how);
  else if (!finding.how.empty())
    page.detail("fix", finding.how);
}

constexpr const char* kHelp =
    "usage: immure doctor [--json] [--ci]\n"
    "\n"
    "Tries what this host offers for jails, without changing it, and says for each\n"
    "thing that is missing why, and the one line that mends it.\n"
    "\n"
    "  --json   one document, schema immure.doctor/1\n"
    "  --ci     exit status 1 when the default jail cannot be made in full\n";

Status say(const std::string& text) { return write_fd(1, text, "standard output"); }

}  // namespace

Checkup check_host() {
  Checkup c;
  utsname system{};
  if (uname(&system) == 0) {
    c.kernel = system.release;
    c.machine = system.machine;
  }
  c.features = Features::probe();
  c.host = Host::observe();
  observe_subids(c.host);
  c.around = observe_surroundings();
  for (const char* name : {"newuidmap", "newgidmap"}) c.helpers.push_back(find_helper(name));
  for (const char* name : kSysctls) c.sysctls.push_back({name, sysctl(name)});
  JailSpec spec;
  spec.argv = {"/bin/sh", "-c", "true"};
  auto plan = compile(spec, c.features, c.host, RealHostFiles(), environ);
  if (plan)
    c.plan = std::move(*plan);
  else
    c.refusal = std::move(plan.error());
  return c;
}

std::string doctor_text(const Checkup& checkup, bool colour) {
  Page page(colour);
  std::vector<Finding> all = findings(checkup);
  unsigned notes = 0, bad = 0;
  for (size_t i = 0; i < all.size();) {
    std::string_view section = all[i].section;
    page.heading(section);
    // What is well and of one word, or a knob, is told in one line for all.
    std::string well;
    size_t end = i;
    for (; end < all.size() && all[end].section == section; end++) {
      const Finding& finding = all[end];
      if (!brief(finding)) continue;
      well += (well.empty() ? "" : ", ") + finding.name + (finding.value.empty() ? "" : "=" + finding.value);
    }
    if (!well.empty()) page.marked(Mark::Good, "ok", well);
    for (; i < end; i++) {
      if (brief(all[i])) continue;
      notes += all[i].verdict == Verdict::Note;
      bad += all[i].verdict == Verdict::Bad;
      show(page, all[i]);
    }
  }
  page.blank();
  std::string verdict = default_jail_in_full(checkup)
                            ? "The default jail can be made here with every required layer in force"
                            : "The default jail cannot be made here in full";
  if (bad != 0 || notes != 0) verdict += ": " + num(bad) + " missing, " + num(notes) + " to note";
  page.line(verdict + ".");
  return page.str();
}

std::string doctor_json(const Checkup& c) {
  JsonWriter json;
  json.begin_object().text("schema", "immure.doctor/1");
  json.text("kernel", c.kernel).text("machine", c.machine);
  json.number("uid", c.host.uid).boolean("privileged", c.host.privileged);
  json.begin_object("default_jail").boolean("possible", c.plan.has_value());
  json.boolean("in_full", default_jail_in_full(c));
  if (c.refusal) json.text("what", c.refusal->what).text("why", c.refusal->why).text("how", c.refusal->how);
  if (c.plan) run::layers_json(json, *c.plan);
  json.end_object();
  json.number("landlock_abi", c.features.landlock_abi).text("security_modules", c.features.lsm);
  json.begin_array("findings");
  for (const Finding& finding : findings(c)) {
    json.begin_object().text("section", finding.section).text("name", finding.name);
    json.text("verdict", word_of(finding.verdict)).text("value", finding.value);
    json.text("why", finding.why).text("how", finding.how).end_object();
  }
  json.end_array();
  json.begin_object("sysctls");
  for (const auto& one : c.sysctls) {
    if (one.value)
      json.text(one.name, *one.value);
    else
      json.null(one.name);
  }
  json.end_object().end_object();
  return json.str() + "\n";
}

Result<int> doctor(std::span<char* const> args) {
  bool as_json = false, ci = false;
  for (std::string_view arg : args) {
    if (arg == "--json")
      as_json = true;
    else if (arg == "--ci")
      ci = true;
    else if (arg == "--help" || arg == "-h") {
      IMMURE_TRY(say(kHelp));
      return 0;
    } else {
      static constexpr std::string_view kFlags[] = {"--json", "--ci", "--help"};
      std::string_view near = nearest(arg, kFlags);
      return fail(Code::kUsage, "doctor does not know " + quoted(arg), {},
                  near.empty() ? "immure doctor --help" : "did you mean " + std::string(near) + "?");
    }
  }
  Checkup checkup = check_host();
  IMMURE_TRY(say(as_json ? doctor_json(checkup) : doctor_text(checkup, run::use_colour(1))));
  return ci && !default_jail_in_full(checkup) ? 1 : 0;
}

}  // namespace immure::cli
