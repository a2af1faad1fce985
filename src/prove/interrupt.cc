#include "prove/interrupt.h"

namespace immure::prove {
namespace {

volatile sig_atomic_t noted = 0;

void note(int number) { noted = number; }

}  // namespace

Interrupt::Interrupt() {
  noted = 0;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    struct sigaction action {};
    action.sa_handler = kSignals[i] == SIGPIPE ? SIG_IGN : kSignals[i] == SIGCHLD ? SIG_DFL : note;
    sigaction(kSignals[i], &action, &before_[i]);
  }
}

Interrupt::~Interrupt() {
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

bool Interrupt::came() { return noted != 0; }
int Interrupt::signal() { return noted; }

}  // namespace immure::prove
