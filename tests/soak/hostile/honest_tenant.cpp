#include "tests/soak/hostile/honest_tenant.hpp"

#include "tests/api/demo.hpp"
#include "tests/soak/hostile/tenant_key.hpp"
#include "tests/soak/size.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>

namespace greenroom::test {

honest_tenant::honest_tenant(const node_process& node)
  : client_(node.with_key(key_for(node, "other")["key"])) {
  const std::string all = "/projects/other/sessions";
  const auto session =
    expect(201, client_.post(all, {{"new_branch", "honest"}})).data();
  id_ = session["id"].get<std::string>();
  path_ = all + '/' + id_;
  run("true");
  thread_ = std::thread{[this] { work(); }};
}

void honest_tenant::stop() {
  stopped_ = true;
  if (thread_.joinable())
    thread_.join();
}

void honest_tenant::check_answers() const {
  for (auto& failure : failures_)
    UNSCOPED_INFO(failure);
  CHECK(failures_.empty());
  // One that has hung, or asked for nothing, was not served.
  CHECK(asked() >= 50);
  if (for_long())
    CHECK(p99_ms() <= 100);
}

double honest_tenant::p99_ms() const {
  auto times = times_;
  std::ranges::sort(times);
  return times.empty() ? 0 : times[times.size() * 99 / 100];
}

void honest_tenant::work() {
  for (std::uint64_t round = 0; !stopped_; ++round) {
    ask([&] { return client_.get(path_); });
    ask([&] { return client_.get("/projects/other/sessions"); });
    if (round % 4 == 0)
      run("echo " + std::to_string(round));
  }
}

void honest_tenant::ask(const std::function<http_reply()>& request) {
  using timer = std::chrono::steady_clock;
  auto began = timer::now();
  std::string problem;
  try {
    auto reply = request();
    if (reply.status != 200)
      problem = to_string(reply);
  } catch (const std::exception& e) {
    problem = e.what();
  }
  times_.push_back(
    std::chrono::duration<double, std::milli>(timer::now() - began).count());
  if (!problem.empty())
    failures_.push_back(problem);
}

void honest_tenant::run(const std::string& command) {
  try {
    auto reply =
      client_.post(path_ + "/exec", {{"command", command}, {"wait", "60s"}});
    if (reply.status != 200 || reply.data()["exit_code"] != 0)
      failures_.push_back(command + ": " + to_string(reply));
  } catch (const std::exception& e) {
    failures_.push_back(command + ": " + e.what());
  }
}

} // namespace greenroom::test
