// Sessions of a node in a cluster: they go with their project, come with it,
// and stand still when the lease is nearly over.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/directory.hpp"
#include "actors/supervisor.hpp"
#include "messages/errors.hpp"
#include "messages/moving.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/injected_faults.hpp"
#include "runtime/store/sessions.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/message_view.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using namespace std::chrono_literals;

namespace {

struct moving_node : small_node {
  session_record session = create(on_branch("work"));
  session_supervisor_full whole =
    caf::actor_cast<session_supervisor_full>(supervisor());
  store::connection db{"sqlite3://greenroom.db", context()->data_dir,
                       sync_mode::normal};

  ~moving_node() {
    clear_faults();
  }

  // Starts a command that does not end; its directory in /proc.
  std::filesystem::path start_long() {
    auto request = shell("echo $$ > pid.new; mv pid.new pid; sleep 1000", 0);
    request.spec.exec_id = "long";
    ask<exec_view>(find(session), request);
    auto file = context()->session_dir(session.id) / "checkout" / "pid";
    await("its pid", [&] { return std::filesystem::exists(file); });
    auto pid = read_file(file).value();
    return "/proc/" + pid.substr(0, pid.find('\n'));
  }
  void await_end(const std::filesystem::path& process) {
    await("its end", [&] { return !std::filesystem::exists(process); });
  }
  void await_runner_end() {
    await("the runner's end",
          [&] { return !runners().process_of(session.id); });
  }
  // A command that meets the end of the runner before ends with that.
  void await_command() {
    await("a command", [&] {
      auto exec = ask<exec_view>(find(session), shell("echo on"));
      return json_of(exec).value("stdout", "") == "on\n";
    });
  }
  // Whether it is lost, or was canceled as its runner stopped in order.
  bool long_is_over() {
    auto exec = json_of(ask<exec_view>(find(session), get_exec{"long"}));
    return exec["status"] == "lost" || exec["status"] == "canceled";
  }
};

// Does not say at first which sessions live.
caf::behavior late_reader(caf::event_based_actor* self,
                          store_reader_actor whole) {
  self->set_default_handler(
    [whole](caf::scheduled_actor* base, caf::message_view& what) {
      return caf::result<caf::message>{
        static_cast<caf::event_based_actor*>(base)->delegate(
          caf::actor_cast<caf::actor>(whole), what.move_content_to_message())};
    });
  auto is_first = std::make_shared<bool>(true);
  return {
    [self, whole, is_first](live_sessions& x) -> caf::result<session_rows> {
      if (std::exchange(*is_first, false))
        return make_error(errc::unavailable, "the store is away");
      return self->delegate(whole, std::move(x));
    }};
}

} // namespace

TEST_CASE_METHOD(moving_node, "what runs of a project that went away ends, and "
                              "nothing is written of it") {
  auto process = start_long();
  auto taken = store::take_session(db, session.id, "other").value();
  caf::anon_send(whole, release_project{"demo"});
  await_end(process);
  // It came to an end of its own accord nowhere.
  CHECK(store::find_session(db, session.id) == taken);

  SECTION("a session that comes with its project is taken up") {
    store::take_session(db, session.id, context()->node);
    caf::anon_send(whole, adopt_project{rules()});
    await("the session", [&] {
      auto now = store::find_session(db, session.id);
      return now->epoch > taken.epoch + 1;
    });
    await("the exec's end", [&] { return long_is_over(); });
    await_command();
  }
}

TEST_CASE("a session that is another node's is said to be, and is not taken by "
          "one that is asked for it") {
  small_node node{{}, true};
  auto session = node.create(on_branch("work"));
  store::connection db{"sqlite3://greenroom.db", node.context()->data_dir,
                       sync_mode::normal};
  auto taken = store::take_session(db, session.id, "other").value();
  caf::anon_send(caf::actor_cast<session_supervisor_full>(node.supervisor()),
                 release_project{"demo"});
  caf::scoped_actor self{node.system()};
  refusal why;
  await("its actor's end", [&] {
    self->request(node.supervisor(), timeout, find_session{{}, session.id})
      .receive([](const session_actor&) {},
               [&](const caf::error& e) { why = to_refusal(e); });
    return !why.message.empty();
  });
  CHECK(why.code == errc::unavailable);
  CHECK(store::find_session(db, session.id) == taken);
}

TEST_CASE_METHOD(moving_node, "sessions that come with their project are taken "
                              "up although the store is away at first") {
  caf::anon_send(whole, release_project{"demo"});
  auto taken = store::take_session(db, session.id, context()->node).value();
  auto reader = system().spawn(late_reader, context()->reader);
  auto changed = std::make_shared<node_context>(*context());
  changed->reader = caf::actor_cast<store_reader_actor>(reader);
  auto other = system().spawn(session_supervisor, context_ptr{changed},
                              std::vector<project_record>{}, revival_report{});
  caf::anon_send(other, adopt_project{rules()});
  await("the session", [&] {
    return store::find_session(db, session.id)->epoch > taken.epoch;
  });
  caf::anon_send_exit(other, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
}

TEST_CASE_METHOD(moving_node, "a session that is being revived while its "
                              "project goes away gets no actor") {
  auto handle = find(session);
  // Its files are read behind what is being written.
  inject_fault("pwrite", {5min, 0});
  caf::anon_send(caf::actor_cast<caf::actor>(handle), shell("true", 0));
  await("a slow disk", [&] { return journal_lag() >= 50ms; });
  caf::anon_send(handle, crash_session{});
  await("it to be revived", [&] {
    return store::find_session(db, session.id)->epoch > session.epoch;
  });
  auto taken = store::take_session(db, session.id, "other").value();
  caf::scoped_actor self{system()};
  auto waiting =
    self->request(supervisor(), timeout, find_session{"demo", session.id});
  caf::anon_send(whole, release_project{"demo"});
  refusal why;
  waiting.receive([](const session_actor&) {},
                  [&](const caf::error& e) { why = to_refusal(e); });
  CHECK(why.code == errc::unavailable);
  clear_faults();
  await("the files", [&] { return journal_lag() == 0ms; });
  CHECK(ask<supervisor_load>(supervisor(), get_load{}).actors == 0);
  CHECK(store::find_session(db, session.id) == taken);

  SECTION("and one when it comes back") {
    store::take_session(db, session.id, context()->node);
    caf::anon_send(whole, adopt_project{rules()});
    await_command();
  }
}

TEST_CASE_METHOD(moving_node, "what runs ends when the lease is nearly over, "
                              "and the sessions live on") {
  auto process = start_long();
  caf::anon_send(whole, stop_all_runners{});
  await_end(process);
  await("the exec's end", [&] { return long_is_over(); });
  await_runner_end();
  await_command();
}

TEST_CASE_METHOD(moving_node, "what waits for its turn does not begin while "
                              "another node may have the session") {
  auto handle = find(session);
  auto process = start_long();
  auto request = shell("sleep 1000", 0);
  request.spec.exec_id = "second";
  ask<exec_view>(handle, request);
  // There are two places.
  request = shell("[ -e open ] && echo on time || touch early", 0);
  request.spec.exec_id = "queued";
  ask<exec_view>(handle, request);
  gate().open_until(0);
  caf::anon_send(whole, stop_all_runners{});
  await_end(process);
  await("the ends of both", [&] {
    return events_of(*this, handle, event_kind::exec_exited).size() >= 2;
  });
  CHECK(refused_by<exec_view>(handle, shell("touch late", 0)).code
        == errc::unavailable);
  await_runner_end();
  std::ofstream{context()->session_dir(session.id) / "checkout" / "open"};
  gate().open_until(std::numeric_limits<millis>::max());
  request.wait = 60'000;
  // One whose turn came before its runner was gone never begins.
  auto queued = json_of(ask<exec_view>(handle, request));
  CHECK((queued["status"] == "canceled" || queued["stdout"] == "on time\n"));
  CHECK_FALSE(std::filesystem::exists(context()->session_dir(session.id)
                                      / "checkout" / "early"));
  auto all = ask<exec_page>(handle, list_execs{});
  CHECK(nlohmann::json::parse(all.json.view()).size() == 3);
}

TEST_CASE_METHOD(moving_node, "nothing ends, expires or is checked in while "
                              "another node may have the session") {
  auto handle = find(session);
  ask<exec_view>(handle, shell("echo mine > mine.txt"));
  auto rescued = [&] {
    return git({"-C", upstream(), "for-each-ref",
                "refs/greenroom/rescue/" + session.id});
  };
  auto expire = [&] {
    caf::anon_send(whole, clock_tick{now_ms() + 2 * 24 * 3600 * 1000});
    return nlohmann::json::parse(
      ask<session_view>(handle, get_session{}).json.view())["status"];
  };
  gate().open_until(0);
  CHECK(refused_by<checkin_reply>(handle, checkin_session{}).code
        == errc::unavailable);
  CHECK(refused_by<terminate_reply>(handle, terminate_session{}).code
        == errc::unavailable);
  CHECK(expire() == "active");
  CHECK(expire() == "active");
  CHECK(rescued().empty());
  gate().open_until(std::numeric_limits<millis>::max());
  await("its end", [&] { return expire() == "expired"; });
  CHECK_FALSE(rescued().empty());
}

TEST_CASE_METHOD(moving_node, "nothing is merged while another node may have "
                              "the project") {
  auto handle = find(session);
  ask<exec_view>(handle, shell("echo mine > mine.txt"));
  checkin_session request;
  request.by = {"key", "Ada", "Ada <ada@example.org>"};
  request.skip_review = true;
  session.commit = ask<checkin_reply>(handle, request).commit;
  auto merged = [&] {
    return git({"-C", upstream(), "branch", "--contains", session.commit})
             .find("main")
           != std::string::npos;
  };
  gate().open_until(0);
  auto review = ask<review_record>(
    project(), queue_review{session, request.by, true, true});
  CHECK(review.status == review_status::running);
  CHECK(review.status_reason.find("lost touch") != std::string::npos);
  CHECK_FALSE(merged());
  gate().open_until(std::numeric_limits<millis>::max());
  await("the merge", merged);
}

TEST_CASE_METHOD(moving_node, "a session that rests is packed with its work, "
                              "and works on if it stays") {
  auto handle = find(session);
  ask<exec_view>(handle, shell("echo kept > kept.txt"));
  CHECK(ask<project_sessions>(whole, pack_project{"demo", false, "drained"})
          .sessions.empty());
  CHECK(git({"-C", upstream(), "cat-file", "-p",
             "refs/greenroom/checkpoints/" + session.id + ":kept.txt"})
          .starts_with("kept"));
  auto why = refused_by<exec_view>(handle, shell("true"));
  CHECK(why.code == errc::unavailable);
  CHECK(why.message.find("is being moved to another node") != why.message.npos);
  // Nor does a new one begin.
  CHECK(refused_by<created_session>(project(), on_branch("other")).code
        == errc::unavailable);
  CHECK(store::live_sessions(db, "demo").size() == 1);
  // Reads go on, and so does the next actor of one that crashes.
  ask<session_view>(handle, get_session{});
  auto next = crash(*this, session);
  CHECK(refused_by<exec_view>(next, shell("true")).code == errc::unavailable);

  caf::anon_send(whole, unpack_project{"demo"});
  await_command();
}

TEST_CASE_METHOD(moving_node, "a session in which something runs is packed at "
                              "once only") {
  auto process = start_long();
  auto looked = ask<project_sessions>(whole, look_at_sessions{"demo"}).sessions;
  REQUIRE(looked.size() == 1);
  CHECK(looked[0].id == session.id);
  CHECK(looked[0].running_execs == 1);
  CHECK(looked[0].waits_for == "a command runs");
  CHECK(
    ask<project_sessions>(whole, look_at_sessions{"none"}).sessions.empty());
  auto waiting =
    ask<project_sessions>(whole, pack_project{"demo", false, "drained"});
  REQUIRE(waiting.sessions.size() == 1);
  CHECK(waiting.sessions[0].waits_for == "a command runs");
  caf::anon_send(whole, unpack_project{"demo"});
  await_command(); // beside it

  CHECK(ask<project_sessions>(whole, pack_project{"demo", true, "drained"})
          .sessions.empty());
  CHECK_FALSE(std::filesystem::exists(process));
  auto exec = json_of(ask<exec_view>(find(session), get_exec{"long"}));
  CHECK(exec["status"] == "lost");
  CHECK(exec["reason"] == "drained");
  // With what it wrote before it was ended.
  CHECK_FALSE(git({"-C", upstream(), "cat-file", "-p",
                   "refs/greenroom/checkpoints/" + session.id + ":pid"})
                .empty());
}

TEST_CASE_METHOD(moving_node, "a project is packed once it has been taken up, "
                              "and not before") {
  caf::anon_send(whole, release_project{"demo"});
  await_runner_end();
  auto why =
    refused_by<project_sessions>(whole, pack_project{"demo", false, "drained"});
  CHECK(why.code == errc::unavailable);
  CHECK(why.message == "the node has not taken it up yet");
  caf::anon_send(whole, adopt_project{rules()});
  CHECK(create(on_branch("other")).status == session_status::active);
}

TEST_CASE_METHOD(small_node, "a directory has the projects that it was given "
                             "last") {
  auto own =
    system().spawn(greenroom::directory, context(),
                   caf::actor_cast<session_supervisor_full>(supervisor()),
                   std::vector<project_record>{});
  auto project = rules();
  caf::anon_send(own, adopt_project{project});
  auto handle = ask<project_actor>(own, find_project{"demo"});
  project.setup = "make";
  caf::anon_send(own, adopt_project{project});
  CHECK(ask<project_actor>(own, find_project{"demo"}) == handle);
  CHECK(ask<project_record>(own, get_project{"demo"}).setup == "make");
  caf::anon_send(own, release_project{"demo"});
  CHECK(refused_by<project_actor>(own, find_project{"demo"}).code
        == errc::not_found);
  caf::anon_send_exit(own, caf::exit_reason::user_shutdown);
}

TEST_CASE_METHOD(small_node, "rules that have changed are looked at before the "
                             "next renewal of the lease") {
  using counter = std::shared_ptr<std::atomic<int>>;
  auto looks = std::make_shared<std::atomic<int>>(0);
  auto member = system().spawn(
    [](caf::event_based_actor*, const counter& count) -> caf::behavior {
      return {[count](const owners_changed&) { ++*count; }};
    },
    looks);
  auto changed = std::make_shared<node_context>(*context());
  changed->cluster = caf::actor_cast<cluster_member_actor>(member);
  auto own =
    system().spawn(greenroom::directory, context_ptr{changed},
                   caf::actor_cast<session_supervisor_full>(supervisor()),
                   std::vector<project_record>{rules()});
  ask<project_record>(own,
                      change_project{"demo", R"({"on_node_loss": "wait"})"});
  await("a look", [&] { return *looks == 1; });
  caf::anon_send_exit(own, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(member, caf::exit_reason::user_shutdown);
}
