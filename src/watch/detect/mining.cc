// The shape of mining for somebody else. The processor's time is in no call: what is seen is where a program
// connects, what it is called with, and what it sets itself up with.
#include <sys/socket.h>

#include <algorithm>

#include "watch/detect/chains.h"
#include "watch/detect/per_process.h"

namespace immure::watch {
namespace {

constexpr uint16_t kPoolPorts[] = {3333, 3334, 4444, 5555, 7777, 9999, 14433, 14444, 45560, 45700};
constexpr std::string_view kWords[] = {"stratum+tcp://", "stratum+ssl://", "stratum2+tcp://",
                                       "--donate-level", "--coin=",        "--rig-id",
                                       "--randomx-"};

class Mining : public Watching {
 public:
  void see(const Event& event, const World& world, Alerts& alerts) override {
    if (event.action == Action::End) return of_.forget(event.pid);
    if (event.action == Action::Exec && !stopped(event)) {
      for (std::string_view word : kWords)
        if (event.words.find(word) != std::string_view::npos)
          return tell(event, world, alerts, Severity::High,
                      " is started with '" + std::string(word) + "', a word of miners");
      return;
    }
    State& state = of_.of(event.pid);
    if (event.action == Action::Open &&
        (event.path == "/dev/cpu/0/msr" || event.path.find("/nr_hugepages") != std::string_view::npos))
      state.prepared = event.number;
    if (event.action == Action::SetLimit && event.flags == 0) state.limits = event.number;
    if (event.action != Action::Connect || event.address.family == AF_UNIX) return;
    const bool pool =
        std::find(std::begin(kPoolPorts), std::end(kPoolPorts), event.address.port) != std::end(kPoolPorts);
    const bool local = event.address.bytes[0] == 127 && event.address.family == AF_INET;
    if (!pool || local) return;
    if (++state.connects == 3 || state.prepared != 0)
      tell(event, world, alerts, state.prepared != 0 ? Severity::High : Severity::Low,
           " connects to " + text_of(event.address) + ", a port of mining pools" +
               (state.prepared != 0 ? ", and has set memory or processor up as miners do"
                                    : " again and again"));
  }

 private:
  struct State {
    uint64_t prepared = 0, limits = 0;
    unsigned connects = 0;
  };
  void tell(const Event& event, const World& world, Alerts& alerts, Severity severity,
            const std::string& said) {
    if (!raised_.add(static_cast<uint32_t>(event.pid))) return;
    alerts.raise(alert_of(kMining, severity, "", event, who(event, world) + said + outcome(event)));
  }
  PerProcess<State> of_;
  Recent raised_{1024};
};

}  // namespace

const Detector kMining = {
    "mining",
    Severity::High,
    "the shape of mining for somebody else",
    "A miner sells the machine's time to whoever put it there. How much a program computes is in no call, so that "
    "one with other words, on another port, is not told; a program that asks for a pool's port three times is "
    "low.",
    "T1496",
    "",
    bit(Kind::Network) | bit(Kind::Process) | bit(Kind::File) | bit(Kind::Limit),
    [](const Expected*) -> std::unique_ptr<Watching> { return std::make_unique<Mining>(); }};

}  // namespace immure::watch
