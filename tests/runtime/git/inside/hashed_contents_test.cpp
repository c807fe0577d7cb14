// Contents of Git LFS are read when they have changed, and then only.
#include "runtime/git/inside/hashed_contents.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

class contents : public world {
public:
  contents()
    : place(session("main")), in(git::repo::of(place)),
      memory(place.checkout / ".git/greenroom-lfs"),
      file(place.checkout / ".git/lfs/objects/ab/cd"
           / ("abcd" + std::string(60, '0'))) {
    write(file, "one\n");
  }

  std::string hashed() {
    auto ids = git::hash_contents(in, in.look(), {file});
    REQUIRE(ids.size() == 1);
    return ids[0];
  }
  std::string really() {
    return run_git(place.checkout,
                   {"hash-object", "--no-filters", file.string()});
  }
  std::string other_object() {
    auto other = dir.path() / "other";
    write(other, "other\n");
    return run_git(place.checkout, {"hash-object", "-w", other.string()});
  }
  /// Has it believe that the file is this object.
  void remember(const std::string& id) {
    auto text = read(memory);
    auto at = text.find(really());
    REQUIRE(at != text.npos);
    write(memory, text.replace(at, id.size(), id));
  }

  git::checkout_paths place;
  git::repo in;
  fs::path memory;
  fs::path file;
};

} // namespace

TEST_CASE_METHOD(contents, "what has not changed is not read again") {
  CHECK(hashed() == really());
  run_git(place.checkout, {"cat-file", "-e", really()});
  auto other = other_object();
  remember(other);
  CHECK(hashed() == other);
}

TEST_CASE_METHOD(contents,
                 "what has changed is read, however little shows it") {
  CHECK(hashed() == really());
  remember(other_object());
  const auto before = fs::last_write_time(file);
  SECTION("it is longer") {
    std::ofstream{file, std::ios::app} << "more\n";
  }
  SECTION("it is another file of the same size and time") {
    write(file.string() + ".new", "two\n");
    fs::last_write_time(file.string() + ".new", before);
    fs::rename(file.string() + ".new", file);
  }
  SECTION("it has its old time") {
    write(file, "two\n");
    fs::last_write_time(file, before);
  }
  CHECK(hashed() == really());
  CHECK(hashed() == really());
}

TEST_CASE_METHOD(contents, "a memory that is of no use is not believed") {
  CHECK(hashed() == really());
  SECTION("its object is gone") {
    remember(std::string(40, '1'));
  }
  SECTION("its object is no file") {
    remember(run_git(place.checkout, {"rev-parse", "HEAD"}));
  }
  SECTION("it is none") {
    write(memory, "abcd 1 2 nonsense\n");
  }
  SECTION("nobody can have one") {
    fs::remove(memory);
    fs::create_directory(memory);
  }
  CHECK(hashed() == really());
  run_git(place.checkout, {"cat-file", "-e", really()});
}

TEST_CASE_METHOD(contents, "each file has its own object, also one that comes "
                           "later or twice") {
  auto second = file.parent_path() / ("abcd" + std::string(60, '1'));
  CHECK(hashed() == really());
  write(second, "second\n");
  auto ids = git::hash_contents(in, in.look(), {second, file, second});
  REQUIRE(ids.size() == 3);
  CHECK(ids[0] == run_git(place.checkout, {"hash-object", second.string()}));
  CHECK(ids[1] == really());
  CHECK(ids[2] == ids[0]);
}
