// What the supervisor of a jail and who answers for its user say to each other (`immure policy ask`):
// messages of a fixed size over a SOCK_SEQPACKET pair, whose other end the supervisor's parent has.
//
//   supervisor                             asker
//   Question (a denied call; it waits) ──→
//                                     ←──  Answer (the question's id)
//   TakenBack (its caller has gone)   ──→
//
// One question at a time. End of file means that the other one has gone: the supervisor then ends the jail.
// What a question holds are registers, which cannot change while the call waits; memory is not read.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace immure {

enum class AskKind : uint32_t { Question, TakenBack, Answer };
// Always, Never: and all that are alike; Interrupt: denied, and as if Ctrl-C had been pressed; End: of the jail.
enum class AskAnswer : uint32_t { Deny, Once, Always, Never, Interrupt, End };

struct AskMessage {
  AskKind kind = AskKind::Question;
  AskAnswer answer = AskAnswer::Deny;
  uint64_t id = 0;
  uint32_t arch = 0, nr = 0;  // AUDIT_ARCH_…; as the call came, x32 bit included
  int32_t pid = 0;            // as the supervisor numbers it
  uint32_t waiting = 0;       // further calls that wait behind this one
  uint64_t args[6] = {};
};

// False: the other side has gone, or does not read. Never waits, never a signal.
inline bool send_ask(int link, const AskMessage& message) {
  return send(link, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof message;
}

enum class AskHeard { Message, Nothing, Gone };
// Never waits. A message of another size is as good as none that could be understood: Gone.
inline AskHeard hear_ask(int link, AskMessage& message) {
  const ssize_t n = recv(link, &message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
  if (n == sizeof message) return AskHeard::Message;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? AskHeard::Nothing : AskHeard::Gone;
}

}  // namespace immure
