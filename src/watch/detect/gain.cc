// Rights that a process has gained, and shells where no shell should be.
#include <algorithm>

#include "watch/calls.h"
#include "watch/detect/chains.h"

namespace immure::watch {
namespace {

std::string_view last_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Became user 0 by a call that succeeded, from a process that was another user when it was last seen.
class PrivilegeGain : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    const Process* process = world.find(event.pid);
    if (event.action != Action::SetIds || event.verdict != Verdict::Done || process == nullptr) return;
    const std::string_view name = name_of_call(event.arch, event.nr);
    if (name.find("uid") == std::string_view::npos || name.find("fs") != std::string_view::npos) return;
    if (process->uid == 0 || process->uid == ~0U) return;
    const bool to_root =
        static_cast<uint32_t>(event.args[0]) == 0 ||
        (name.find("re") != std::string_view::npos && static_cast<uint32_t>(event.args[1]) == 0);
    if (!to_root || !raised_.add(static_cast<uint32_t>(event.pid))) return;
    alerts.raise(
        alert_of(kPrivilegeGain, Severity::Medium, "become-user", event,
                 who(event, world) + " was user " + std::to_string(process->uid) + " and has become user 0"));
  }

 private:
  Recent raised_{4096};
};

// A shell or a tool for going on, started by a program that serves the network.
class ServerShell : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action != Action::Exec) return;
    constexpr std::string_view kShells[] = {"sh",  "bash",    "dash", "zsh",  "ksh",
                                            "ash", "busybox", "nc",   "ncat", "socat"};
    constexpr std::string_view kServers[] = {"nginx",        "apache2",  "httpd",  "lighttpd", "caddy",
                                             "redis-server", "postgres", "mysqld", "mariadbd", "mongod",
                                             "memcached",    "named",    "vsftpd", "proftpd",  "haproxy",
                                             "php-fpm",      "exim4",    "dovecot"};
    const std::string_view started = last_name(event.resolved.empty() ? event.path : event.resolved);
    if (std::find(std::begin(kShells), std::end(kShells), started) == std::end(kShells)) return;
    const Process* process = world.find(event.pid);
    const Process* parent = process != nullptr ? world.find(process->parent) : nullptr;
    if (parent == nullptr) return;
    const std::string_view server = last_name(parent->program);
    const auto is = [&](std::string_view one) { return server.substr(0, one.size()) == one; };
    if (std::find_if(std::begin(kServers), std::end(kServers), is) == std::end(kServers)) return;
    alerts.raise(alert_of(kServerShell, Severity::High, "", event,
                          "'" + parent->program + "' (process " + std::to_string(parent->pid) +
                              "), a server, starts '" + std::string(event.path.substr(0, 256)) + "'" +
                              outcome(event)));
  }
};

}  // namespace

const Detector kPrivilegeGain = {
    "privilege-gain",
    Severity::Medium,
    "a process that became user 0",
    "To become root without having been it is what attacks on set-id programs come to. su and sudo do it as their "
    "work; in a jail without set-id programs nothing does.",
    "setuid(2); T1548.001",
    "become-user",
    bit(Kind::Privilege),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<PrivilegeGain>(); }};

const Detector kServerShell = {
    "server-shell",
    Severity::High,
    "a shell started by a server",
    "What is sent to a server is run by it when somebody has found a hole, and the first thing run is a shell. "
    "Servers start their own workers and helpers; a few are set up to run scripts.",
    "T1059.004; T1190",
    "",
    bit(Kind::Process),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<ServerShell>(); }};

}  // namespace immure::watch
