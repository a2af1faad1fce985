// SHA-256 against the examples of FIPS 180-4 and the edges of its padding.
#include <gtest/gtest.h>

#include "base/digest.h"

namespace immure {
namespace {

TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(hex_text(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_text(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_text(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex_text(sha256(std::string(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Around the length at which the padding needs a block of its own. (Values: sha256sum(1).)
TEST(Sha256, HasAnotherFormForPages) {
  // printf abc | openssl dgst -sha256 -binary | base64
  EXPECT_EQ(base64_text(sha256("abc")), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(base64_text(sha256("")), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Sha256, PadsAtEveryLength) {
  EXPECT_EQ(hex_text(sha256(std::string(55, 'x'))), "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
  EXPECT_EQ(hex_text(sha256(std::string(56, 'x'))), "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
  EXPECT_EQ(hex_text(sha256(std::string(63, 'x'))), "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
  EXPECT_EQ(hex_text(sha256(std::string(64, 'x'))), "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
}

// However a content is cut, its digest is that of the whole.
TEST(Sha256, TakesPartsOfEverySize) {
  std::string text;
  for (int i = 0; i < 1000; i++) text += static_cast<char>(i * 7);
  const Digest whole = sha256(text);
  for (size_t step : {1U, 3U, 55U, 63U, 64U, 65U, 127U, 128U, 200U, 999U}) {
    Sha256 sum;
    for (size_t at = 0; at < text.size(); at += step) sum.add(std::string_view(text).substr(at, step));
    sum.add({});
    EXPECT_EQ(sum.end(), whole) << step;
  }
}

}  // namespace
}  // namespace immure
