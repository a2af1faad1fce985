// The main program of immure-full: everything that is not a plain start.
#include <cstdlib>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "rootfs/unpack.h"

namespace immure::cli {
namespace {

int refuse(const Error& error) {
  (void)write_fd(2, format(error), "stderr");
  return exit_status(error.code);
}

int unknown(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs()) names.push_back(verb.name);
  std::string_view near = nearest(name, names);
  std::string how = near.empty() ? "immure help lists the verbs; a program is started by immure run -- CMD"
                                 : "did you mean immure " + std::string(near) +
                                       "? A program is started by immure run -- CMD";
  return refuse(Error{Code::kUsage, 0, "there is no verb " + quoted(name), {}, std::move(how), "argument 1"});
}

int immure(int argc, char** argv, char** environment) {
  if (argc < 2) {
    (void)write_fd(2, overview(), "stderr");
    return exit_status(Code::kUsage);
  }
  // What a jail for archives starts: not a verb, and nothing that anybody types.
  if (argc == 2 && rootfs::kUnpackWord == argv[1]) return rootfs::unpack_archive();
  const Verb* verb = find_verb(argv[1]);
  if (verb == nullptr) return unknown(argv[1]);
  Invocation call;
  call.argv = argv;
  call.environment = environment;
  call.args = std::span<char* const>(argv + 2, static_cast<size_t>(argc - 2));
  Result<int> status = run_verb(*verb, call);
  return status ? *status : refuse(status.error());
}

}  // namespace
}  // namespace immure::cli

int main(int argc, char** argv, char** environment) {
  return immure::cli::immure(argc, argv, environment);
}
