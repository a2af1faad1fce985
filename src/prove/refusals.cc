#include "prove/refusals.h"

#include <algorithm>
#include <string_view>

namespace immure::prove {
namespace {

constexpr char kResource[] = "a root without CAP_SYS_RESOURCE, as in many containers and virtual machines";
constexpr char kFirst[] = "a first process with capabilities that root lacks";
constexpr char kDevices[] = "a control group that all of the host is in, with a list of devices";
constexpr char kLocked[] =
    "a kernel that is locked down (kernel_lockdown(7)), or a setting that forbids it for good";
constexpr char kTracing[] = "a kernel with kernel.yama.ptrace_scope=3";

constexpr Refusal kRefusals[] = {
    {"oom-score", kResource},      {"move-memory", kResource},    {"raise-limit", kResource},
    {"prctl-program", kResource},  {"prctl-flusher", kResource},  {"proc-first-root", kFirst},
    {"proc-first-cwd", kFirst},    {"proc-first-mem", kFirst},    {"trace-first", kFirst},
    {"mknod-root-disk", kDevices}, {"mknod-host-disk", kDevices}, {"planted-vda", kDevices},
    {"planted-sda", kDevices},     {"planted-nvme", kDevices},    {"mknod-sda", kDevices},
    {"planted-mem", kLocked},      {"planted-kmem", kLocked},     {"planted-port", kLocked},
    {"planted-msr", kLocked},      {"mknod-mem", kLocked},        {"mknod-port", kLocked},
    {"module-load", kLocked},      {"module-load-file", kLocked}, {"module-remove", kLocked},
    {"kexec-load", kLocked},       {"kexec-load-file", kLocked},  {"ports-all", kLocked},
    {"ports-one", kLocked},        {"proc-kcore", kLocked},       {"trace-kprobe", kLocked},
    {"sys-debug", kLocked},        {"perf-kernel", kLocked},      {"trace-attach", kTracing},
    {"trace-seize", kTracing},
};

}  // namespace

std::span<const Refusal> refusals() { return kRefusals; }

const char* refusal_of(const probes::Probe& probe) {
  const auto* known = std::find_if(std::begin(kRefusals), std::end(kRefusals),
                                   [&](const Refusal& one) { return std::string_view(one.id) == probe.id; });
  return known == std::end(kRefusals) ? nullptr : known->why;
}

}  // namespace immure::prove
