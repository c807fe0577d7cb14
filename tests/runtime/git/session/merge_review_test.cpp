// Merges of reviews by the service, beside others' changes of the target.
#include "messages/git.hpp"
#include "runtime/git/session/git_service.hpp"
#include "tests/runtime/git/fixture.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

class merging : public world {
public:
  merging() {
    for (auto name : {"repos", "sessions"})
      fs::create_directories(data / name);
    service =
      std::make_unique<git_service>(git_settings{data, unconfined(), {}});
    project.id = "demo";
    project.repo = upstream.string();
    run_git(upstream, {"branch", "work", "main"});
    review.id = make_id();
    review.branch = "work";
    review.target = "main";
    review.base = upstream_at("refs/heads/main");
    review.commit = move_upstream("work", "mine");
    review.auto_merge = true;
    service->run(list_upstream{project});
  }

  greenroom::merge_result merge() {
    return service->run(merge_review{project, review, {"key", "Ada", {}, {}}});
  }

  fs::path data = dir.path() / "data";
  project_record project;
  review_record review;
  std::unique_ptr<git_service> service;
};

} // namespace

TEST_CASE_METHOD(merging, "what nobody reviews is merged wherever the target "
                          "is") {
  review.skipped = true;
  auto others = move_upstream("main", "theirs");
  auto result = merge();
  CHECK(result.status == review_status::merged);
  CHECK(upstream_at("refs/heads/main") == result.commit);
  CHECK(upstream_at("refs/heads/main^1") == others);
  CHECK(upstream_at("refs/heads/main^2") == review.commit);

  SECTION("and conflicts with what is there") {
    run_git(upstream, {"branch", "more", review.commit + "^"});
    review.id = make_id();
    review.branch = "more";
    review.commit = move_upstream("more", "theirs", "other\n");
    service->run(list_upstream{project});
    auto second = merge();
    CHECK(second.status == review_status::conflict);
    CHECK(second.files == std::vector<std::string>{"theirs"});
  }
  SECTION("unless it is gone") {
    run_git(upstream, {"update-ref", "-d", "refs/heads/main"});
    review.id = make_id();
    CHECK(merge().status == review_status::stale);
  }
}

TEST_CASE_METHOD(merging, "what was reviewed is not merged into what nobody "
                          "saw") {
  auto others = move_upstream("main", "theirs");
  CHECK(merge().status == review_status::stale);
  CHECK(upstream_at("refs/heads/main") == others);
}
