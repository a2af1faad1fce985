// FIFOs and sockets: names in the tree whose other end may be outside.
#include <algorithm>
#include <string_view>

#include "audit/rules/tree/rules.h"
#include "base/path.h"
#include "base/text.h"

namespace immure::audit {
namespace {

struct Control {
  std::string_view name;
  const char* whose;
};
// Who may connect to one of these is root, or is the user whose session it is.
constexpr Control kControls[] = {
    {"docker.sock", "Docker"},
    {"podman.sock", "Podman"},
    {"containerd.sock", "containerd"},
    {"crio.sock", "CRI-O"},
    {"dockershim.sock", "Kubernetes"},
    {"kubelet.sock", "Kubernetes"},
    {"system_bus_socket", "D-Bus"},
    {"libvirt-sock", "libvirt"},
    {"lxd.socket", "LXD"},
    {"unix.socket", "LXD or Incus"},
    {"snapd.socket", "snapd"},
    {"buildkitd.sock", "BuildKit"},
    {"io.systemd.Machine", "systemd"},
    {"private", "systemd"},
    {"notify", "systemd"},
    {"S.gpg-agent", "an agent of keys"},
    {"S.gpg-agent.ssh", "an agent of keys"},
    {"wayland-0", "a display"},
    {"X0", "a display"},
    {"X1", "a display"},
    {"pipewire-0", "sound"},
    {"native", "sound"},
    {"udev", "udev"},
};

const char* control_of(std::string_view path) {
  const std::string_view name = path_name(path);
  for (const Control& row : kControls) {
    if (row.name != name) continue;
    // Common words mean it only at their place.
    if (name == "private" && !path.ends_with("systemd/private")) continue;
    if (name == "notify" && !path.ends_with("systemd/notify")) continue;
    if (name == "native" && !path.ends_with("pulse/native")) continue;
    return row.whose;
  }
  if (path.ends_with("udev/control")) return "udev";
  const std::string_view folder = path_name(path_folder(path));
  if (name.starts_with("agent.") && folder.starts_with("ssh-")) return "an agent of keys";
  return nullptr;
}

// "pid 812 (dockerd) listens at it; ", as far as it is known.
std::string listener_of(const Note& note) {
  if (!note.served) return {};
  return (note.text.empty() ? "a process" : note.text) + " listens at it; ";
}

void fifo(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kFifo);
  for (const Note& note : tree.notes)
    if ((note.marks & kFifo) != 0) found(answers, tree, note, mode_and_owner(note));
}

void socket(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kSocket);
  for (const Note& note : tree.notes)
    if ((note.marks & kSocket) != 0 && control_of(note.path) == nullptr)
      found(answers, note.served ? Severity::High : Severity::Low, tree, note,
            listener_of(note) + mode_and_owner(note));
}

void control(const Facts& facts, Answers& answers) {
  const Tree& tree = begin(facts, answers, kSocket);
  for (const Note& note : tree.notes)
    if (const char* whose = control_of(note.path); (note.marks & kSocket) != 0 && whose != nullptr)
      found(answers, tree, note, std::string(whose) + "; " + listener_of(note) + mode_and_owner(note));
}

}  // namespace

const Rule kTreeFifo = {
    .id = "tree-fifo",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "FIFO in the root",
    .why =
        "A process outside that opens the same name talks with the jail, past every network rule."
        " One that opens it by chance waits until somebody inside answers.",
    .fix = "rm {path}",
    .reference = "fifo(7); proc_sys_fs(5), protected_fifos",
    .check = fifo,
    .mend = Mend::Quarantine,
    .predicts = "planted-fifo fifo-outside"};

const Rule kTreeSocket = {
    .id = "tree-socket",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "socket in the root",
    .why =
        "If a process outside listens at it, the jail can connect, whatever network it has: a "
        "socket with a name belongs to the file system. Descriptors can be passed through it.",
    .fix = "rm {path}",
    .reference = "unix(7); ss(8), -xlp",
    .check = socket,
    .mend = Mend::Quarantine,
    .predicts = "planted-socket socket-outside"};

const Rule kTreeControlSocket = {
    .id = "tree-control-socket",
    .look = Look::Tree,
    .severity = Severity::Critical,
    .concern = Concern::Isolation,
    .point = Point::TreePowers,
    .title = "socket that controls the host",
    .why =
        "Behind a socket of this name a service of the host takes orders: to start containers, to"
        " use keys, to type into a display. Whoever may connect to it has no need of another way "
        "out.",
    .fix = "rm {path}",
    .reference = "unix(7); https://docs.docker.com/engine/security/",
    .check = control,
    .mend = Mend::Quarantine,
    .predicts = "planted-docker-socket connect-managers connect-system"};

}  // namespace immure::audit
