// bpf(2): programs that the kernel verifies and runs. The verifier has been wrong often enough.
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "probes/inside.h"

namespace immure::probes {
namespace {

Attempt call(const char* where, int command, bpf_attr& attributes) {
  int fd = static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
  Attempt attempt = door(where, fd);
  if (fd > 0) close(fd);
  return attempt;
}

Attempt make_map(const Yard&, const Probe&) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = 4;
  attributes.max_entries = 1;
  return call("bpf map", BPF_MAP_CREATE, attributes);
}

// Two instructions, "return 0"; it is attached to nothing and goes with its descriptor.
Attempt load_program(const Yard&, const Probe&) {
  static const uint64_t kReturnNothing[] = {0x00000000000000b7, 0x0000000000000095};
  static const char kLicense[] = "GPL";
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = reinterpret_cast<uint64_t>(kReturnNothing);
  attributes.insn_cnt = 2;
  attributes.license = reinterpret_cast<uint64_t>(kLicense);
  return call("bpf program", BPF_PROG_LOAD, attributes);
}

Attempt get_object(const Yard&, const Probe&) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.pathname = reinterpret_cast<uint64_t>("/immure-no-such-object");
  return call("bpf object", BPF_OBJ_GET, attributes);
}

Attempt list_programs(const Yard&, const Probe&) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  long result = syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attributes, sizeof attributes);
  if (result == 0) return exposed("the host runs a program with id %u", attributes.next_id);
  return door("bpf next id", result);  // ENOENT: there is none, and that was told
}

constexpr Probe kBpfPrograms[] = {
    {"bpf-map", Category::Kernel, "make a BPF map",
     "A map is what every attack on the verifier begins with: CVE-2021-3490 and CVE-2022-23222 turn a map "
     "and a program with wrong bounds into writing anywhere in the kernel. Many distributions still have it "
     "open to every user.",
     "bpf(2), CVE-2022-23222", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs), Proof::None, kBare,
     make_map},
    {"bpf-program", Category::Kernel, "load a BPF program",
     "Loads the smallest program there is and attaches it to nothing. Who can load larger ones is at the "
     "verifier, or, with the rights of root, watches and changes every process of the host.",
     "bpf(2), CVE-2021-3490", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs), Proof::None, kBare,
     load_program},
    {"bpf-object", Category::Kernel, "ask bpf for a pinned object",
     "Asks for an object by a path that does not exist. No right is needed for that much, so an answer other "
     "than a refusal shows that the call itself is within reach, with all its commands.",
     "bpf(2)", by(Layer::Seccomp), Proof::None, loosened("--allow-syscall bpf"), get_object},
    {"bpf-list", Category::Kernel, "list the BPF programs of the host",
     "Walks the ids of the programs that the host runs: what watches it, filters its packets and guards its "
     "devices. The next step takes their descriptors, and from them their maps, to read and to write.",
     "bpf(2), BPF_PROG_GET_NEXT_ID", by(Layer::Seccomp, Layer::Capabilities, Layer::UserNs), Proof::None,
     kBare, list_programs},
};

}  // namespace

std::span<const Probe> bpf_programs() { return kBpfPrograms; }

}  // namespace immure::probes
