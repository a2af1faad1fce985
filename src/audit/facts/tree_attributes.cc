#include "audit/facts/tree_attributes.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace immure::audit {
namespace {

constexpr long kGetxattrat = 464;  // include/uapi/asm-generic/unistd.h
struct AttributeCall {             // struct xattr_args
  uint64_t value;
  uint32_t size, flags;
};
// What is asked for here is shorter, as a rule; the second is the most that the kernel gives.
constexpr size_t kUsual = 4096, kLongest = 64u << 10;

uint32_t word(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t byte = 0; byte < 4; ++byte)
    value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + byte])) << (8 * byte);
  return value;
}

uint16_t half(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) |
                               static_cast<unsigned char>(bytes[at + 1]) << 8);
}

long ask(int folder, const char* name, const char* attribute, char* buffer, size_t size) {
  static std::atomic<bool> old_kernel = false;
  if (!old_kernel.load(std::memory_order_relaxed)) {
    AttributeCall call{reinterpret_cast<uint64_t>(buffer), static_cast<uint32_t>(size), 0};
    const unsigned flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);
    const long got = syscall(kGetxattrat, folder, name, flags, attribute, &call, sizeof call);
    if (got >= 0 || (errno != ENOSYS && errno != EPERM)) return got;
    old_kernel = true;
  }
  if (*name == '\0') return fgetxattr(folder, attribute, buffer, size);
  const std::string path = "/proc/self/fd/" + num_signed(folder) + "/" + name;
  return lgetxattr(path.c_str(), attribute, buffer, size);
}

}  // namespace

std::optional<std::string> attribute_of(int folder, const char* name, const char* attribute) {
  char buffer[kUsual];
  long got = ask(folder, name, attribute, buffer, sizeof buffer);
  if (got >= 0) return std::string(buffer, static_cast<size_t>(got));
  if (errno == ERANGE) {  // a list of rights with hundreds of rows
    std::string longer(kLongest, '\0');
    got = ask(folder, name, attribute, longer.data(), longer.size());
    if (got >= 0) return longer.substr(0, static_cast<size_t>(got));
  }
  if (errno == ENODATA || errno == EOPNOTSUPP || errno == ENOENT) return std::string();
  return std::nullopt;
}

std::optional<FileCapabilities> parse_file_capabilities(std::string_view bytes) {
  if (bytes.size() < 12) return std::nullopt;
  const uint32_t magic = word(bytes, 0);
  const uint32_t revision = magic >> 24;
  const size_t size = revision == 1 ? 12 : revision == 2 ? 20 : revision == 3 ? 24 : 0;
  if (size == 0 || bytes.size() < size) return std::nullopt;
  FileCapabilities found;
  found.effective = (magic & 1) != 0;
  found.permitted = word(bytes, 4);
  found.inheritable = word(bytes, 8);
  if (revision > 1) {
    found.permitted |= static_cast<uint64_t>(word(bytes, 12)) << 32;
    found.inheritable |= static_cast<uint64_t>(word(bytes, 16)) << 32;
  }
  if (revision == 3) found.root = word(bytes, 20);
  return found;
}

std::string opened_by_acl(std::string_view bytes, uint16_t wanted, uint32_t keeper) {
  constexpr uint16_t kUser = 0x02, kGroup = 0x08, kMask = 0x10;
  constexpr size_t kHead = 4, kEntry = 8;
  if (bytes.size() < kHead || word(bytes, 0) != 2) return {};
  uint16_t mask = 7;
  for (size_t at = kHead; at + kEntry <= bytes.size(); at += kEntry)
    if (half(bytes, at) == kMask) mask = half(bytes, at + 2);
  std::string found;
  for (size_t at = kHead; at + kEntry <= bytes.size(); at += kEntry) {
    const uint16_t tag = half(bytes, at);
    const uint32_t id = word(bytes, at + 4);
    if ((tag != kUser && tag != kGroup) || (half(bytes, at + 2) & mask & wanted) == 0) continue;
    if (id == 0 || (tag == kUser && id == keeper)) continue;
    found += (found.empty() ? "" : ", ") + std::string(tag == kUser ? "user " : "group ") + num(id);
  }
  return found;
}

}  // namespace immure::audit
