// The bound for a look at a tree: every folder opened once, every name asked for once (getdents64(2), one
// statx(2)), by threads that share a stack of folders, and nothing else. What is counted is what makes the
// kernel's answers needed: set-id files, devices, names of files with several.
//   audit_floor THREADS DIR          one line: names, folders, notable names
//   audit_floor --make N DIR         an empty folder DIR gets N empty files, 1,000 in a folder
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

struct KernelEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};
constexpr size_t kBuffer = 128 * 1024;
constexpr uint8_t kFolder = 4;

struct Counts {
  uint64_t names = 0, folders = 0, notable = 0;
};

struct Shared {
  int top = -1;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> waiting{"."};
  size_t working = 0;
  Counts counts;
};

void one(Shared& shared, const std::string& path, char* buffer, Counts& counts,
         std::vector<std::string>& below) {
  const int fd =
      openat(shared.top, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
  if (fd < 0) return;
  struct statx st {};
  statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st);
  ++counts.folders;
  long got = 0;
  while ((got = syscall(SYS_getdents64, fd, buffer, kBuffer)) > 0) {
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const KernelEntry*>(buffer + at);
      at += entry->length;
      if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) continue;
      ++counts.names;
      if (entry->type == kFolder) {
        below.push_back(path + "/" + entry->name);
        continue;
      }
      if (statx(fd, entry->name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) != 0)
        continue;
      const bool set_id = S_ISREG(st.stx_mode) && (st.stx_mode & (S_ISUID | S_ISGID)) != 0;
      if (set_id || S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode) || st.stx_nlink > 1) ++counts.notable;
    }
  }
  close(fd);
}

void work(Shared& shared) {
  const auto buffer = std::make_unique<char[]>(kBuffer);
  Counts counts;
  std::vector<std::string> below;
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.changed.wait(lock, [&] { return !shared.waiting.empty() || shared.working == 0; });
    if (shared.waiting.empty()) break;
    const std::string path = std::move(shared.waiting.back());
    shared.waiting.pop_back();
    ++shared.working;
    lock.unlock();
    one(shared, path, buffer.get(), counts, below);
    lock.lock();
    --shared.working;
    for (std::string& name : below) shared.waiting.push_back(std::move(name));
    if (!below.empty() || shared.working == 0) shared.changed.notify_all();
    below.clear();
  }
  shared.counts.names += counts.names;
  shared.counts.folders += counts.folders;
  shared.counts.notable += counts.notable;
}

int make(uint64_t count, const char* folder) {
  constexpr uint64_t kIn = 1000;
  int in = -1;
  for (uint64_t at = 0; at < count; ++at) {
    if (at % kIn == 0) {
      if (in >= 0) close(in);
      const std::string path = std::string(folder) + "/" + std::to_string(at / kIn);
      if (mkdir(path.c_str(), 0755) != 0 || (in = open(path.c_str(), O_RDONLY | O_DIRECTORY)) < 0) return 1;
    }
    if (mknodat(in, std::to_string(at).c_str(), S_IFREG | 0644, 0) != 0) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "--make") == 0) return make(strtoull(argv[2], nullptr, 10), argv[3]);
  if (argc != 3) return 2;
  Shared shared;
  shared.top = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (shared.top < 0) return 1;
  const int threads = atoi(argv[1]);
  std::vector<std::thread> others;
  for (int at = 1; at < threads; ++at) others.emplace_back([&shared] { work(shared); });
  work(shared);
  for (std::thread& other : others) other.join();
  printf("%lu %lu %lu\n", shared.counts.names, shared.counts.folders, shared.counts.notable);
  return 0;
}
