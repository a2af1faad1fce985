#include "learn/rights.h"

#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "base/text.h"
#include "learn/deciding.h"
#include "learn/generalise.h"
#include "learn/places.h"
#include "learn/rights_parts.h"

namespace immure::learn {
namespace {

using Access = PathRight::Access;

// Turns files into paths to be granted.
class Files {
 public:
  Files(const Needs& needs, const Surroundings& around, Rights& rights)
      : needs_(needs), around_(around), rights_(rights) {}

  void collect() {
    for (const auto& [path, item] : needs_.of(Part::File)) one(path, item);
    write();
    read();
    if (!needs_.cwd.empty() && needs_.cwd != "/" && !jails(needs_.cwd)) folder_to_be_in();
    std::sort(rights_.paths.begin(), rights_.paths.end(),
              [](const PathRight& a, const PathRight& b) { return a.path < b.path; });
  }

 private:
  void ask(std::string about, std::string why, std::string answer = {}) {
    rights_.questions.push_back({std::move(about), std::move(why), std::move(answer)});
  }
  static std::string as_list(std::string_view key, std::string_view path) {
    return std::string(key) + " = [\"" + std::string(path) + "\"]";
  }
  // The jail's own, whatever the host has there; but for a folder of the host that was shown below its /tmp.
  bool jails(const std::string& path) const {
    auto shown_here = [&](const std::string& one) { return one != "/tmp" && given(one) && below(path, one); };
    return given(path) && !shown_here(needs_.cwd) &&
           std::none_of(around_.layers.begin(), around_.layers.end(), shown_here);
  }
  bool shown(const std::string& path) const {
    return std::any_of(around_.granted.begin(), around_.granted.end(),
                       [&](const std::string& one) { return below(path, one); });
  }
  // Where its links lead, and a link for the first that the jail has not.
  std::string behind_links(const std::string& path, const Look& at) {
    if (at.real.empty() || at.real == path) return path;
    size_t end = 0;
    do {
      end = std::min(path.find('/', end + 1), path.size());
      std::string part = path.substr(0, end);
      Look look = around_.look(part);
      if (look.real.empty() || look.real == part) continue;
      if (!given_link(part) && !given(part) && links_.insert(part).second)
        rights_.links.push_back({look.real, part});
      break;
    } while (end < path.size());
    return at.real;
  }

  void one(const std::string& path, const Item& item) {
    if ((item.uses & kRun) != 0 && (item.uses & kWorked) != 0) rights_.run.push_back(path);
    if (path == "/" || shown(path) || below(path, "/proc")) return;
    if (below(path, "/dev") && !given(path)) return device(path, item);
    bool worked = (item.uses & kWorked) != 0;
    if (secret(path) != nullptr) secrets_.push_back(path);
    if (const char* why = secret(path); why != nullptr && (item.uses & (kRead | kWritten)) != 0) {
      if ((item.uses & (kWorked | kRefused)) != 0) ask("it read " + path, why, as_list("ro-bind", path));
      return;
    }
    if (below(path, "/sys")) {
      if (worked && (item.uses & kRead) != 0)
        ask("it read " + path, "the jail has no /sys: it shows the host's devices");
      return;
    }
    if (!worked) return;
    if ((item.uses & kWritten) != 0) return written(path, item);
    bool needed = (item.uses & (kRead | kRun | kFolder)) != 0;
    if (!needed || around_.own_root || jails(path)) return;
    Look at = around_.look(path);
    if (at.kind == Look::Kind::Missing || at.kind == Look::Kind::Other || at.kind == Look::Kind::Socket)
      return;
    std::string real = behind_links(path, at);
    if (jails(real)) return;
    if (const char* why = secret(real); why != nullptr) {
      secrets_.push_back(real);
      return ask("it read " + path + ", which leads to " + real, why, as_list("ro-bind", real));
    }
    if (below(real, "/proc") || below(real, "/sys") || below(real, "/dev"))
      return ask("it read " + path + ", which leads to " + real, "it shows the host's kernel or devices", "");
    // A folder that was only entered is there when something of it is.
    if (at.kind == Look::Kind::Folder && (item.uses & kRead) == 0) return entered_.push_back(real);
    if (at.kind == Look::Kind::Folder) folders_.insert(real);
    read_.push_back(real);
  }

  void device(const std::string& path, const Item& item) {
    if ((item.uses & (kRead | kWritten)) == 0 || below(path, "/dev/shm")) return;
    ask("it opened " + path, "a device reaches into a driver of the kernel", as_list("dev", path));
  }

  void written(const std::string& path, const Item& item) {
    if (jails(path) && !below(path, "/usr")) return;
    if (transient(path)) return static_cast<void>(memory_.insert("/run"));
    // The nearest folder that the host has: what the program makes, it makes there.
    std::string folder = (item.uses & kFolder) != 0 ? path : folder_of(path);
    unsigned up = 0;
    while (folder != "/" && around_.look(folder).kind != Look::Kind::Folder) {
      folder = folder_of(folder);
      ++up;
    }
    std::string real = behind_links(folder, around_.look(folder));
    if (const char* why = secret(real); why != nullptr)
      return ask("it wrote " + path + ", which leads to " + real, why, "");
    if (jails(real)) {
      if (!below(real, "/tmp"))
        ask("it wrote " + path, "the host's programs are read-only in every jail", "");
      return;
    }
    bool file_alone = too_wide(real) && up == 0 && (item.uses & (kMade | kRemoved)) == 0 &&
                      around_.look(path).kind == Look::Kind::File && around_.keep_writes;
    if (file_alone) return static_cast<void>(writes_[path].push_back(path));
    if (too_wide(real) && real != needs_.cwd)
      return ask("it wrote " + path, "the folder " + real + " holds too much to be writable as a whole",
                 as_list(around_.keep_writes ? "bind" : "overlay", real));
    writes_[real].push_back(path);
  }

  // Seen, or there by its name: what is granted as a whole is granted with what nobody has asked for yet.
  std::vector<std::string> secrets_in(const std::string& folder) const {
    std::vector<std::string> found;
    for (const std::string& one : secrets_)
      if (below(one, folder)) found.push_back(one);
    for (std::string_view name : secret_names()) {
      std::string place = folder + "/" + std::string(name);
      if (around_.look(place).kind != Look::Kind::Missing) found.push_back(place);
    }
    return found;
  }
  bool holds_secret(const std::string& folder) const {
    return secret(folder + "/x") != nullptr || !secrets_in(folder).empty();
  }

  void write() {
    for (const auto& [folder, seen] : writes_) {
      bool covered = std::any_of(writes_.begin(), writes_.end(), [&path = folder](const auto& other) {
        return other.first != path && below(path, other.first);
      });
      if (covered) continue;
      unsigned climbed = 0;
      for (const std::string& path : seen) climbed = std::max(climbed, depth(path) - depth(folder));
      std::string why =
          "written: " + seen.front() + (seen.size() > 1 ? " and " + num(seen.size() - 1) + " more" : "");
      if (climbed >= 2) why += "; " + num(climbed) + " segments above what was seen";
      bool folder_too = around_.look(folder).kind == Look::Kind::Folder;
      for (const std::string& place : secrets_in(folder))
        ask("the folder " + folder + " is granted, and " + place + " is in it", "it may hold secrets",
            as_list("file", "/dev/null:" + place) + " hides it");
      rights_.paths.push_back({around_.keep_writes ? Access::Write : Access::Discard, folder, folder_too, "",
                               why, seen.size(), climbed});
    }
    for (const std::string& place : memory_)
      rights_.paths.push_back(
          {Access::Memory, place, true, "", "written, and gone after a start of the machine", 1, 0});
  }

  bool writable(const std::string& path) const {
    return std::any_of(rights_.paths.begin(), rights_.paths.end(), [&](const PathRight& one) {
      return one.access != Access::Read && below(path, one.path);
    });
  }

  void read() {
    std::sort(read_.begin(), read_.end());
    read_.erase(std::unique(read_.begin(), read_.end()), read_.end());
    std::erase_if(read_, [&](const std::string& path) { return writable(path); });
    // A folder that was listed is granted as a whole, where that is not too much.
    std::vector<std::string> wholes;
    for (const std::string& folder : folders_)
      if (!too_wide(folder) && !holds_secret(folder) && !writable(folder)) wholes.push_back(folder);
    for (const std::string& folder : wholes)
      rights_.paths.push_back({Access::Read, folder, true, "", "listed", 1, 0});
    std::erase_if(read_, [&](const std::string& path) {
      return folders_.contains(path) || std::any_of(wholes.begin(), wholes.end(),
                                                    [&](const std::string& one) { return below(path, one); });
    });
    // Nobody need have asked for a secret: where one is, no folder is granted for what is beside it.
    std::set<std::string> near;
    for (const std::string& path : read_)
      for (std::string folder = folder_of(path); folder != "/" && near.insert(folder).second;)
        folder = folder_of(folder);
    std::vector<std::string> avoid = secrets_;
    for (const std::string& folder : near)
      for (std::string& place : secrets_in(folder)) avoid.push_back(std::move(place));
    for (Generalised& one : generalise(read_, avoid)) {
      if (!one.folder && around_.look(one.path).kind == Look::Kind::Missing) continue;
      rights_.paths.push_back({Access::Read, one.path, one.folder, one.pattern,
                               one.why.empty() ? "read" : "read; " + one.why, one.seen.size(), one.climbed});
    }
    drop_covered();
  }

  void drop_covered() {
    std::vector<PathRight> kept;
    for (const PathRight& one : rights_.paths) {
      bool covered = std::any_of(rights_.paths.begin(), rights_.paths.end(), [&](const PathRight& other) {
        return &other != &one && other.folder && other.path != one.path && below(one.path, other.path) &&
               other.access == one.access;
      });
      if (!covered) kept.push_back(one);
    }
    rights_.paths = std::move(kept);
  }

  void folder_to_be_in() {
    const std::string& cwd = needs_.cwd;
    bool there = std::any_of(rights_.paths.begin(), rights_.paths.end(), [&](const PathRight& one) {
      return below(one.path, cwd) || below(cwd, one.path);
    });
    if (there || shown(cwd)) rights_.cwd = cwd;
  }

  const Needs& needs_;
  const Surroundings& around_;
  Rights& rights_;
  std::vector<std::string> read_, entered_, secrets_;
  std::set<std::string> folders_, memory_, links_;
  std::map<std::string, std::vector<std::string>> writes_;
};

uint64_t with_room(uint64_t peak, uint64_t least) {
  return peak == 0 ? 0 : std::max(least, std::bit_ceil(peak * 2));
}

}  // namespace

Rights rights_of(const Needs& needs, const Surroundings& around) {
  Rights rights;
  rights.command = needs.command;
  rights.own = around.own;
  rights.name = needs.command.empty() ? "program" : std::string(name_of(needs.command[0]));
  Files(needs, around, rights).collect();
  calls_of(needs, rights);
  addresses_of(needs, around, rights);
  constexpr uint64_t kMemory = 64 << 20, kProcesses = 16, kDescriptors = 64, kFile = 1 << 20;
  rights.memory = with_room(needs.peaks.memory, kMemory);
  rights.processes = with_room(needs.peaks.processes, kProcesses);
  rights.descriptors = with_room(needs.peaks.descriptors, kDescriptors);
  rights.file_size = with_room(needs.peaks.file_size, kFile);
  if (needs.lost != 0)
    rights.notes.push_back(num(needs.lost) +
                           " events were lost while it was watched: what they showed is not here");
  if (needs.beyond != 0)
    rights.notes.push_back(num(needs.beyond) + " sights had no room: what they showed is not here");
  return rights;
}

}  // namespace immure::learn
