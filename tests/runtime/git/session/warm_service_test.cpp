// How sessions of a large project come to what is kept ready.
#include "messages/git.hpp"
#include "runtime/git/session/git_service.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/stat.h>

using namespace greenroom;
using namespace greenroom::test;

namespace {

class serving : public world {
public:
  serving() {
    for (auto name : {"repos", "sessions"})
      fs::create_directories(data / name);
    git_settings settings{data, unconfined(), {}};
    settings.warm = {2, 100, [this](const std::string& name) {
                       return name == mirror_name(project);
                     }};
    service = std::make_unique<git_service>(settings);
    project.id = "demo";
    project.repo = upstream.string();
    project.default_branch = "main";
  }

  /// A new session's checkout, in its place.
  fs::path create(const std::string& branch) {
    session_record session;
    session.id = make_id();
    session.branch = branch;
    session.new_branch = true;
    session.author = "Ada <ada@example.org>";
    session.base_commit =
      service->run(resolve_branch{project, branch, true, {}}).commit;
    service->run(greenroom::make_checkout{project, session});
    service->run(greenroom::install_checkout{session.id});
    return data / "sessions" / session.id / "checkout";
  }

  std::size_t ready() {
    service->warm().wait_until_done();
    std::size_t result = 0;
    for (const auto& entry : fs::directory_iterator{data / "sessions"})
      if (entry.path().filename().string().starts_with("warm."))
        result += fs::exists(entry.path() / "index") ? 1 : 0;
    return result;
  }

  ino_t number_of(const fs::path& path) {
    struct stat info {};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info.st_ino;
  }

  fs::path data = dir.path() / "data";
  project_record project;
  std::unique_ptr<git_service> service;
};

} // namespace

TEST_CASE_METHOD(serving, "a session of a large project begins with what is "
                          "kept ready, and the next is made") {
  create("one");
  REQUIRE(ready() == 1);
  ino_t tool = 0;
  for (const auto& entry : fs::directory_iterator{data / "sessions"})
    if (fs::exists(entry.path() / "tree"))
      tool = number_of(entry.path() / "tree/bin/tool");
  auto top = create("two");
  CHECK(number_of(top / "bin/tool") == tool);
  CHECK(run_git(top, {"status", "--porcelain", "-b"}) == "## two");
  CHECK(run_git(top, {"rev-parse", "HEAD"}) == upstream_at("refs/heads/main"));
  CHECK(ready() == 1);
  CHECK(number_of(create("three") / "bin/tool") != tool);
}

TEST_CASE_METHOD(serving, "what is kept ready for a project that is made anew "
                          "is none of the new one's") {
  create("one");
  REQUIRE(ready() == 1);
  ++project.incarnation;
  fs::remove_all(upstream);
  run_git(dir.path(),
          {"init", "-q", "--bare", "-b", "main", upstream.string()});
  run_git(dir.path(), {"init", "-q", "-b", "main", "other"});
  write(dir.path() / "other/only", "this\n");
  run_git(dir.path() / "other", {"add", "-A"});
  run_git(dir.path() / "other", {"commit", "-qm", "Other"});
  run_git(dir.path() / "other", {"push", "-q", upstream.string(), "main"});
  auto top = create("one");
  CHECK(run_git(top, {"ls-files"}) == "only");
  CHECK_FALSE(fs::exists(top / "bin"));
  CHECK(ready() == 1);
  service->warm().look_after();
  CHECK(ready() == 0);
}
