#include "run/systemd_scope.h"

#include <dlfcn.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/file.h"
#include "base/text.h"

namespace immure::run {
namespace {

// The part of sd-bus(3) that is used. Its functions and this struct are stable (libsystemd.so.0).
struct BusError {
  const char* name;
  const char* message;
  int needs_free;
};
struct Bus;

struct Library {
  void* handle;
  int (*open_user)(Bus**) = nullptr;
  int (*call_method)(Bus*, const char*, const char*, const char*, const char*, BusError*, void**, const char*, ...) = nullptr;
  void (*error_free)(BusError*) = nullptr;
  Bus* (*flush_close_unref)(Bus*) = nullptr;

  Library() : handle(dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL)) {
    find("sd_bus_open_user", open_user);
    find("sd_bus_call_method", call_method);
    find("sd_bus_error_free", error_free);
    find("sd_bus_flush_close_unref", flush_close_unref);
  }
  Library(const Library&) = delete;
  ~Library() {
    if (handle != nullptr) dlclose(handle);
  }
  bool complete() const { return open_user != nullptr && call_method != nullptr && error_free != nullptr && flush_close_unref != nullptr; }

 private:
  template <class Function>
  void find(const char* name, Function& function) {
    if (handle != nullptr) function = reinterpret_cast<Function>(dlsym(handle, name));
  }
};

tl::unexpected<Error> cannot(std::string why, int error = 0) {
  return fail(Code::kLayer, "the user's service manager gives no control group", std::move(why),
              "ask the administrator for a login with a systemd user session, or go without (--need cgroup=prefer)", {}, error);
}

// A pid comes back, a moment does not.
std::string unit_name() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  auto ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec);
  return "immure-" + num(static_cast<uint64_t>(getpid())) + "-" + num(ns) + ".scope";
}

// The manager answers before it has moved the process.
bool is_in(const std::string& unit) {
  constexpr int kAttempts = 400, kPauseMs = 5;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    auto groups = read_file("/proc/self/cgroup", 1 << 16);
    if (groups && groups->find("/" + unit + "\n") != std::string::npos) return true;
    poll(nullptr, 0, kPauseMs);
  }
  return false;
}

}  // namespace

Status enter_systemd_scope() {
  Library library;
  if (!library.complete()) return cannot("libsystemd.so.0 is not installed");
  Bus* bus = nullptr;
  int opened = library.open_user(&bus);
  if (opened < 0) return cannot("its bus cannot be reached", -opened);
  const std::string unit = unit_name();
  BusError error{nullptr, nullptr, 0};
  constexpr int kProperties = 4;
  constexpr uint32_t kTheSender = 0;   // as the manager sees it, which may be in another pid namespace
  int called = library.call_method(
      bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit", &error, nullptr,
      "ssa(sv)a(sa(sv))", unit.c_str(), "fail", kProperties, "Description", "s", "immure and its jail", "PIDs", "au", 1,
      kTheSender, "Delegate", "b", 1, "CollectMode", "s", "inactive-or-failed", 0);
  std::string answer = error.message != nullptr ? error.message : "";
  library.error_free(&error);
  library.flush_close_unref(bus);
  if (called < 0) return cannot(answer.empty() ? "it does not answer" : "it answers: " + answer, -called);
  if (!is_in(unit)) return cannot("it took the request for " + quoted(unit) + ", and did not move this process");
  return {};
}

}  // namespace immure::run
