#include "prove/damage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "probes/planted.h"
#include "probes/yard.h"

namespace immure::prove {
namespace {

namespace fs = std::filesystem;

constexpr char kModuleName[] = "dummy", kModuleFile[] = "/kernel/drivers/net/dummy.ko";
constexpr char kNextKernel[] = "/sys/kernel/kexec_loaded", kConsole[] = "/proc/sys/kernel/printk";
constexpr char kDisk[] = "/dev/ram0", kMemory[] = "/dev/mem";
constexpr char kFormats[] = "/proc/sys/fs/binfmt_misc", kFormat[] = "/proc/sys/fs/binfmt_misc/immure-damage";
// What names a program that the kernel starts.
constexpr const char* kNamesProgram[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
                                         "/sys/kernel/uevent_helper", "/sys/fs/cgroup/memory/release_agent"};
constexpr size_t kSetting = 256, kBytes = 64;
constexpr int64_t kManySeconds = 60;
constexpr int kLooks = 15, kBetween = 100'000;  // microseconds: the kernel starts its helpers when it likes

std::string read_some(const std::string& path, size_t size, int64_t at = 0) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text(size, '\0');
  const ssize_t n = fd ? pread(fd.get(), text.data(), size, at) : -1;
  text.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return text;
}

void write_some(const std::string& path, std::string_view text, int64_t at = 0) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return;
  // Files of the kernel's may take what is written to them, and at no offset.
  (void)!(at == 0 ? write(fd.get(), text.data(), text.size())
                  : pwrite(fd.get(), text.data(), text.size(), at));
}

std::string release() {
  utsname name{};
  uname(&name);
  return name.release;
}

int64_t clock_offset() {
  timespec now{}, up{};
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &up);
  return now.tv_sec - up.tv_sec;
}

// memmap=64K$0x40000000: of the kernel's own command line, memory that it keeps out of.
int64_t kept_memory(const std::string& line) {
  for (std::string_view word : split(line, ' ')) {
    const size_t dollar = word.find("$0x");
    if (!word.starts_with("memmap=") || dollar == std::string_view::npos) continue;
    return static_cast<int64_t>(std::strtoll(std::string(word.substr(dollar + 1)).c_str(), nullptr, 16));
  }
  return 0;
}

bool copy_to(const std::string& from, const std::string& to, unsigned mode) {
  std::error_code error;
  fs::copy_file(from, to, error);
  return !error && chmod(to.c_str(), mode) == 0;
}

}  // namespace

// In the order of the rows.
const Damage::Kind Damage::kKinds[] = {
    {"module", "this kernel has no module dummy, or it is loaded already", &Damage::module_can,
     "the module dummy is in the kernel", &Damage::module_done, &Damage::module_mend},
    {"next-kernel", "this kernel starts no other, or one is in place already", &Damage::kernel_can,
     "another kernel is in place", &Damage::kernel_done, &Damage::kernel_mend},
    {"console-level", "this kernel has no console level", &Damage::console_can,
     "what the kernel tells on the console was changed", &Damage::console_done, &Damage::console_mend},
    {"expendable-memory", "no memory is kept from this kernel by memmap=", &Damage::memory_can,
     "the machine's memory was written", &Damage::memory_done, &Damage::memory_mend},
    {"expendable-disk", "there is no memory disk /dev/ram0", &Damage::disk_can, "the disk was written",
     &Damage::disk_done, &Damage::disk_mend},
    {"helper", "no helper can be laid out", &Damage::helper_can,
     "the kernel started the program outside, as root", &Damage::helper_done, &Damage::helper_mend},
    {"binary-format", "no binfmt_misc is mounted", &Damage::format_can, "the host has a new binary format",
     &Damage::format_done, &Damage::format_mend},
    {"clock", "there is no clock", &Damage::clock_can, "the machine's clock was put forward",
     &Damage::clock_done, &Damage::clock_mend},
    {"planted-file", "no file is planted", &Damage::file_can, "a file that was open to read was changed",
     &Damage::file_done, &Damage::file_mend},
};

const Damage::Kind* Damage::kind_of(const probes::Probe& probe) {
  if ((probe.flags & probes::kExpendable) == 0) return nullptr;
  for (const Kind& kind : kKinds)
    if (std::strcmp(kind.word, probe.word) == 0) return &kind;
  return nullptr;
}

Status Damage::prepare(const std::string& yard, const std::string& probe) {
  UniqueFd line(open("/proc/cmdline", O_RDONLY | O_CLOEXEC));
  consent_ = line ? probes::consent_at(line.get()) : probes::Consent::None;
  if (consent_ == probes::Consent::None) return {};
  yard_ = yard;
  clock_ = clock_offset();
  if (auto text = read_file("/proc/cmdline", 1U << 16)) memory_at_ = kept_memory(*text);
  for (const char* path : kNamesProgram) remember(path, kSetting);
  remember(kConsole, kSetting);
  if (struct stat disk{}; stat(kDisk, &disk) == 0 && S_ISBLK(disk.st_mode)) remember(kDisk, kBytes);
  if (memory_at_ != 0) before_[kMemory] = read_some(kMemory, kBytes, memory_at_);
  // Only its owner may make what tells that it ran.
  const std::string helper = yard_ + probes::kHelper, folder = helper.substr(0, helper.rfind('/'));
  if (mkdir(folder.c_str(), 0755) != 0 || chmod(folder.c_str(), 0755) != 0 || !copy_to(probe, helper, 0755))
    return fail(Code::kSystem, "cannot lay out " + immure::quoted(helper), {},
                "see that the temporary folder has room, or set TMPDIR", {}, errno);
  return {};
}

Status Damage::plant(const std::string& root) {
  if (consent_ == probes::Consent::None) return {};
  const std::string folder = root + probes::kPlantedFolder + "/";
  planted_file_ = root + "/etc/passwd";
  before_[planted_file_] = read_some(planted_file_, kSetting);
  if (geteuid() != 0) return {};
  // What this machine does not have is missed by the probes that need it.
  (void)copy_to("/lib/modules/" + release() + kModuleFile, folder + probes::kModule, 0644);
  (void)copy_to("/boot/vmlinuz-" + release(), folder + probes::kKernel, 0644);
  return {};
}

std::vector<std::string> Damage::facts() const {
  if (memory_at_ == 0) return {};
  return {"memory_at=" + num_signed(memory_at_)};
}

std::string Damage::missing(const probes::Probe& probe) const {
  if (consent_ < probes::needed(probe))
    return std::string(probes::kOnlyExpendable) + ": its kernel's command line has no " +
           probes::word(probes::needed(probe));
  const Kind* kind = kind_of(probe);
  return kind == nullptr || (this->*kind->there)() ? "" : kind->missing;
}

std::string Damage::found(const probes::Probe& probe) {
  const Kind* kind = kind_of(probe);
  if (kind == nullptr || consent_ < probes::needed(probe) || !(this->*kind->there)()) return {};
  const bool done = (this->*kind->is_done)();
  // Also where nothing is seen: settings that name a program may have been written, and nothing come of it.
  (this->*kind->mend)();
  return done ? kind->says : "";
}

void Damage::remember(const std::string& path, size_t size) {
  if (access(path.c_str(), R_OK) == 0) before_[path] = read_some(path, size);
}
bool Damage::is_same(const std::string& path) const {
  const auto& [name, text] = *before_.find(path);
  return read_some(name, std::max(text.size(), kBytes)) == text;
}
void Damage::write_back(const std::string& path) {
  if (auto found = before_.find(path); found != before_.end() && !is_same(path))
    write_some(path, found->second.empty() ? "\n" : found->second);
}

bool Damage::module_can() const {
  return access(("/lib/modules/" + release() + kModuleFile).c_str(), R_OK) == 0;
}
bool Damage::module_done() const {
  auto modules = read_file("/proc/modules", 1U << 20);
  return modules && ("\n" + *modules).find("\n" + std::string(kModuleName) + " ") != std::string::npos;
}
void Damage::module_mend() {
  if (module_done()) syscall(SYS_delete_module, kModuleName, O_NONBLOCK);
}

bool Damage::kernel_can() const { return access(kNextKernel, R_OK) == 0; }
bool Damage::kernel_done() const { return read_some(kNextKernel, 1) == "1"; }
void Damage::kernel_mend() { syscall(SYS_kexec_load, 0UL, 0UL, nullptr, 0UL); }

bool Damage::console_can() const { return has(kConsole); }
bool Damage::console_done() const { return !is_same(kConsole); }
void Damage::console_mend() { write_back(kConsole); }

bool Damage::memory_can() const { return has(kMemory) && !before_.at(kMemory).empty(); }
bool Damage::memory_done() const { return read_some(kMemory, kBytes, memory_at_) != before_.at(kMemory); }
void Damage::memory_mend() {
  if (memory_done()) write_some(kMemory, before_.at(kMemory), memory_at_);
}

bool Damage::disk_can() const { return has(kDisk); }
bool Damage::disk_done() const { return !is_same(kDisk); }
void Damage::disk_mend() { write_back(kDisk); }

bool Damage::helper_can() const { return !yard_.empty(); }
bool Damage::helper_done() const {
  const std::string mark = yard_ + probes::kHelper + probes::kHelperRan;
  for (int look = 0; look < kLooks; ++look) {
    struct stat file {};
    if (lstat(mark.c_str(), &file) == 0) return file.st_uid == 0;
    usleep(kBetween);
  }
  return false;
}
void Damage::helper_mend() {
  for (const char* path : kNamesProgram) write_back(path);
  unlink((yard_ + probes::kHelper + probes::kHelperRan).c_str());
}

bool Damage::format_can() const { return access((std::string(kFormats) + "/register").c_str(), F_OK) == 0; }
bool Damage::format_done() const { return access(kFormat, F_OK) == 0; }
void Damage::format_mend() {
  if (format_done()) write_some(kFormat, "-1");
}

bool Damage::clock_can() const { return clock_ != 0; }
bool Damage::clock_done() const { return std::abs(clock_offset() - clock_) > kManySeconds; }
void Damage::clock_mend() {
  if (!clock_done()) return;
  timespec up{};
  clock_gettime(CLOCK_BOOTTIME, &up);
  up.tv_sec += clock_;
  clock_settime(CLOCK_REALTIME, &up);
}

bool Damage::file_can() const { return !planted_file_.empty(); }
bool Damage::file_done() const { return read_some(planted_file_, kSetting) != before_.at(planted_file_); }
void Damage::file_mend() {
  if (file_done()) write_some(planted_file_, before_.at(planted_file_));
}

}  // namespace immure::prove
