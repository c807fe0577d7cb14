// Retention: what ended long ago goes, and nothing else.
#include "tests/actors/small_node.hpp"

#include "actors/retention/retention.hpp"
#include "messages/ids.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <string>

using namespace greenroom;
using greenroom::test::eventually;
using greenroom::test::small_node;

namespace fs = std::filesystem;

namespace {

constexpr millis day = 24 * 3600 * 1000;

struct retention_node : small_node {
  retention_actor retention;

  ~retention_node() {
    caf::anon_send_exit(retention, caf::exit_reason::user_shutdown);
  }
  void begin() {
    retention = system().spawn(greenroom::retention, context(), supervisor(),
                               retention_rules{day});
  }
  /// A session that is over.
  session_record ended(const std::string& branch) {
    create_session request;
    request.new_branch = branch;
    auto session = create(request);
    auto checkout = dir_of(session.id) / "checkout";
    greenroom::test::await("its checkout",
                           [&] { return fs::exists(checkout); });
    std::ofstream{checkout / "work"} << branch;
    ask<terminate_reply>(find(session), terminate_session{});
    greenroom::test::await("its checkout goes",
                           [&] { return !fs::exists(checkout); });
    return session;
  }
  fs::path dir_of(const std::string& id) const {
    return context()->session_dir(id);
  }
  std::string directory_of_days(int days) const {
    auto id = make_id();
    fs::create_directories(dir_of(id) / "exec");
    fs::last_write_time(dir_of(id), fs::file_time_type::clock::now()
                                      - std::chrono::hours{24 * days});
    return id;
  }
  bool is_stored(const session_record& session) {
    caf::scoped_actor self{system()};
    bool found = false;
    self
      ->request(context()->reader, greenroom::test::timeout,
                load_session{session.id})
      .receive([&](const session_record&) { found = true; },
               [](const caf::error&) {});
    return found;
  }
  /// As if the day after tomorrow had come.
  bool gone_later(const std::string& id) {
    return eventually([&] {
      caf::anon_send(retention, clock_tick{now_ms() + 2 * day});
      return !fs::exists(dir_of(id));
    });
  }
};

} // namespace

TEST_CASE_METHOD(retention_node,
                 "a session that was kept long enough goes, rows "
                 "and files") {
  auto old = ended("old");
  create_session request;
  request.new_branch = "alive";
  auto alive = create(request);
  begin();
  REQUIRE(fs::exists(dir_of(old.id)));
  CHECK(is_stored(old));
  // Its actor is still there: somebody has just asked for it.
  auto handle = find(old);
  CHECK(gone_later(old.id));
  CHECK_FALSE(is_stored(old));
  CHECK(
    refused_by<session_actor>(supervisor(), find_session{"demo", old.id}).code
    == errc::not_found);
  CHECK(is_stored(alive));
  CHECK(eventually([&] { return fs::exists(dir_of(alive.id) / "checkout"); }));
  // What was rescued stays.
  auto refs = git({"-C", upstream().string(), "for-each-ref",
                   "refs/greenroom/rescue/" + old.id});
  CHECK_FALSE(refs.empty());
}

TEST_CASE_METHOD(retention_node, "sessions that are named go before their time "
                                 "if they are over") {
  auto old = ended("old");
  auto other = ended("other");
  auto unsaved = ended("unsaved");
  fs::create_directories(dir_of(unsaved.id) / "checkout");
  std::ofstream{dir_of(unsaved.id) / "checkout" / "work"} << "unsaved";
  create_session request;
  request.new_branch = "alive";
  auto alive = create(request);
  begin();
  caf::anon_send(retention, forget_sessions{{old.id, alive.id, unsaved.id}});
  CHECK(eventually([&] { return !fs::exists(dir_of(old.id)); }));
  CHECK_FALSE(is_stored(old));
  CHECK(is_stored(other));
  CHECK(fs::exists(dir_of(other.id)));
  CHECK(is_stored(alive));
  CHECK(is_stored(unsaved));
  CHECK(fs::exists(dir_of(unsaved.id) / "checkout" / "work"));
}

TEST_CASE_METHOD(retention_node, "work that was saved nowhere stays") {
  auto old = ended("old");
  auto other = ended("other");
  fs::create_directories(dir_of(old.id) / "checkout");
  std::ofstream{dir_of(old.id) / "checkout" / "work"} << "unsaved";
  begin();
  CHECK(gone_later(other.id));
  CHECK(fs::exists(dir_of(old.id) / "checkout" / "work"));
  // Its session is still listed, until its administrator says that it may go.
  CHECK(is_stored(old));
  fs::remove_all(dir_of(old.id) / "checkout");
  CHECK(gone_later(old.id));
  CHECK_FALSE(is_stored(old));
}

TEST_CASE_METHOD(retention_node, "directories that the store does not know go "
                                 "once they are old") {
  auto old = directory_of_days(2);
  auto young = directory_of_days(0);
  auto known = ended("known");
  fs::last_write_time(dir_of(known.id), fs::file_time_type::clock::now()
                                          - std::chrono::hours{48});
  fs::create_directories(context()->data_dir / "sessions" / "not-an-id");
  begin();
  CHECK(eventually([&] { return !fs::exists(dir_of(old)); }));
  CHECK(fs::exists(dir_of(young)));
  CHECK(fs::exists(dir_of(known.id)));
  CHECK(fs::exists(context()->data_dir / "sessions" / "not-an-id"));
  // Also what is found later, as when another node has removed the row.
  auto later = directory_of_days(2);
  CHECK(eventually([&] {
    // One that comes during a look is not heard.
    caf::anon_send(retention, clock_tick{now_ms()});
    return !fs::exists(dir_of(later));
  }));
}
