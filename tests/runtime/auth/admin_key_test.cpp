#include "runtime/auth/admin_key.hpp"

#include "runtime/base/files.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <cstdlib>

using namespace greenroom;
using Catch::Contains;

namespace {

// Each test starts with the variable unset, and leaves it so.
struct without_variable {
  without_variable() {
    ::unsetenv("GREENROOM_ADMIN_KEY");
  }
  ~without_variable() {
    ::unsetenv("GREENROOM_ADMIN_KEY");
  }
};

std::string error_of(const std::filesystem::path& file,
                     const std::filesystem::path& data_dir) {
  try {
    load_admin_key(file, data_dir);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "no error";
}

} // namespace

TEST_CASE_METHOD(without_variable,
                 "the first start makes a key, the next ones read it") {
  test::temp_dir dir;
  auto data_dir = dir.path() / "new" / "data";
  auto first = load_admin_key({}, data_dir);
  CHECK(first.made);
  CHECK(first.secret.starts_with("gr_"));
  CHECK(first.secret.size() == 67);
  struct stat info;
  REQUIRE(::stat((data_dir / "admin.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  auto second = load_admin_key({}, data_dir);
  CHECK_FALSE(second.made);
  CHECK(second.secret == first.secret);
  CHECK(second.source == (data_dir / "admin.key").string());
}

TEST_CASE_METHOD(without_variable,
                 "the environment goes before the file, the file before the "
                 "data directory") {
  test::temp_dir dir;
  load_admin_key({}, dir.path());
  auto file = dir.path() / "mine";
  write_file_atomic(file, "  key-of-the-file-1234\n", 0600, false);
  CHECK(load_admin_key(file, dir.path()).secret == "key-of-the-file-1234");
  ::setenv("GREENROOM_ADMIN_KEY", "key-of-the-environment", 1);
  auto key = load_admin_key(file, dir.path());
  CHECK(key.secret == "key-of-the-environment");
  CHECK(key.source == "GREENROOM_ADMIN_KEY");
}

TEST_CASE_METHOD(without_variable, "a configured file has to be there") {
  test::temp_dir dir;
  CHECK_THAT(error_of(dir.path() / "none", dir.path()),
             Contains("auth.admin_key_file names")
               && Contains("does not exist"));
  CHECK_FALSE(std::filesystem::exists(dir.path() / "admin.key"));
}

TEST_CASE_METHOD(without_variable, "a file that everybody reads is refused") {
  test::temp_dir dir;
  auto file = dir.path() / "key";
  write_file_atomic(file, "0123456789abcdef", 0600, false);
  std::filesystem::permissions(file, std::filesystem::perms{0644});
  CHECK_THAT(error_of(file, dir.path()),
             Contains(file.string()) && Contains("chmod 600"));
  std::filesystem::permissions(file, std::filesystem::perms{0640});
  CHECK(load_admin_key(file, dir.path()).secret == "0123456789abcdef");
}

TEST_CASE_METHOD(without_variable, "a weak or unprintable key is refused by "
                                   "its source and never shown") {
  test::temp_dir dir;
  auto file = dir.path() / "key";
  auto bad = GENERATE("", " \n", "canary789012345", "canary with some spaces",
                      "canary-and-bell-\x07-end", "canary-and-umlaut-\xc3\xa4");
  write_file_atomic(file, bad, 0600, false);
  auto error = error_of(file, dir.path());
  CHECK_THAT(error, Contains(file.string()) && Contains("16 characters"));
  CHECK_THAT(error, !Contains("canary"));
  ::setenv("GREENROOM_ADMIN_KEY", bad, 1);
  CHECK_THAT(error_of({}, dir.path()), Contains("GREENROOM_ADMIN_KEY"));
}

TEST_CASE_METHOD(without_variable,
                 "the key of a node that runs is read and never made") {
  test::temp_dir dir;
  auto first = load_admin_key({}, dir.path());
  CHECK(read_admin_key({}, dir.path()).secret == first.secret);
  const auto file = dir.path() / "admin.key";
  write_file_atomic(file, "another-key-of-1234\n", 0600, true);
  CHECK(read_admin_key({}, dir.path()).secret == "another-key-of-1234");
  write_file_atomic(file, "\n", 0600, true);
  CHECK_THROWS_WITH(read_admin_key({}, dir.path()), Contains("is empty"));
  std::filesystem::remove(file);
  CHECK_THROWS_WITH(read_admin_key({}, dir.path()), Contains("is gone"));
  CHECK_FALSE(std::filesystem::exists(file));
}
