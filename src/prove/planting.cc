#include "prove/planting.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "probes/planted.h"
#include "probes/probe.h"
#include "prove/ears.h"

namespace immure::prove {
namespace {

namespace fs = std::filesystem;
using namespace probes;  // the names of planted.h

tl::unexpected<Error> cannot_plant(const std::string& path, int error = errno) {
  return fail(Code::kSystem, "the planted root cannot be made: " + immure::quoted(path), {},
              "see that the temporary folder has room, or set TMPDIR", {}, error);
}

Status copy_program(const std::string& from, const std::string& to, mode_t mode) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return cannot_plant(to, error.value());
  // chmod after chown would lose nothing here: the owner is already who we are.
  if (chmod(to.c_str(), mode) != 0) return cannot_plant(to);
  return {};
}

}  // namespace

Status PlantedRoot::make() {
  mode_t before = umask(022);
  Status made = [&]() -> Status {
    for (const char* folder :
         {"", "/bin", "/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/usr", kPlantedFolder}) {
      const std::string name = path + folder;
      if (mkdir(name.c_str(), 0755) != 0) return cannot_plant(name);
    }
    // As in every root: whoever runs there may write to /tmp.
    if (chmod((path + "/tmp").c_str(), 01777) != 0) return cannot_plant(path + "/tmp");
    IMMURE_TRY(programs());
    IMMURE_TRY(links());
    IMMURE_TRY(doors());
    return geteuid() == 0 ? nodes() : Status{};
  }();
  umask(before);
  return made;
}

Status PlantedRoot::programs() {
  const std::string folder = path + kPlantedFolder + "/";
  IMMURE_TRY(copy_program(probe, path + kProbeInRoot, 0755));
  IMMURE_TRY(copy_program(probe, folder + kSetUid, 04755));
  IMMURE_TRY(copy_program(probe, folder + kSetGid, 02755));
  IMMURE_TRY(copy_program(probe, folder + kWritableProgram, 0777));
  // The name that the script's first line gives: a program outside.
  if (!hard_links) IMMURE_TRY(copy_program(probe, yard + "/interpreter", 0755));
  IMMURE_TRY(write_file_atomic(folder + kScript, "#!" + yard + "/interpreter --who\n", 0755));
  if (geteuid() != 0) return {};
  const std::string capable = folder + kFileCapability;
  IMMURE_TRY(copy_program(probe, capable, 0755));
  vfs_cap_data all{};
  all.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  // Only what the caller's bounding set has can be had by exec; asking for more would end it with EPERM.
  auto bounding = read_file("/proc/self/status", 1U << 16);
  if (!bounding) return tl::unexpected<Error>(bounding.error());
  size_t at = bounding->find("CapBnd:\t");
  uint64_t set = at == std::string::npos ? 0 : std::strtoull(bounding->c_str() + at + 8, nullptr, 16);
  all.data[0].permitted = static_cast<uint32_t>(set);
  all.data[1].permitted = static_cast<uint32_t>(set >> 32);
  if (setxattr(capable.c_str(), "security.capability", &all, sizeof all, 0) != 0 && errno != EOPNOTSUPP)
    return cannot_plant(capable);
  return {};
}

Status PlantedRoot::links() {
  const std::string folder = path + kPlantedFolder + "/", canary = yard + "/canary";
  std::string up;
  for (int i = 0; i < 32; ++i) up += "../";
  const std::pair<const char*, std::string> symbolic[] = {{kLinkAbsolute, canary},
                                                          {kLinkUp, up + canary.substr(1)},
                                                          {kLinkProc, "/proc/1/root" + canary},
                                                          {kLinkTop, "/"}};
  for (const auto& [name, target] : symbolic)
    if (symlink(target.c_str(), (folder + name).c_str()) != 0) return cannot_plant(folder + name);
  if (!hard_links) return {};
  for (auto [name, target] : {std::pair{kHardLink, "/canary"}, std::pair{kHardLinkWritable, "/writable"}})
    if (link((yard + target).c_str(), (folder + name).c_str()) != 0) return cannot_plant(folder + name);
  return {};
}

// What leads to processes outside, and what the loader would read.
Status PlantedRoot::doors() {
  const std::string fifo = path + kPlantedFolder + "/" + kFifo;
  if (mkfifo(fifo.c_str(), 0666) != 0 || chmod(fifo.c_str(), 0666) != 0) return cannot_plant(fifo);
  held.emplace_back(filled_fifo(fifo, line));
  if (!held.back()) return cannot_plant(fifo);
  for (const std::string& name : {path + kPlantedFolder + "/" + kSocket, path + kDockerSocket}) {
    held.emplace_back(unix_stream(name));
    if (!held.back()) return cannot_plant(name);
    listening.push_back(held.back().get());
  }
  IMMURE_TRY(write_file_atomic(path + kPreload, "", 0666));
  return write_file_atomic(path + "/etc/passwd", "root:x:0:0:root:/:/bin/sh\n", 0644);
}

Status PlantedRoot::nodes() {
  for (int category = 0; category < kCategoryCount; ++category) {
    for (std::span<const Probe> rows : groups(static_cast<Category>(category))) {
      for (const Probe& row : rows) {
        if ((row.flags & kPlantedByRoot) == 0 || row.number == 0) continue;
        const std::string name = path + kPlantedFolder + "/" + kNode + row.word;
        mode_t kind = (row.flags & kBlockNode) != 0 ? S_IFBLK : S_IFCHR;
        if (mknod(name.c_str(), kind | 0666, static_cast<dev_t>(row.number)) != 0 && errno != EEXIST &&
            errno != EPERM)
          return cannot_plant(name);
        (void)chmod(name.c_str(), 0666);
      }
    }
  }
  return {};
}

}  // namespace immure::prove
