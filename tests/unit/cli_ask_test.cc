// Questions on a terminal that hostile programs write to as well.
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "cli/ask_page.h"
#include "run/asker.h"

namespace immure::cli {
namespace {

using ::testing::HasSubstr;

TEST(AskAnswers, TakeALetterAndTheCodeAndNothingElse) {
  EXPECT_EQ(keys_of("o42", "42").answer, Typed::Once);
  EXPECT_EQ(keys_of("a42", "42").answer, Typed::Always);
  EXPECT_EQ(keys_of("d42\r", "42").answer, Typed::Deny);
  EXPECT_EQ(keys_of("n 42\n", "42").answer, Typed::Never);
  EXPECT_EQ(keys_of("e42", "42").answer, Typed::End);
  EXPECT_EQ(keys_of("o4\x03", "42").answer, Typed::Interrupt);
  for (const char* keys : {"", "o", "42", "o4"}) {
    EXPECT_EQ(keys_of(keys, "42").answer, std::nullopt) << keys;
    EXPECT_FALSE(keys_of(keys, "42").wrong) << keys;
  }
  for (const char* keys : {"o24", "o41", "x42", "O42", "42o", "yes", "o422", "o41o42", "\x1b]lo42", "o\x1b" "42", "o42\x7f", "\xc2\x9bo42"}) {
    EXPECT_EQ(keys_of(keys, "42").answer, std::nullopt) << keys;
    EXPECT_TRUE(keys_of(keys, "42").wrong) << keys;
  }
}

TEST(AskAnswers, CodesDiffer) {
  std::set<std::string> codes;
  for (int i = 0; i < 200; i++) {
    auto code = fresh_code();
    ASSERT_TRUE(code);
    EXPECT_EQ(code->size(), 2U);
    EXPECT_EQ(code->find_first_not_of("0123456789"), std::string::npos);
    codes.insert(*code);
  }
  EXPECT_GT(codes.size(), 50U);
}

TEST(AskPage, WhatComesFromInsideMovesNoTerminal) {
  Asked asked;
  asked.call = asked.name = "ptrace";
  asked.program = "x";
  asked.path = "/tmp/\x1b[2J\x9b" "1m/x";
  asked.words = std::string(5000, 'w') + "\x1b]0;title\x07\r\n== immure asks";
  AskMessage question;
  question.waiting = 3;
  const std::string text = question_text(asked, question, 7, "19", 80);
  const size_t begins = text.find("== immure asks");
  ASSERT_NE(begins, std::string::npos);
  const std::string shown = text.substr(begins);
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
  EXPECT_EQ(shown.find('\x9b'), std::string::npos);
  EXPECT_EQ(shown.find('\x07'), std::string::npos);
  EXPECT_LT(shown.size(), 1500U);
  EXPECT_THAT(shown, HasSubstr("question 7; 3 more wait"));
  EXPECT_THAT(shown, HasSubstr("o19 once"));
  EXPECT_EQ(shown.find("== immure asks", 1), std::string::npos);
}

// A line that is longer than the window would go on in the next one, as if it were one of the question's.
TEST(AskPage, ForeignTextStaysInItsLine) {
  Asked asked;
  asked.call = asked.name = "ptrace";
  asked.program = std::string(300, 'p');
  asked.path = "/" + std::string(300, 'f');
  for (int i = 0; i < 60; i++) asked.words += "\xe4\xb8\xad";  // two places each
  for (const size_t columns : {40U, 80U, 200U}) {
    const std::string text = question_text(asked, {}, 1, "19", columns);
    for (const char* label : {"  who ", "  file ", "  called "}) {
      const size_t at = text.find(label);
      ASSERT_NE(at, std::string::npos) << label;
      const size_t length = text.find("\r\n", at) - at;
      EXPECT_LT(length, columns) << label;
      EXPECT_GT(length, 20U) << label;
    }
    EXPECT_EQ(text.find('\xe4'), std::string::npos);
  }
}

TEST(AskPage, ACallIsToldByItsRegisters) {
  AskMessage question;
  question.arch = AUDIT_ARCH_X86_64;
  question.nr = 41;
  question.pid = 1;
  question.args[0] = 17;
  const Asked asked = in_words(question);
  EXPECT_EQ(asked.call, "socket(AF_PACKET)");
  EXPECT_EQ(asked.name, "socket");
  EXPECT_THAT(asked.gives, HasSubstr("kernel"));
}

// ---- the supervisor's end

TEST(Asker, ItsOtherEndIsTheParents) {
  int own[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, own), 0);
  auto refused = run::Asker::open(own[0]);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUsage);
  close(own[1]);

  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, own), 0);
  const pid_t child = fork();
  if (child == 0) _exit(run::Asker::open(own[0]) ? 7 : 8);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  close(own[0]);
  close(own[1]);
}

// Who sends without end keeps nobody's limits waiting.
TEST(Asker, HearsAFewAtATime) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  AskMessage answer;
  answer.kind = AskKind::Answer;
  for (int n = 0; n < run::Asker::kMostHeard + 3; n++) ASSERT_TRUE(send_ask(pair[1], answer));
  const pid_t child = fork();
  if (child == 0) {
    auto asker = run::Asker::open(pair[0]);
    if (!asker || asker->hear() != run::Asker::Heard::Nothing) _exit(1);
    AskMessage left;
    int rest = 0;
    while (hear_ask(pair[0], left) == AskHeard::Message) rest++;
    _exit(rest == 3 ? 7 : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  close(pair[0]);
  close(pair[1]);
}

TEST(AskLink, MessagesOfAnotherSizeAreNone) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  AskMessage message;
  EXPECT_EQ(hear_ask(pair[0], message), AskHeard::Nothing);
  message.id = 77;
  ASSERT_TRUE(send_ask(pair[1], message));
  AskMessage got;
  ASSERT_EQ(hear_ask(pair[0], got), AskHeard::Message);
  EXPECT_EQ(got.id, 77U);
  for (const size_t size : {size_t{1}, sizeof message - 1, sizeof message + 1}) {
    const std::string bytes(size, 'x');
    ASSERT_EQ(send(pair[1], bytes.data(), bytes.size(), 0), static_cast<ssize_t>(size));
    EXPECT_EQ(hear_ask(pair[0], got), AskHeard::Gone) << size;
  }
  close(pair[1]);
  EXPECT_EQ(hear_ask(pair[0], got), AskHeard::Gone);
  EXPECT_FALSE(send_ask(pair[0], message));
  close(pair[0]);
}

}  // namespace
}  // namespace immure::cli
