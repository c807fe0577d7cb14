// Sessions of a node in a cluster: they go with their project, come with it,
// and stand still when the lease is nearly over.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/directory.hpp"
#include "runtime/base/files.hpp"
#include "runtime/store/sessions.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

struct moving_node : small_node {
  session_record session = create(on_branch("work"));
  session_supervisor_full whole =
    caf::actor_cast<session_supervisor_full>(supervisor());
  store::connection db{"sqlite3://greenroom.db", context()->data_dir,
                       sync_mode::normal};

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

TEST_CASE_METHOD(moving_node, "what runs ends when the lease is nearly over, "
                              "and the sessions live on") {
  auto process = start_long();
  caf::anon_send(whole, stop_all_runners{});
  await_end(process);
  await("the exec's end", [&] { return long_is_over(); });
  await_command();
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
