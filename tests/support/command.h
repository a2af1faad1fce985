// Runs a program as a test needs it: arguments, standard input, environment, descriptors, a terminal, a time limit;
// and tells how it ended. Works in a static binary. One thread; a Running must not outlive the test that made it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace immure::test {

struct Outcome {
  int status = -1;         // as a shell shows it: exit status, or 128 + signal
  int signal = 0;          // 0: it exited by itself
  bool timed_out = false;  // the test's limit, not one of the program's
  std::string out, err;    // a terminal has one stream: it is in out, as the terminal showed it
  double seconds = 0;
};

class Running;

class Command {
 public:
  explicit Command(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  Command& arg(std::string_view word);
  Command& args(const std::vector<std::string>& words);
  Command& input(std::string_view text);               // else standard input is /dev/null
  Command& keep_input_open();                          // a pipe that is written by Running::write
  Command& env(std::string_view name, std::string_view value);
  Command& unset(std::string_view name);
  Command& cwd(std::string_view path);
  Command& timeout(double seconds);                    // default 20
  Command& closed(int fd);                             // the program finds this descriptor closed
  Command& pass(int number, int fd);                   // the test's fd under that number
  Command& terminal(unsigned short rows = 24, unsigned short columns = 80);   // fds 0..2 are a new terminal
  Command& before_exec(std::function<void()> setup);   // in the child; may allocate

  Running start();
  Outcome run();

 private:
  friend class Running;
  std::vector<std::string> arguments_, unset_;
  std::vector<std::pair<std::string, std::string>> env_;
  std::vector<std::pair<int, int>> passed_;
  std::vector<int> closed_;
  std::string input_, cwd_;
  std::function<void()> setup_;
  double timeout_ = 20;
  bool open_input_ = false, terminal_ = false;
  unsigned short rows_ = 0, columns_ = 0;
};

class Running {
 public:
  Running(Running&& other) noexcept;
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  Running& operator=(Running&&) = delete;
  ~Running();                        // kills what still runs

  pid_t pid() const { return pid_; }
  bool write(std::string_view text); // to its standard input, or as if typed
  void close_input();
  void signal(int number) const;
  void resize(unsigned short rows, unsigned short columns) const;
  int terminal_fd() const { return terminal_; }        // the terminal's other side
  // What was written so far (standard output, or the terminal).
  const std::string& out() const { return outcome_.out; }
  // Reads on until `text` shows up in out; false when the time is over or the output ended before.
  bool wait_for(std::string_view text, double seconds = 10);
  // Reads to the end and waits. May be called once.
  Outcome wait();

 private:
  friend class Command;
  Running() = default;
  bool pump(double seconds, const std::function<bool()>& enough);

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1, terminal_ = -1;
  double started_ = 0, timeout_ = 0;
  std::string pending_input_;
  bool close_when_written_ = false;
  Outcome outcome_;
};

double now_seconds();  // monotonic
// Asks until it is true or the time is over.
bool eventually(const std::function<bool()>& condition, double seconds = 3);

}  // namespace immure::test
