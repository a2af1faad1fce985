#include "watch/sources/ptrace.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <thread>

#include "watch/sources/tracer.h"

namespace immure::watch {
namespace {

// What wakes the tracer from its wait. Nobody else sends it, and it does nothing.
int waking_signal() { return SIGRTMAX - 3; }

class PtraceSource final : public Source {
 public:
  PtraceSource(const Target& target, Level level) : tracer_(target, level, queue_) {}
  ~PtraceSource() override {
    queue_.abandon();
    leave();
  }

  Status start() {
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    sigaction(waking_signal(), &nothing, nullptr);  // without SA_RESTART
    std::promise<Status> attached;
    std::future<Status> result = attached.get_future();
    thread_ = std::thread([this, &attached] {
      Status status = tracer_.attach();
      const bool go = status.has_value();
      if (!go) tracer_.stop();  // who was seized before the error is let go on
      attached.set_value(std::move(status));
      tracer_.run();
      done_ = true;
    });
    Status status = result.get();
    if (!status) thread_.join();
    return status;
  }

  std::string_view name() const override { return "ptrace"; }
  int descriptor() const override { return queue_.descriptor(); }
  Result<bool> drain(Taker& taker) override { return queue_.drain(taker); }
  bool ends_with_target() const override { return true; }
  uint64_t lost() const override { return 0; }  // who would lose waits

 private:
  // The tracer may be just about to wait when the signal comes: so it is sent until it has heard.
  void leave() {
    if (!thread_.joinable()) return;
    tracer_.stop();
    while (!done_) {
      pthread_kill(thread_.native_handle(), waking_signal());
      const timespec while_it_leaves{0, 5'000'000};
      nanosleep(&while_it_leaves, nullptr);
    }
    thread_.join();
  }

  RecordQueue queue_;
  Tracer tracer_;
  std::thread thread_;
  std::atomic<bool> done_ = false;
};

// A child says whether it may: a filter or a module of the kernel may deny it to all.
Status available() {
  const pid_t child = fork();
  if (child < 0) return fail(Code::kSystem, "no process for a look at ptrace", {}, {}, {}, errno);
  if (child == 0) _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : errno);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Code::kLayer, "ptrace is not to be had here",
              "the kernel or a filter denies it to this process",
              "watch from outside of the sandbox that immure runs in, or use another source", {},
              WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

Result<std::unique_ptr<Source>> attach(const Target& target, Level level) {
  if (target.everything)
    return fail(Code::kUsage, "ptrace cannot watch every process",
                "each of their calls would stop, those of the terminal and of the service manager too",
                "name a jail or a process, or use --source ebpf");
  auto source = std::make_unique<PtraceSource>(target, level);
  IMMURE_TRY(source->start());
  return source;
}

}  // namespace

const SourceKind kPtraceSource = {
    "ptrace", "every watched call with its result, in any jail and any process that may be traced",
    "each call stops its thread twice; of a jail started for it, only those that are watched", available,
    attach};

}  // namespace immure::watch
