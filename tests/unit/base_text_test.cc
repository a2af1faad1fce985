#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "base/path.h"
#include "base/text.h"
#include "base/utf8.h"

namespace immure {
namespace {

TEST(Numbers, PrintTheirWholeRange) {
  EXPECT_EQ(num(0), "0");
  EXPECT_EQ(num(UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(num_signed(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(num_signed(42), "42");
  EXPECT_EQ(hex(0), "0x0");
  EXPECT_EQ(hex(UINT64_MAX), "0xffffffffffffffff");
}

RC_GTEST_PROP(Numbers, ReadBackWhatTheyPrint, (uint64_t value)) { RC_ASSERT(parse_u64(num(value)) == value); }

TEST(Numbers, RefuseWhatIsNone) {
  for (const char* bad :
       {"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "18446744073709551616", "99999999999999999999999"})
    EXPECT_FALSE(parse_u64(bad)) << bad;
}

TEST(Sizes, KnowBinaryUnits) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("64k"), 65536u);
  EXPECT_EQ(parse_size("512M"), 512u << 20);
  EXPECT_EQ(parse_size("1G"), 1u << 30);
  EXPECT_EQ(parse_size("1GiB"), 1u << 30);
  EXPECT_EQ(parse_size("1gb"), 1u << 30);
  EXPECT_EQ(parse_size("10B"), 10u);
  EXPECT_EQ(parse_size("1.5G"), (1u << 30) + (1u << 29));
  EXPECT_EQ(parse_size("15E"), 15ull << 60);
}

TEST(Sizes, RefuseWhatIsNone) {
  for (const char* bad :
       {"", "M", "1X", "1 M", "-1M", "1.5", "1.", ".5G", "1..5G", "16E", "1Mi", "1iB", "1MM", "1e9"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Durations, KnowUnits) {
  EXPECT_EQ(parse_duration("2s"), 2'000'000'000u);
  EXPECT_EQ(parse_duration("500ms"), 500'000'000u);
  EXPECT_EQ(parse_duration("5m"), 300'000'000'000u);
  EXPECT_EQ(parse_duration("1.5"), 1'500'000'000u);
  EXPECT_EQ(parse_duration("1h"), 3'600'000'000'000u);
  EXPECT_EQ(parse_duration("3ns"), 3u);
  for (const char* bad : {"", "s", "1x", "1S", "-1s", "584942417355s", "1.0000000001s"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Units, AreShownForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(512u << 20), "512 MiB");
  EXPECT_EQ(format_size((1u << 30) + (1u << 29)), "1.5 GiB");
  EXPECT_EQ(format_size(UINT64_MAX), "15.9 EiB");
  EXPECT_EQ(format_duration(0), "0 s");
  EXPECT_EQ(format_duration(1'500'000'000), "1.5 s");
  EXPECT_EQ(format_duration(90'000'000'000), "90 s");
  EXPECT_EQ(format_duration(300'000'000'000), "5 min");
  EXPECT_EQ(format_duration(12'345), "12.3 us");
}

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("bind", "bnid"), 1u);  // neighbours swapped
  EXPECT_EQ(edit_distance("memory", "memroy"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

RC_GTEST_PROP(EditDistance, IsSymmetricAndNoughtForTheSame, (const std::string& a, const std::string& b)) {
  RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
  RC_ASSERT(edit_distance(a, a) == 0u);
  RC_ASSERT((edit_distance(a, b) == 0u) == (a == b));
  RC_ASSERT(edit_distance(a, b) <= std::max(a.size(), b.size()));
}

TEST(Nearest, MeansOnlyWhatIsNear) {
  constexpr std::array<std::string_view, 4> kWords = {"bind", "ro-bind", "memory", "net"};
  EXPECT_EQ(nearest("bnd", kWords), "bind");
  EXPECT_EQ(nearest("robind", kWords), "ro-bind");
  EXPECT_EQ(nearest("memroy", kWords), "memory");
  EXPECT_EQ(nearest("xyzzy", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest(std::string(100'000, 'b'), kWords), "");
}

TEST(Printable, ShowsNoControlAndNoTrickOfDirection) {
  EXPECT_EQ(printable("plain ü €"), "plain ü €");
  EXPECT_EQ(printable("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(printable("a\nb"), "a\\x0ab");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // C1 control CSI
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");           // no UTF-8
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(quoted("it's"), "'it'\\''s'");
}

RC_GTEST_PROP(Printable, IsIdempotentAndValidUtf8, (const std::string& text)) {
  std::string shown = printable(text);
  RC_ASSERT(printable(shown) == shown);
  for (size_t at = 0; at < shown.size();) {
    Utf8Char c = utf8_char(shown, at);
    RC_ASSERT(c.length > 0u);
    RC_ASSERT(c.code >= 0x20u);
    at += c.length;
  }
}

TEST(Utf8, RefusesWhatIsNotWellFormed) {
  for (const char* bad :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82", "\xf8\x88"})
    EXPECT_EQ(utf8_char(bad, 0).length, 0u);
  EXPECT_EQ(utf8_char("\xf0\x9f\x98\x80", 0).code, 0x1f600u);
  EXPECT_EQ(utf8_char("a", 1).length, 0u);
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
  EXPECT_EQ(split("", ',').size(), 1u);
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  std::array<std::string, 3> parts = {"a", "", "b"};
  EXPECT_EQ(join(parts, ", "), "a, , b");
}

TEST(Paths, AreNormalisedAsText) {
  EXPECT_EQ(path_normal("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(path_normal("/../.."), "/");
  EXPECT_EQ(path_normal("a/../../b"), "../b");
  EXPECT_EQ(path_normal("./a/.."), ".");
  EXPECT_EQ(path_normal("../.."), "../..");
  EXPECT_EQ(path_join("/x", "y/z"), "/x/y/z");
  EXPECT_EQ(path_join("/x", "/y"), "/y");
  EXPECT_EQ(path_folder("/a"), "/");
  EXPECT_EQ(path_folder("/a/b"), "/a");
  EXPECT_EQ(path_folder("a"), ".");
  EXPECT_EQ(path_name("/a/b"), "b");
  EXPECT_TRUE(path_within("/a/b", "/a"));
  EXPECT_TRUE(path_within("/a", "/a"));
  EXPECT_TRUE(path_within("/a", "/"));
  EXPECT_FALSE(path_within("/ab", "/a"));
  EXPECT_FALSE(path_within("/", "/a"));
}

TEST(Json, WritesWhatAnotherReaderReads) {
  JsonWriter json;
  json.begin_object().text("k\"", "v\n\\").number("n", -3).boolean("b", true).null("z");
  json.begin_array("a")
      .number("", 1)
      .begin_object()
      .end_object()
      .begin_array()
      .end_array()
      .text("", "x")
      .end_array();
  json.begin_object("o").boolean("f", false).end_object().end_object();
  EXPECT_EQ(json.str(), R"({"k\"":"v\u000a\\","n":-3,"b":true,"z":null,"a":[1,{},[],"x"],"o":{"f":false}})");
  EXPECT_TRUE(nlohmann::json::accept(json.str()));
}

RC_GTEST_PROP(Json, AnyBytesStayOneText, (const std::string& bytes)) {
  JsonWriter json;
  json.begin_object().text("t", bytes).end_object();
  auto read = nlohmann::json::parse(json.str(), nullptr, false);
  RC_ASSERT(!read.is_discarded());
  RC_ASSERT(read.size() == 1u);
  bool ascii =
      std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) RC_ASSERT(read["t"].get<std::string>() == bytes);
}

}  // namespace
}  // namespace immure
