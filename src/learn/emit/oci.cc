// config.json of a bundle (OCI runtime specification 1.0), for an empty root: the host's programs are shown
// in it.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "learn/emit.h"
#include "learn/places.h"

namespace immure::learn {

std::string oci_config(const Rights& rights);
std::vector<std::string> oci_lacks(const Rights& rights);

namespace {

using Access = PathRight::Access;

void mount(JsonWriter& json, std::string_view target, std::string_view type, std::string_view source,
           const std::vector<std::string>& options) {
  json.begin_object()
      .text("destination", target)
      .text("type", type)
      .text("source", source)
      .begin_array("options");
  for (const std::string& option : options) json.text({}, option);
  json.end_array().end_object();
}

void show(JsonWriter& json, std::string_view path, bool writable) {
  mount(json, path, "bind", path, {"rbind", writable ? "rw" : "ro", "nosuid", "nodev"});
}

void mounts(JsonWriter& json, const Rights& rights) {
  json.begin_array("mounts");
  mount(json, "/proc", "proc", "proc", {"nosuid", "noexec", "nodev"});
  mount(json, "/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"});
  mount(json, "/dev/pts", "devpts", "devpts",
        {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"});
  mount(json, "/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"});
  mount(json, "/tmp", "tmpfs", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777"});
  for (std::string_view path : program_folders()) show(json, path, false);
  for (std::string_view path : library_settings())
    if (path != "/etc/hosts") show(json, path, false);
  // In the order of their names: a folder comes before what is in it.
  for (const PathRight& one : rights.paths) {
    switch (one.access) {
      case Access::Read: show(json, one.path, false); break;
      case Access::Write: show(json, one.path, true); break;
      case Access::Discard:
      case Access::Memory:
        mount(json, one.path, "tmpfs", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777"});
        break;
    }
  }
  json.end_array();
}

void capabilities(JsonWriter& json, const Rights& rights) {
  json.begin_object("capabilities");
  for (const char* set : {"bounding", "effective", "permitted"}) {
    json.begin_array(set);
    for (const std::string& name : rights.capabilities) json.text({}, capability_upper(name));
    json.end_array();
  }
  json.end_object();
}

void process(JsonWriter& json, const Rights& rights) {
  json.begin_object("process").boolean("terminal", false);
  json.begin_object("user").number("uid", 65534).number("gid", 65534).end_object().begin_array("args");
  for (const std::string& word : rights.command) json.text({}, word);
  json.end_array().begin_array("env").text({}, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
  json.text({}, "HOME=/tmp").end_array().text("cwd", rights.cwd.empty() ? "/" : rights.cwd);
  capabilities(json, rights);
  json.begin_array("rlimits");
  auto limit = [&](const char* type, uint64_t value) {
    if (value == 0) return;
    json.begin_object().text("type", type).number("hard", static_cast<int64_t>(value));
    json.number("soft", static_cast<int64_t>(value)).end_object();
  };
  limit("RLIMIT_NOFILE", rights.descriptors);
  limit("RLIMIT_FSIZE", rights.file_size);
  json.begin_object().text("type", "RLIMIT_CORE").number("hard", 0).number("soft", 0).end_object();
  json.end_array().boolean("noNewPrivileges", true).end_object();
}

void resources(JsonWriter& json, const Rights& rights) {
  json.begin_object("resources")
      .begin_array("devices")
      .begin_object()
      .boolean("allow", false)
      .text("access", "rwm");
  json.end_object().end_array();
  if (rights.memory != 0)
    json.begin_object("memory").number("limit", static_cast<int64_t>(rights.memory)).end_object();
  if (rights.processes != 0)
    json.begin_object("pids").number("limit", static_cast<int64_t>(rights.processes)).end_object();
  json.end_object();
}

}  // namespace

std::string oci_config(const Rights& rights) {
  JsonWriter json;
  json.begin_object().text("ociVersion", "1.0.2");
  process(json, rights);
  json.begin_object("root").text("path", "rootfs").boolean("readonly", true).end_object();
  json.text("hostname", "jail");
  mounts(json, rights);
  json.begin_object("linux").begin_array("namespaces");
  for (const char* type : {"pid", "ipc", "uts", "mount", "cgroup"})
    json.begin_object().text("type", type).end_object();
  if (!rights.network) json.begin_object().text("type", "network").end_object();
  json.end_array();
  resources(json, rights);
  json.begin_array("maskedPaths");
  for (const char* path : {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                           "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"})
    json.text({}, path);
  json.end_array().begin_array("readonlyPaths");
  for (const char* path : {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})
    json.text({}, path);
  // The writer puts the filter's object in place by its text.
  std::string out = json.end_array().str();
  std::string filter = seccomp_json_of_runtime(rights);
  return out + ",\"seccomp\":" + filter + "}}\n";
}

std::vector<std::string> oci_lacks(const Rights& rights) {
  std::vector<std::string> out = {
      "calls of the runtime itself: a few are open that the program does not need",
      "user namespace: the runtime maps no ids by this file, the program is nobody of the host",
      "Landlock: the runtime knows no rules for ports"};
  for (const PathRight& one : rights.paths)
    if (one.access == Access::Discard) {
      out.emplace_back("writing over what is there: the runtime's folder in memory is empty at first (" +
                       one.path + ")");
      break;
    }
  if (rights.network) out.emplace_back("ports and hosts: the program has all of the host's network");
  if (!rights.links.empty()) out.emplace_back("links: make them in rootfs");
  return out;
}

}  // namespace immure::learn
