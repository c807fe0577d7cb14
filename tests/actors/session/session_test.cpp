// Sessions as actors, on a real store, real git and real runners.
#include "tests/actors/fickle_store.hpp"
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/supervisor.hpp"
#include "messages/ids.hpp"
#include "runtime/base/files.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/message_view.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

using namespace greenroom;
using greenroom::test::crash;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace {

// What a watcher has seen, for a test's thread to wait on.
class sightings {
public:
  void add(const event_batch& batch) {
    std::lock_guard guard{mutex_};
    for (auto& slice : batch.slices)
      seen_.push_back({slice.seq, slice.kind});
    end_ = end_ || batch.end;
    changed_.notify_all();
  }

  struct event {
    std::uint64_t seq;
    event_kind kind;
  };

  std::vector<event>
  wait(const std::function<bool(const std::vector<event>&)>& enough) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, test::timeout, [&] { return enough(seen_); }))
      throw std::runtime_error("the watcher did not see what it should");
    return seen_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<event> seen_;
  bool end_ = false;
};

// A watcher as http/streams has one, without the socket: it follows a session,
// and finds it again when its actor was revived.
struct follower_state {
  // Not an aggregate, or CAF would try to make its first member of `self`.
  follower_state() {}
  session_supervisor_actor supervisor;
  session_record session;
  session_actor handle;
  std::uint64_t after = 0;
  sightings* seen = nullptr;
};

using follower = watcher_actor::stateful_pointer<follower_state>;

void follow(follower self);

void read_on(follower self) {
  self
    ->request(self->state.handle, test::timeout,
              read_events{self->state.after, {}, 1 << 20})
    .then(
      [self](event_batch& batch) {
        self->state.after = batch.last;
        self->state.seen->add(batch);
        follow(self);
      },
      [](const caf::error&) {});
}

void follow(follower self) {
  self
    ->request(self->state.handle, test::timeout,
              watch_session{self, self->state.after, false})
    .then(
      [self](const watch_reply& reply) {
        if (reply.state == watch_state::behind)
          read_on(self);
      },
      [](const caf::error&) {});
}

void find_again(follower self) {
  self
    ->request(self->state.supervisor, test::timeout,
              find_session{"demo", self->state.session.id})
    .then(
      [self](session_actor& handle) {
        self->state.handle = handle;
        self->monitor(handle);
        follow(self);
      },
      [](const caf::error&) {});
}

watcher_actor::behavior_type watch(follower self,
                                   session_supervisor_actor supervisor,
                                   session_record session, sightings* seen) {
  self->state.supervisor = std::move(supervisor);
  self->state.session = std::move(session);
  self->state.seen = seen;
  self->set_down_handler([self](const caf::down_msg&) { find_again(self); });
  find_again(self);
  return {[self](const event_batch& batch) {
    if (batch.after != self->state.after)
      return;
    self->state.after = batch.last;
    self->state.seen->add(batch);
  }};
}

std::size_t count(const std::vector<sightings::event>& seen, event_kind kind) {
  return static_cast<std::size_t>(std::ranges::count_if(
    seen, [kind](const auto& event) { return event.kind == kind; }));
}

// Kills the outermost process of the runner that is there now; what takes its
// place lives on.
void kill_runner(const std::string& session_id) {
  std::map<int, int> parents;
  for (auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    auto pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0)
      continue;
    try {
      auto stat = read_file(entry.path() / "stat").value_or("");
      auto environment = read_file(entry.path() / "environ").value_or("");
      if (stat.find("(greenroom-runne") != std::string::npos
          && environment.find(session_id) != std::string::npos)
        parents[pid] = std::atoi(stat.c_str() + stat.rfind(')') + 4);
    } catch (const std::system_error&) {
      // It has just ended, or does not want to be looked at.
    }
  }
  for (auto& [pid, parent] : parents)
    if (!parents.contains(parent)) {
      REQUIRE(::kill(pid, SIGKILL) == 0);
      return;
    }
  FAIL("the session has no runner");
}

void check_unbroken(const std::vector<sightings::event>& seen) {
  for (std::size_t i = 0; i < seen.size(); ++i)
    CHECK(seen[i].seq == i + 1);
}

} // namespace

TEST_CASE("a session is created, runs a command, and is checked in") {
  small_node node;
  auto session = node.create(on_branch("work"));
  CHECK(session.status == session_status::active);
  auto handle = node.find(session);
  auto exec = json_of(node.ask<exec_view>(
    handle, shell("echo hello | tee new.txt; echo oops >&2; exit 3")));
  CHECK(exec["status"] == "exited");
  CHECK(exec["exit_code"] == 3);
  CHECK(exec["stdout"] == "hello\n");
  CHECK(exec["stderr"] == "oops\n");
  checkin_session request;
  request.by = {"key", "Ada"};
  request.commit_message = "Say hello";
  auto done = node.ask<checkin_reply>(handle, request);
  CHECK(done.status == session_status::ended);
  CHECK(node.git({"-C", "upstream.git", "rev-parse", "work"})
        == done.commit + "\n");
  CHECK(node.git({"-C", "upstream.git", "show", "work:new.txt"}) == "hello\n");
  CHECK(node.git({"-C", "upstream.git", "log", "-1", "--format=%an %s", "work"})
        == "Ada Say hello\n");
  CHECK_FALSE(std::filesystem::exists(node.context()->session_dir(session.id)
                                      / "runner.sock"));
}

TEST_CASE("a session whose actor crashes tells all who wait for an answer") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  caf::scoped_actor self{node.system()};
  auto waits = self->request(handle, test::timeout, shell("sleep 1000"));
  test::await("the command runs", [&] {
    return !events_of(node, handle, event_kind::exec_started).empty();
  });
  caf::anon_send(handle, crash_session{});
  std::optional<refusal> why;
  waits.receive([](exec_view&) {},
                [&](const caf::error& e) { why = to_refusal(e); });
  REQUIRE(why);
  CHECK(why->code == errc::unavailable); // and not that it took too long
}

// Wherever the crash comes: most come while the checkout is made.
TEST_CASE("a create is answered with the session though its actor crashes") {
  small_node node;
  for (int i = 0; i < 5; ++i) {
    auto request = on_branch("work" + std::to_string(i));
    request.session_id = make_id();
    auto id = request.session_id;
    caf::scoped_actor self{node.system()};
    auto made = self->request(node.project(), test::timeout, request);
    test::await("the session's actor", [&] {
      caf::scoped_actor other{node.system()};
      session_actor found;
      other->request(node.supervisor(), test::timeout, find_session{"demo", id})
        .receive([&](session_actor& handle) { found = std::move(handle); },
                 [](const caf::error&) {});
      if (found)
        caf::anon_send(found, crash_session{});
      return static_cast<bool>(found);
    });
    made.receive(
      [&](const created_session& x) {
        CHECK(x.session.id == id);
        CHECK(x.session.status == session_status::active);
      },
      [](const caf::error& e) { FAIL_CHECK(to_refusal(e).message); });
    // The crash may come only now: then it is asked again, and may be over.
    test::await("the session's end", [&] {
      auto over = false;
      self->request(node.supervisor(), test::timeout, find_session{"demo", id})
        .receive(
          [&](const session_actor& found) {
            self->request(found, test::timeout, terminate_session{})
              .receive([&](const terminate_reply&) { over = true; },
                       [&](const caf::error& e) {
                         over = to_refusal(e).code == errc::bad_request;
                       });
          },
          [](const caf::error&) {});
      return over;
    });
  }
}

TEST_CASE("a session whose actor crashes is back with its state whole, and its "
          "watchers see no gap") {
  small_node node;
  auto session = node.create(on_branch("work"));
  sightings seen;
  auto watcher = node.system().spawn(watch, node.supervisor(), session, &seen);
  auto handle = node.find(session);
  auto before = json_of(node.ask<exec_view>(handle, shell("echo one")));
  // One that outlives the crash, and prints on both sides of it.
  auto go = node.context()->session_dir(session.id) / "go";
  auto running = json_of(node.ask<exec_view>(
    handle, shell("echo two; while [ ! -e " + go.string()
                    + " ]; do sleep 0.01; done; echo three; exit 7",
                  0)));
  auto revived = crash(node, session);
  auto kept = json_of(node.ask<exec_view>(
    revived, get_exec{before["exec_id"].get<std::string>()}));
  before.erase("stdout");
  before.erase("stderr");
  CHECK(kept == before);
  write_file_atomic(go, "", 0600, false);
  seen.wait([](const auto& events) {
    return count(events, event_kind::exec_exited) == 2;
  });
  auto survivor = json_of(node.ask<exec_view>(
    revived, get_exec{running["exec_id"].get<std::string>()}));
  CHECK(survivor["status"] == "exited");
  CHECK(survivor["exit_code"] == 7);
  CHECK(survivor["stdout_bytes"] == 10);
  CHECK(survivor["started_at"] == running["started_at"]);
  auto all = seen.wait([](const auto&) { return true; });
  check_unbroken(all);
  CHECK(count(all, event_kind::session_created) == 1);
  CHECK(count(all, event_kind::exec_started) == 2);
  caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
}

TEST_CASE("a session whose actor crashes again and again ends as failed, with "
          "a reason, and its work is kept") {
  small_node node;
  auto session = node.create(on_branch("work"));
  node.ask<exec_view>(node.find(session), shell("echo precious > new.txt"));
  sightings seen;
  auto watcher = node.system().spawn(watch, node.supervisor(), session, &seen);
  for (std::size_t i = 0; i <= crash_limit; ++i)
    crash(node, session);
  auto all = seen.wait([](const auto& events) {
    return count(events, event_kind::session_ended) == 1;
  });
  check_unbroken(all);
  auto view = nlohmann::json::parse(
    node.ask<session_view>(node.find(session), get_session{}).json.view());
  CHECK(view["status"] == "failed");
  CHECK(view["status_reason"].get<std::string>().find("crashed 6 times")
        != std::string::npos);
  CHECK(node.git({"-C", "upstream.git", "show",
                  "refs/greenroom/rescue/" + session.id + "/tree:new.txt"})
        == "precious\n");
  caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
  // The branch is free again.
  node.create(on_branch("work"));
}

TEST_CASE("execs beyond the limit wait in line and start in order") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto checkout = node.context()->session_dir(session.id) / "checkout";
  auto gate = [&](int i, millis wait) {
    auto request = shell("until [ -e go" + std::to_string(i)
                           + " ]; do sleep 0.01; done; echo "
                           + std::to_string(i) + " >> order",
                         wait);
    request.spec.exec_id = std::to_string(i);
    return request;
  };
  for (int i = 0; i < 6; ++i) {
    auto view = json_of(node.ask<exec_view>(handle, gate(i, 0)));
    CHECK(view["status"] == (i < 2 ? "running" : "queued"));
    CHECK(view.value("queue_position", 0) == (i < 2 ? 0 : i - 1));
  }
  CHECK(node.refused_by<exec_view>(handle, shell("true", 0)).code
        == errc::overloaded);
  // Canceled ones leave at once, in line or running.
  for (auto id : {"3", "0"})
    CHECK(json_of(node.ask<exec_view>(handle, cancel_exec{id}))["status"]
          == "canceled");
  for (int i : {1, 2, 4, 5}) {
    write_file_atomic(checkout / ("go" + std::to_string(i)), "", 0600, false);
    // The same name and body is the same exec: this waits for its end.
    CHECK(json_of(node.ask<exec_view>(handle, gate(i, 10'000)))["status"]
          == "exited");
  }
  CHECK(read_file(checkout / "order") == "1\n2\n4\n5\n");
}

TEST_CASE("a runner that is killed loses what ran in it, and nothing else") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  std::vector<std::string> ids;
  for (auto command : {"sleep 99", "sleep 99", "echo third", "echo fourth"})
    ids.push_back(
      json_of(node.ask<exec_view>(handle, shell(command, 0)))["exec_id"]);
  sightings seen;
  auto watcher = node.system().spawn(watch, node.supervisor(), session, &seen);
  kill_runner(session.id);
  seen.wait([](const auto& events) {
    return count(events, event_kind::exec_exited) == 4;
  });
  auto status = [&](const std::string& id) {
    return json_of(node.ask<exec_view>(handle, get_exec{id}))["status"];
  };
  CHECK(status(ids[0]) == "lost");
  CHECK(status(ids[1]) == "lost");
  CHECK(status(ids[2]) == "exited");
  CHECK(status(ids[3]) == "exited");
  caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
}

TEST_CASE("many who ask for a session at once get the same actor") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto first = node.find(session);
  caf::scoped_actor self{node.system()};
  caf::anon_send_exit(first, caf::exit_reason::user_shutdown);
  self->wait_for(first);
  std::vector<session_actor> found;
  // It takes a moment until the supervisor knows that the first one is gone.
  auto deadline = std::chrono::steady_clock::now() + test::timeout;
  do {
    found.clear();
    for (int i = 0; i < 8; ++i)
      self->send(node.supervisor(), find_session{"demo", session.id});
    for (int i = 0; i < 8; ++i)
      self->receive([&](session_actor& handle) { found.push_back(handle); },
                    caf::after(test::timeout) >> [] {});
  } while (found.size() == 8 && found[0] == first
           && std::chrono::steady_clock::now() < deadline);
  REQUIRE(found.size() == 8);
  for (auto& handle : found)
    CHECK(handle == found.back());
  CHECK(node.find(session) == found.back());
}

TEST_CASE("a session ends only after its execs have said all they had") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  sightings seen;
  auto watcher = node.system().spawn(watch, node.supervisor(), session, &seen);
  node.ask<exec_view>(handle, shell("yes | head -c 50000000; sleep 99", 0));
  seen.wait([](const auto& events) {
    return count(events, event_kind::exec_output) > 3;
  });
  node.ask<terminate_reply>(handle, terminate_session{});
  auto all = seen.wait([](const auto& events) {
    return count(events, event_kind::session_ended) == 1;
  });
  CHECK(all.back().kind == event_kind::session_ended);
  CHECK(count(all, event_kind::exec_exited) == 1);
  check_unbroken(all);
  caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
}

TEST_CASE("a restarted node has its sessions, and what ran runs on") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto go = node.context()->session_dir(session.id) / "go";
  auto running = json_of(node.ask<exec_view>(
    node.find(session), shell("until [ -e " + go.string()
                                + " ]; do sleep 0.01; done; echo done; exit 4",
                              0)));
  node.restart();
  auto handle = node.find(session);
  write_file_atomic(go, "", 0600, false);
  // The same name and body is the same exec: it says how that one ended.
  sightings seen;
  auto watcher = node.system().spawn(watch, node.supervisor(), session, &seen);
  seen.wait([](const auto& events) {
    return count(events, event_kind::exec_exited) == 1;
  });
  auto exec = json_of(node.ask<exec_view>(
    handle, get_exec{running["exec_id"].get<std::string>()}));
  CHECK(exec["status"] == "exited");
  CHECK(exec["exit_code"] == 4);
  CHECK(exec["stdout_bytes"] == 5);
  caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
}

TEST_CASE("admission is refused in the words of the contract") {
  small_node node;
  auto refused = [&](create_session request) {
    request.by = {"key", "Ada"};
    request.expires_in = 60'000;
    return node.refused_by<created_session>(node.project(), request);
  };
  create_session request;
  request.branch = "no-such";
  CHECK(refused(request) == refusal{errc::not_found, "branch not found"});
  request.branch = "main";
  CHECK(refused(request)
        == refusal{errc::bad_request, "cannot checkout protected branch"});
  request.branch = "topic";
  node.create(request);
  CHECK(refused(request)
        == refusal{errc::checkout_exists,
                   "active checkout already exists for this branch"});
  auto from_nowhere = on_branch("new");
  from_nowhere.from_ref = "nowhere";
  CHECK(refused(from_nowhere) == refusal{errc::not_found, "branch not found"});
  CHECK(refused(on_branch("topic")).code == errc::checkout_exists);
}

TEST_CASE("a node that may have lost its sessions promises nothing") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  auto run = [&] {
    auto request = shell("true");
    request.wait = 60'000;
    return request;
  };
  CHECK(node.ask<exec_view>(handle, run()).ended);
  node.gate().open_until(0);
  auto refused_now = [&](auto request, auto reply) {
    auto why = node.refused_by<decltype(reply)>(handle, std::move(request));
    INFO(why.message);
    CHECK(why.code == errc::unavailable);
    CHECK(why.message.find("lost touch") != std::string::npos);
  };
  refused_now(run(), exec_view{});
  refused_now(extend_session{3'600'000}, session_view{});
  refused_now(rotate_token{}, session_token{});
  refused_now(terminate_session{}, terminate_reply{});
  // What it knows it says, as of when it knew it.
  CHECK(node.ask<session_view>(handle, get_session{}).json.size() > 0);
}

namespace {

// Another supervisor of a node's sessions, once the first is gone, with
// something else in its context.
struct next_supervisor {
  next_supervisor(small_node& node,
                  const std::function<void(node_context&)>& change)
    : context(std::make_shared<node_context>(*node.context())) {
    change(*context);
    caf::scoped_actor self{node.system()};
    caf::anon_send_exit(node.supervisor(), caf::exit_reason::user_shutdown);
    self->wait_for(node.supervisor());
    whole = node.system().spawn(session_supervisor, context,
                                std::vector<project_record>{node.rules()},
                                revival_report{});
  }
  next_supervisor(const next_supervisor&) = delete;
  next_supervisor& operator=(const next_supervisor&) = delete;
  ~next_supervisor() {
    caf::anon_send_exit(whole, caf::exit_reason::user_shutdown);
  }

  std::shared_ptr<node_context> context;
  session_supervisor_full whole;
};

// Git that never comes back from saving a checkpoint.
caf::behavior endless_git(caf::event_based_actor* self, git_actor whole) {
  self->set_default_handler(
    [whole](caf::scheduled_actor* base, caf::message_view& what) {
      return caf::result<caf::message>{
        static_cast<caf::event_based_actor*>(base)->delegate(
          caf::actor_cast<caf::actor>(whole), what.move_content_to_message())};
    });
  return {[self](const save_checkpoint&) -> caf::result<done> {
    return self->make_response_promise<done>();
  }};
}

} // namespace

TEST_CASE("a change that may be stored is refused to nobody") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto fickle = node.system().spawn(
    test::fickle_store<update_session>, node.context()->store,
    std::vector<test::fickle_answer>{{errc::timeout, true},
                                     {errc::unavailable, false}});
  {
    next_supervisor next{node, [&](node_context& context) {
                           context.store =
                             caf::actor_cast<store_writer_actor>(fickle);
                         }};
    auto handle =
      node.ask<session_actor>(next.whole, find_session{"demo", session.id});
    // The time-out is not known to be a refusal, whatever comes after it.
    CHECK(node.ask<session_view>(handle, extend_session{3'600'000}).json.size()
          > 0);
  }
  caf::anon_send_exit(fickle, caf::exit_reason::user_shutdown);
}

TEST_CASE("who asks a session to make ready to go hears of it when its actor "
          "ends, or when it stays") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto git = node.system().spawn(endless_git, node.context()->git);
  {
    next_supervisor next{node, [&](node_context& context) {
                           context.git = caf::actor_cast<git_actor>(git);
                         }};
    auto handle =
      node.ask<session_actor>(next.whole, find_session{"demo", session.id});
    test::await("it to rest", [&] {
      return node.ask<project_sessions>(next.whole, look_at_sessions{"demo"})
        .sessions.at(0)
        .waits_for.empty();
    });
    caf::scoped_actor self{node.system()};
    auto asked = self->request(next.whole, test::timeout,
                               pack_project{"demo", false, "drained"});
    SECTION("it is another node's") {
      caf::anon_send(next.whole, release_project{"demo"});
    }
    SECTION("it crashes") {
      caf::anon_send(handle, crash_session{});
    }
    SECTION("it stays") {
      caf::anon_send(next.whole, unpack_project{"demo"});
    }
    asked.receive(
      [](const project_sessions& x) { CHECK(x.sessions.size() == 1); },
      [](const caf::error& e) { FAIL(to_refusal(e).message); });
  }
  caf::anon_send_exit(git, caf::exit_reason::user_shutdown);
}

TEST_CASE("commands of a session that is another node's count here no more") {
  small_node node;
  auto session = node.create(on_branch("work"));
  next_supervisor next{node, [](node_context& context) {
                         context.loads = std::make_shared<exec_loads>(
                           exec_loads::limits{.of_project = 1});
                       }};
  auto handle =
    node.ask<session_actor>(next.whole, find_session{"demo", session.id});
  node.ask<exec_view>(handle, shell("sleep 1000", 0));
  CHECK(node.refused_by<exec_view>(handle, shell("true", 0)).code
        == errc::quota_exceeded);
  caf::anon_send(next.whole, release_project{"demo"});
  test::await("room for another", [&] {
    return next.context->loads->admit({"other", "demo", "key"}).empty();
  });
}
