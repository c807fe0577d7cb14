// A node that stops ends what its sessions ask of origin.
#include "messages/errors.hpp"
#include "messages/git.hpp"
#include "runtime/git/session/git_service.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/upstream_servers.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// As silent_upstream, and says that somebody has come.
class slow_upstream : public listener {
public:
  slow_upstream() {
    open();
  }
  ~slow_upstream() override {
    close();
  }
  std::atomic<bool> asked = false;

private:
  void take(unique_fd connection) override {
    held_.push_back(std::move(connection));
    asked = true;
  }
  std::vector<unique_fd> held_;
};

class served_world : public world {
public:
  served_world() {
    fs::create_directories(data / "repos");
    fs::create_directories(data / "sessions");
    service =
      std::make_unique<git_service>(git_settings{data, unconfined(), {}});
    project.id = "demo";
    project.repo = upstream.string();
  }

  fs::path data = dir.path() / "data";
  project_record project;
  std::unique_ptr<git_service> service;
};

} // namespace

TEST_CASE("a session that asks for origin does not keep a node from stopping, "
          "whatever is fetched for others") {
  served_world s;
  auto slow = std::make_unique<slow_upstream>();
  s.project.repo =
    "http://127.0.0.1:" + std::to_string(slow->port()) + "/x.git";
  auto other = std::async(std::launch::async, [&] {
    s.service->run(resolve_branch{s.project, "main", false, {}});
  });
  await("it is fetched", [&] { return slow->asked.load(); });
  auto session = std::async(std::launch::async, [&] {
    s.service->origin(s.project, "x.git", [](const auto&) { return true; });
  });
  s.service->stop_lfs();
  constexpr std::chrono::seconds soon{15}; // an upstream is waited for for 20
  CHECK(session.wait_for(soon) == std::future_status::ready);
  slow.reset();
  CHECK_THROWS_AS(session.get(), refused);
  CHECK_THROWS_AS(other.get(), refused);
}
