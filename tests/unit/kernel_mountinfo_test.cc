#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdio>
#include <string>

#include "base/file.h"
#include "kernel/mountinfo.h"
#include "uapi/kernel.h"

namespace immure {
namespace {

constexpr const char* kLaptop =
    "24 29 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
    "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw,errors=remount-ro\n"
    "51 29 0:45 / /mnt/with\\040blank\\134and\\011tab ro,nosuid,nodev,noexec,noatime,nosymfollow,idmapped "
    "shared:9 "
    "master:2 propagate_from:1 - fuse.sshfs user@host:/a\\040b rw,user_id=1000\n"
    "52 51 0:46 /@home /home rw - btrfs /dev/sda2 rw,subvol=/@home\n";

TEST(MountinfoTest, ReadsEveryFieldOfARealTable) {
  MountReader reader(kLaptop);
  auto sys = reader.next();
  ASSERT_TRUE(sys);
  EXPECT_EQ(sys->id, 24u);
  EXPECT_EQ(sys->parent, 29u);
  EXPECT_EQ(sys->major, 0u);
  EXPECT_EQ(sys->minor, 22u);
  EXPECT_EQ(sys->propagation, "shared:7");
  EXPECT_EQ(sys->fstype, "sysfs");
  EXPECT_EQ(sys->attributes(), uapi::kAttrNosuid | uapi::kAttrNodev | uapi::kAttrNoexec);
  auto root = reader.next();
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->is("/"));
  EXPECT_EQ(root->source, "/dev/mapper/vg-root");
  EXPECT_EQ(root->super_options, "rw,errors=remount-ro");
  EXPECT_EQ(root->attributes(), 0u);
  auto odd = reader.next();
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->is("/mnt/with blank\\and\ttab"));
  EXPECT_FALSE(odd->is("/mnt/with blank\\and\ttab/"));
  EXPECT_FALSE(odd->is("/mnt/with"));
  EXPECT_EQ(odd->propagation, "shared:9 master:2 propagate_from:1");
  EXPECT_EQ(odd->attributes(), uapi::kAttrRdonly | uapi::kAttrNosuid | uapi::kAttrNodev | uapi::kAttrNoexec |
                                   uapi::kAttrNoatime | uapi::kAttrNosymfollow | uapi::kAttrIdmap);
  auto home = reader.next();
  ASSERT_TRUE(home);
  EXPECT_EQ(home->propagation, "");
  EXPECT_EQ(home->root, "/@home");
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.bad_lines(), 0u);
}

// A filesystem that is read-only does not make its mounts so: only the mount's own flag holds for this view.
TEST(MountinfoTest, ReadOnlyOfTheFilesystemIsNotTheMounts) {
  auto mount = parse_mount_line("30 29 0:23 / /x rw,nosuid - tmpfs none ro,size=4k");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->attributes(), uapi::kAttrNosuid);
}

TEST(MountinfoTest, AnEmptySourceKeepsTheFieldsInPlace) {
  auto mount = parse_mount_line("30 29 0:23 / /x rw -  tmpfs rw");
  EXPECT_FALSE(mount) << "an empty type is no mount";
  mount = parse_mount_line("30 29 0:23 / /x rw - tmpfs  rw,size=1k");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->fstype, "tmpfs");
  EXPECT_EQ(mount->source, "");
  EXPECT_EQ(mount->super_options, "rw,size=1k");
}

TEST(MountinfoTest, BrokenLinesAreCountedAndPassedOver) {
  const char* bad[] = {
      "",
      "30",
      "30 29",
      "30 29 0:23",
      "30 29 0:23 / /x",
      "30 29 0:23 / /x rw",
      "30 29 0:23 / /x rw shared:1",
      "30 29 0:23 / /x rw -",
      "30 29 023 / /x rw - tmpfs t rw",
      "-3 29 0:23 / /x rw - tmpfs t rw",
      "30 x 0:23 / /x rw - tmpfs t rw",
      "30 29 0:99999999999 / /x rw - tmpfs t rw",
      "99999999999999999999999 29 0:23 / /x rw - tmpfs t rw",
      "30 29 0:23 / relative rw - tmpfs t rw",
  };
  std::string all;
  for (const char* line : bad) {
    EXPECT_FALSE(parse_mount_line(line)) << line;
    all += std::string(line) + "\n";
  }
  all += "30 29 0:23 / /x rw - tmpfs t rw";
  MountReader reader(all);
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.bad_lines(), 13u);
}

// A path may hold " - " only escaped, so the separator cannot be forged from a directory's name.
TEST(MountinfoTest, ASeparatorInANameIsEscapedByTheKernel) {
  auto mount = parse_mount_line("30 29 0:23 /\\040-\\040x /m\\040-\\040proc rw,nosuid - ext4 /dev/sda rw");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->fstype, "ext4");
  EXPECT_TRUE(mount->is("/m - proc"));
}

TEST(MountinfoTest, TheTopmostOfStackedMountsIsFound) {
  const char* text =
      "1 0 0:1 / / rw - ext4 a rw\n"
      "2 1 0:2 / /tmp rw - tmpfs first rw\n"
      "3 2 0:3 / /tmp ro - tmpfs second rw\n"
      "4 1 0:4 / /tmpx rw - tmpfs other rw\n";
  auto mount = find_mount(text, "/tmp");
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->source, "second");
  EXPECT_FALSE(find_mount(text, "/tm"));
}

TEST(MountinfoTest, UnescapeLeavesWhatIsNoEscape) {
  EXPECT_EQ(unescape("\\040\\011\\012\\134\\043"), " \t\n\\#");
  EXPECT_EQ(unescape("\\"), "\\");
  EXPECT_EQ(unescape("\\04"), "\\04");
  EXPECT_EQ(unescape("\\048"), "\\048");
  EXPECT_EQ(unescape("\\400"), "\\400") << "above a byte";
  EXPECT_EQ(unescape("\\377"), "\377");
  EXPECT_EQ(unescape("\\000"), std::string(1, '\0'));
  EXPECT_EQ(unescape("\\\\040"), "\\ ");
}

std::string escape_all(const std::string& text) {
  std::string out;
  char byte[8];
  for (char c : text) {
    std::snprintf(byte, sizeof byte, "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += byte;
  }
  return out;
}

TEST(MountinfoTest, UnescapeUndoesEveryEscape) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    RC_ASSERT(unescape(escape_all(text)) == text);
    RC_ASSERT(path_equal(escape_all(text), text));
    RC_ASSERT(!path_equal(escape_all(text) + "x", text));
  }));
}

TEST(MountinfoTest, PathEqualAgreesWithUnescape) {
  EXPECT_TRUE(rc::check([] {
    auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("\\01347a/ ")));
    auto plain = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("\\01347a/ ")));
    RC_ASSERT(path_equal(text, plain) == (unescape(text) == plain));
    RC_ASSERT(path_equal(text, unescape(text)));
  }));
}

TEST(MountinfoTest, TheOwnTableIsReadWithoutABadLine) {
  auto text = read_file("/proc/self/mountinfo");
  ASSERT_TRUE(text);
  MountReader reader(*text);
  unsigned mounts = 0;
  while (auto mount = reader.next()) mounts++;
  EXPECT_GT(mounts, 0u);
  EXPECT_EQ(reader.bad_lines(), 0u);
}

}  // namespace
}  // namespace immure
