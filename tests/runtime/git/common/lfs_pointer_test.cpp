// What counts as a pointer of Git LFS: what git-lfs takes for one.
#include "runtime/git/common/lfs_pointer.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;

namespace {

const std::string some_oid(64, '7');
const std::string first_line = "version https://git-lfs.github.com/spec/v1";
const std::string other_lines = "\noid sha256:" + some_oid + "\nsize 7\n";

} // namespace

TEST_CASE("a pointer of Git LFS is told by what it has") {
  const std::string all[] = {
    first_line + other_lines,
    first_line + "\noid sha256:" + some_oid + "\nsize 7",
    first_line + "\next-0-case sha256:" + std::string(64, '8') + other_lines,
    "version http://git-media.io/v/2" + other_lines,
    "version https://hawser.github.com/spec/v1" + other_lines,
    // As a work tree of Windows has them.
    first_line + "\r\noid sha256:" + some_oid + "\r\nsize 7\r\n",
    "\n" + first_line + other_lines + "\n",
    " " + first_line + "\n\noid sha256:" + some_oid + "\nsize 7 \n",
  };
  for (const auto& text : all) {
    INFO(text);
    auto read = git::read_pointer(text);
    REQUIRE(read);
    CHECK(read->oid == some_oid);
    CHECK(read->size == 7);
  }
}

TEST_CASE("other files are no pointers of Git LFS") {
  for (const std::string& text :
       {std::string{}, std::string{"\n"}, std::string{"version"},
        std::string{"text\n"}, first_line, first_line + '\n',
        first_line + "\noid sha256:x\nsize 7\n",
        first_line + "\noid sha256:" + some_oid + "\n",
        first_line + "\noid sha256:" + some_oid + "\nsize x\n",
        first_line + "\noid sha256:" + some_oid + "\nsize 7 MiB\n",
        first_line + "\nsize 7\noid sha256:" + some_oid + "\n",
        first_line + "\nand" + other_lines, first_line + other_lines + "and\n",
        "A " + first_line + other_lines, first_line + '0' + other_lines}) {
    INFO(text);
    CHECK_FALSE(git::read_pointer(text));
  }
}
