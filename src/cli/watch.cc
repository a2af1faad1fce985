#include "cli/watch.h"

#include "base/text.h"
#include "cli/watch_model.h"

namespace immure::cli {
namespace {

struct Part {
  std::string_view name;
  Result<int> (*run)(const Invocation&);
};

constexpr Part kParts[] = {{"train", watch_train}, {"score", watch_score}};

}  // namespace

Result<int> watch(const Invocation& call) {
  std::string_view name = call.args.empty() ? std::string_view() : call.args[0];
  std::vector<std::string_view> names;
  for (const Part& part : kParts) {
    names.push_back(part.name);
    if (part.name != name) continue;
    Invocation rest = call;
    rest.args = call.args.subspan(1);
    ++rest.first_index;
    if (!rest.args.empty() && std::string_view(rest.args[0]) == "--help") {
      static char verb[] = "watch";
      static char* const arguments[] = {verb};
      rest.args = arguments;
      return help(rest);
    }
    return part.run(rest);
  }
  std::string_view near = nearest(name, names);
  return fail(Code::kUsage,
              name.empty() ? "watch needs to know what to do" : "watch does not know " + quoted(name), {},
              near.empty() ? "immure help watch" : "did you mean " + std::string(near) + "?");
}

}  // namespace immure::cli
