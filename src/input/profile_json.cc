// JSON as the other spelling of a profile. Read event by event: so a key that comes twice is seen, which a
// finished document would hide, and nesting has a bound.
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/text.h"
#include "input/toml.h"

namespace immure {
namespace {

using nlohmann::json;

class Reader final : public json::json_sax_t {
 public:
  explicit Reader(std::string_view shown_as) : shown_as_(shown_as) {}

  bool null() override {
    ProfileNode node;
    node.text = "null";
    return add(std::move(node));
  }
  bool boolean(bool value) override {
    ProfileNode node;
    node.kind = ProfileNode::Kind::Flag;
    node.flag = value;
    return add(std::move(node));
  }
  bool number_integer(number_integer_t value) override { return number(num_signed(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(num(value)); }
  bool number_float(number_float_t, const string_t& digits) override { return number(digits); }
  bool string(string_t& value) override {
    if (value.find('\0') != std::string::npos) return refuse("a text has a NUL byte in it");
    ProfileNode node;
    node.kind = ProfileNode::Kind::Text;
    node.text = std::move(value);
    return add(std::move(node));
  }
  bool binary(binary_t&) override { return refuse("it has binary data in it"); }
  bool start_object(std::size_t) override { return open(ProfileNode::Kind::Table); }
  bool key(string_t& name) override {
    if (name.find('\0') != std::string::npos) return refuse("a key has a NUL byte in it");
    if (!known_.back().insert(name).second)
      return refuse("the key " + immure::quoted(name) + " is there twice");
    key_ = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(ProfileNode::Kind::List); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return refuse("it is no JSON from byte " + num(position) + " on");
  }

  Status status() const { return status_; }
  ProfileNode take() { return std::move(top_); }

 private:
  bool refuse(std::string why) {
    if (status_) {
      status_ = fail(Code::kBadProfile, "cannot read the profile " + immure::quoted(shown_as_),
                     std::move(why), "mend the JSON at the place named below", shown_as_ + here());
    }
    return false;
  }
  std::string here() const {
    if (open_.empty()) return "#";
    const ProfileNode& parent = open_.back();
    std::string last = parent.kind == ProfileNode::Kind::List ? num(parent.items.size()) : key_;
    return parent.place + "/" + last;
  }
  bool number(std::string text) {
    ProfileNode node;
    node.kind = ProfileNode::Kind::Number;
    node.text = std::move(text);
    return add(std::move(node));
  }
  bool open(ProfileNode::Kind kind) {
    if (open_.size() >= static_cast<size_t>(kDeepestProfile))
      return refuse("it is nested more than 64 levels deep");
    ProfileNode node;
    node.kind = kind;
    node.place = here();
    names_.push_back(key_);
    open_.push_back(std::move(node));
    known_.emplace_back();
    return true;
  }
  bool close() {
    ProfileNode node = std::move(open_.back());
    open_.pop_back();
    known_.pop_back();
    key_ = std::move(names_.back());
    names_.pop_back();
    return add(std::move(node));
  }
  bool add(ProfileNode node) {
    if (node.place.empty()) node.place = here();
    if (open_.empty()) {
      top_ = std::move(node);
    } else if (open_.back().kind == ProfileNode::Kind::List) {
      open_.back().items.push_back(std::move(node));
    } else {
      node.key = key_;
      open_.back().members.push_back(std::move(node));
    }
    return true;
  }

  std::string shown_as_;
  Status status_;
  ProfileNode top_;
  std::vector<ProfileNode> open_;                       // from the top to where we are
  std::vector<std::unordered_set<std::string>> known_;  // the keys of each of them
  std::vector<std::string> names_;                      // the key under which each of them will stand
  std::string key_;
};

}  // namespace

Result<ProfileNode> parse_json(std::string_view text, std::string_view shown_as) {
  if (text.size() > kLongestProfile)
    return fail(Code::kBadProfile, "cannot read the profile " + immure::quoted(shown_as),
                "it is longer than 1 MiB");
  Reader reader(shown_as);
  bool read = json::sax_parse(text.begin(), text.end(), &reader);
  if (Status status = reader.status(); !status) return tl::unexpected<Error>(std::move(status.error()));
  ProfileNode top = reader.take();
  if (!read || top.kind != ProfileNode::Kind::Table) {
    return fail(Code::kBadProfile, "cannot read the profile " + immure::quoted(shown_as),
                "it is no JSON object", {}, std::string(shown_as));
  }
  return top;
}

}  // namespace immure
