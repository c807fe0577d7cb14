// Reviews of what was checked in.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/forms.hpp"
#include "http/client/id_choice.hpp"
#include "http/client/live_list.hpp"
#include "http/client/plan.hpp"
#include "runtime/base/durations.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

std::vector<column> review_columns() {
  return {
    field_column("ID", "id"),         field_column("STATUS", "status"),
    field_column("BRANCH", "branch"), field_column("TARGET", "target"),
    key_column("BY", "created_by"),   key_column("DECIDED BY", "decided_by"),
    past_column("AGE", "created_at"), field_column("REASON", "status_reason")};
}

// Those of all the projects, newest first.
asio::awaitable<json> reviews_of(api_client& api, json projects,
                                 std::string status) {
  auto result = json::array();
  for (auto& one : projects) {
    auto target = "/projects/" + escaped(one.get<std::string>()) + "/reviews";
    if (!status.empty())
      target += "?status=" + escaped(status);
    auto some = co_await get_all(api, std::move(target), "reviews");
    for (auto& review : some)
      result.push_back(std::move(review));
  }
  std::stable_sort(
    result.begin(), result.end(), [](const json& one, const json& other) {
      return one.value("created_at", "") > other.value("created_at", "");
    });
  co_return result;
}

asio::awaitable<int> list(invocation& now, const std::string& status,
                          bool watch) {
  const auto projects =
    co_await projects_to_search(now.api, now.options.project);
  live_list what;
  what.columns = review_columns();
  if (projects.size() > 1)
    what.columns.insert(what.columns.begin() + 1,
                        field_column("PROJECT", "project_id"));
  what.ask = [&]() { return reviews_of(now.api, projects, status); };
  auto code = co_await show_list(now, std::move(what), watch);
  co_return code;
}

asio::awaitable<std::string> path_of(invocation& now, std::string id) {
  auto review =
    co_await choose_review(now.api, now.options.project, std::move(id));
  co_return review.path();
}

asio::awaitable<int> show_review(invocation& now, const std::string& id) {
  auto path = co_await path_of(now, id);
  auto one = co_await now.api.get(std::move(path));
  now.show(one, review_columns());
  co_return exit_code::done;
}

bool is_open(const json& review) {
  auto status = review.value("status", "");
  return status == "queued" || status == "running";
}

bool went_well(const json& review) {
  auto status = review.value("status", "");
  return status == "approved" || status == "merged";
}

/// Until the review is over, or for a while. A server that does not know how
/// to wait for that, has no such session any more, or no place for one that
/// waits, is asked again later.
asio::awaitable<void> wait_a_while(invocation& now, const json& review,
                                   std::chrono::milliseconds left) {
  constexpr std::chrono::milliseconds longest{50'000};
  const auto time = std::clamp(left, std::chrono::milliseconds{1}, longest);
  auto target = "/projects/" + escaped(review.value("project_id", ""))
                + "/sessions/" + escaped(review.value("session_id", ""))
                + "/wait?until=review:finished&timeout="
                + std::to_string(time.count()) + "ms";
  auto can_wait = true;
  try {
    co_await now.api.get(std::move(target));
  } catch (const api_error& e) {
    constexpr int elsewhere[]{400, 404, 429, 503};
    if (std::ranges::find(elsewhere, e.status()) == std::end(elsewhere))
      throw;
    can_wait = false;
  }
  if (can_wait)
    co_return;
  asio::steady_timer timer{now.io, std::chrono::seconds{1}};
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<int> wait(invocation& now, const std::string& id,
                          const std::string& timeout) {
  using std::chrono::milliseconds;
  const milliseconds length{parse_duration(timeout).value_or(0)};
  const auto path = co_await path_of(now, id);
  const auto end = std::chrono::steady_clock::now() + length;
  while (true) {
    auto target = path;
    auto review = co_await now.api.get(std::move(target));
    auto over = !is_open(review);
    auto left = std::chrono::duration_cast<milliseconds>(
      end - std::chrono::steady_clock::now());
    if (over || left <= milliseconds{0}) {
      now.show(review, review_columns());
      co_return !over     ? exit_code::timed_out
      : went_well(review) ? exit_code::done
                          : exit_code::failed;
    }
    co_await wait_a_while(now, review, left);
  }
}

asio::awaitable<int> text(invocation& now, const std::string& id,
                          const char* what) {
  now.refuse_json("`greenroom reviews show REVIEW --json` has the review");
  auto path = co_await path_of(now, id);
  path += what;
  auto all = co_await now.api.text(std::move(path));
  print(all);
  co_return exit_code::done;
}

// What was to be merged and was not, and what would help.
int say_whether_merged(const json& review) {
  const auto status = text_field(review, "status", "");
  if (status == "merged" || status == "approved") // it is being merged
    return exit_code::done;
  const auto id = text_field(review, "id", "REVIEW");
  const auto reason = text_field(review, "status_reason", "");
  say("not merged" + (reason.empty() ? "" : ": " + reason) + "; "
      + (is_open(review)
           ? "`greenroom reviews diff " + id + "` shows it as it is now, and "
               + "`greenroom reviews wait " + id + "` waits until it is decided"
           : "its branch is kept: `greenroom create --branch "
               + text_field(review, "branch", "BRANCH")
               + "` makes a session to go on in"));
  return exit_code::conflict;
}

asio::awaitable<int> decide(invocation& now, const std::string& id,
                            const char* verb, json body, bool merges = false) {
  auto path = co_await path_of(now, id);
  path += verb;
  auto one = co_await now.api.post(std::move(path), std::move(body));
  now.show(one, review_columns());
  co_return merges ? say_whether_merged(one) : exit_code::done;
}

// `reviews`, and `reviews list`, which is the same.
CLI::App* add_listing(command_set& set) {
  auto status = std::make_shared<std::string>();
  auto watch = std::make_shared<bool>();
  auto show = [=](auto& now) { return list(now, *status, *watch); };
  auto* reviews =
    set.add(set.root, "reviews",
            "Reviews of what was checked in: list, diff, approve", show);
  reviews->add_option("--status", *status, "Only those of this status")
    ->check(CLI::IsMember({"queued", "running", "approved", "rejected",
                           "merged", "conflict", "stale", "failed"}));
  reviews->add_flag("-w,--watch", *watch, "Go on, and show what changes");
  set.add(*reviews, "list", "Newest first; without -p of all projects", show);
  return reviews;
}

} // namespace

void add_review_commands(command_set& set) {
  auto* reviews = add_listing(set);
  auto add = [&](const char* name, const char* help, auto run) {
    auto id = std::make_shared<std::string>();
    auto* made = set.add(*reviews, name, help,
                         [id, run](invocation& now) { return run(now, *id); });
    made->add_option("review", *id, "The review's id, or a prefix of it")
      ->required();
    return made;
  };
  add("show", "One review", [](invocation& now, const std::string& id) {
    return show_review(now, id);
  });
  auto timeout = std::make_shared<std::string>("30m");
  auto* waits = add("wait", "Wait until it is decided",
                    [timeout](invocation& now, const std::string& id) {
                      return wait(now, id, *timeout);
                    });
  waits->add_option("--timeout", *timeout, "How long, e.g. 90s; else 30m")
    ->check(form::duration);
  waits->footer(
    "Exit code 0: approved or merged; 1: anything else; 124: it was "
    "not decided in time.");
  add("diff", "What is reviewed", [](invocation& now, const std::string& id) {
    return text(now, id, "/diff");
  });
  add("output", "What the review's command printed",
      [](invocation& now, const std::string& id) {
        return text(now, id, "/output");
      });
  auto merge = std::make_shared<bool>();
  auto praise = std::make_shared<std::string>();
  auto* approve =
    add("approve", "Approve it", [=](invocation& now, const std::string& id) {
      json body = json::object();
      if (*merge)
        body["merge"] = true;
      if (!praise->empty())
        body["comment"] = *praise;
      return decide(now, id, "/approve", std::move(body), *merge);
    });
  approve->add_flag("--merge", *merge, "And merge it");
  approve->add_option("-m,--comment", *praise, "Why");
  add("merge", "Merge what is approved",
      [](invocation& now, const std::string& id) {
        return decide(now, id, "/merge", json::object(), true);
      });
  auto comment = std::make_shared<std::string>();
  add("reject", "Reject it",
      [comment](invocation& now, const std::string& id) {
        json body{{"comment", *comment}};
        return decide(now, id, "/reject", std::move(body));
      })
    ->add_option("-m,--comment", *comment, "Why")
    ->required();
}

} // namespace greenroom::http::client
