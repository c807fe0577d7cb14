// The project: a create that is sent again, and what a crash leaves of one.
#include "tests/actors/fickle_store.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/directory.hpp"
#include "actors/project/project.hpp"
#include "actors/supervisor.hpp"
#include "messages/ids.hpp"
#include "messages/webhooks.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/base/files.hpp"

#include <caf/actor_cast.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace greenroom;
using greenroom::test::eventually;
using greenroom::test::small_node;
using greenroom::test::timeout;

namespace {

create_session planned(std::string id, std::string branch = "work") {
  create_session request;
  request.session_id = std::move(id);
  request.by = {"key", "Ada", ""};
  request.new_branch = std::move(branch);
  request.expires_in = 3600 * 1000;
  return request;
}

struct project_node : small_node {
  created_session make(create_session request) {
    return ask<created_session>(project(), std::move(request));
  }
  session_record stored(const std::string& id) {
    return ask<session_record>(context()->reader, load_session{id});
  }
  session_supervisor_full whole_supervisor() {
    return caf::actor_cast<session_supervisor_full>(supervisor());
  }
  std::size_t live() {
    return ask<session_rows>(context()->reader, live_sessions{"demo"})
      .sessions.size();
  }
};

} // namespace

TEST_CASE_METHOD(project_node, "a create has the planned id, and a token of "
                               "which only the hash is kept") {
  auto id = make_id();
  auto made = make(planned(id));
  CHECK(made.session.id == id);
  CHECK(made.session.status == session_status::active);
  REQUIRE_FALSE(made.token.empty());
  CHECK(stored(id).token_hash == sha256_hex(made.token));
  SECTION("without one an id is made") {
    auto other = make(planned("", "other"));
    CHECK(is_id(other.session.id));
    CHECK(other.token != made.token);
  }
}

TEST_CASE_METHOD(project_node, "a repeated create is the same session with a "
                               "new token") {
  auto id = make_id();
  auto first = make(planned(id));
  auto second = make(planned(id));
  CHECK(second.session.id == id);
  CHECK(second.session.branch == "work");
  CHECK(second.session.status == session_status::active);
  REQUIRE_FALSE(second.token.empty());
  CHECK(second.token != first.token);
  CHECK(stored(id).token_hash == sha256_hex(second.token));
  CHECK(live() == 1);
  SECTION("also after a restart") {
    restart();
    auto third = make(planned(id));
    CHECK(third.session.id == id);
    CHECK(stored(id).token_hash == sha256_hex(third.token));
    CHECK(live() == 1);
  }
  SECTION("also of a project that was stopped since") {
    project_record rules;
    rules.id = "demo";
    rules.repo = upstream().string();
    rules.stopped = true;
    caf::anon_send(project(), project_changed{rules});
    CHECK(make(planned(id)).session.id == id);
    auto other =
      refused_by<created_session>(project(), planned(make_id(), "b"));
    CHECK(other == refusal{errc::bad_request, "project pod is not running"});
  }
  SECTION("but not for somebody else") {
    auto other = planned(id);
    other.by.key_id = "other";
    auto why = refused_by<created_session>(project(), other);
    CHECK(why.code == errc::conflict);
    CHECK(stored(id).token_hash == sha256_hex(second.token));
  }
  SECTION("and without a token once it is over") {
    ask<terminate_reply>(find(second.session), terminate_session{});
    auto after = make(planned(id));
    CHECK(after.session.status == session_status::terminated);
    CHECK(after.token.empty());
  }
}

TEST_CASE_METHOD(project_node, "a repeated create makes its webhooks once, one "
                               "that is refused none") {
  // No handle is held over a restart, which would wait for its actor.
  auto there = [&] {
    auto reader = caf::actor_cast<webhook_reader_actor>(context()->reader);
    return ask<webhook_list>(reader, list_webhooks{"demo"}).webhooks;
  };
  auto id = make_id();
  create_hooked_session request{
    planned(id),
    {"key", "Ada", ""},
    {{"https://example.org/", "", {}, "whsec_" + std::string(32, 'A')}}};
  request.session.by = {"somebody else", "", ""};
  auto first = ask<created_session>(project(), request);
  CHECK(first.session.created_by == "key");
  CHECK(first.session.author == "Ada <key@greenroom.invalid>");
  auto made = there();
  REQUIRE(made.size() == 1);
  CHECK(made[0].id == session_webhook_id(id, 0));
  CHECK(made[0].session_id == id);
  CHECK(ask<created_session>(project(), request).session.id == id);
  CHECK(there() == made);
  SECTION("also after a restart") {
    restart();
    CHECK(ask<created_session>(project(), request).session.id == id);
    CHECK(there() == made);
  }
  SECTION("refused for its branch") {
    request.session.session_id = make_id();
    CHECK(refused_by<created_session>(project(), request).code
          == errc::checkout_exists);
    CHECK(there() == made);
  }
}

TEST_CASE_METHOD(project_node, "creates of one id at once make one session") {
  auto id = make_id();
  caf::scoped_actor self{system()};
  auto first = self->request(project(), timeout, planned(id));
  auto second = self->request(project(), timeout, planned(id));
  std::vector<created_session> made;
  auto take = [&](auto& handle) {
    handle.receive([&](const created_session& x) { made.push_back(x); },
                   [](const caf::error& e) { FAIL(to_refusal(e).message); });
  };
  take(first);
  take(second);
  REQUIRE(made.size() == 2);
  CHECK(made[0].session.id == id);
  CHECK(made[1].session.id == id);
  CHECK(live() == 1);
}

TEST_CASE_METHOD(project_node, "a repeated create that was refused is refused "
                               "again") {
  auto id = make_id();
  auto request = planned(id);
  request.new_branch.clear();
  request.branch = "no-such-branch";
  for (int i = 0; i < 2; ++i)
    CHECK(refused_by<created_session>(project(), request)
          == refusal{errc::not_found, "branch not found"});
  CHECK(live() == 0);
}

TEST_CASE_METHOD(project_node, "a session that was stored but never launched "
                               "gets its actor") {
  auto other = make(planned(make_id(), "other")).session;
  auto left = other;
  left.id = make_id();
  left.branch = "left";
  left.status = session_status::creating;
  left.version = 0;
  left.epoch = 1;
  left.created_at = now_ms() - 10 * 60 * 1000;
  ask<done>(context()->store, insert_session{left, 50});
  SECTION("by the supervisor's next look") {
    caf::anon_send(whole_supervisor(), clock_tick{now_ms() + 61 * 1000});
    CHECK(eventually(
      [&] { return stored(left.id).status == session_status::active; }));
  }
  SECTION("by a restart") {
    restart();
    CHECK(eventually(
      [&] { return stored(left.id).status == session_status::active; }));
  }
  SECTION("or at once by the create that is repeated") {
    auto again = make(planned(left.id, "left"));
    CHECK(again.session.status == session_status::active);
    CHECK(stored(left.id).token_hash == sha256_hex(again.token));
  }
}

TEST_CASE_METHOD(project_node, "a session that was stored a moment ago is left "
                               "to its project") {
  auto other = make(planned(make_id(), "other")).session;
  auto young = other;
  young.id = make_id();
  young.branch = "young";
  young.status = session_status::creating;
  young.version = 0;
  young.created_at = now_ms() + 60 * 1000;
  auto old = young;
  old.id = make_id();
  old.branch = "old";
  old.created_at = now_ms() - 60 * 1000;
  ask<done>(context()->store, insert_session{young, 50});
  ask<done>(context()->store, insert_session{old, 50});
  caf::anon_send(whole_supervisor(), clock_tick{now_ms() + 61 * 1000});
  // Both are looked at in one answer of the store.
  REQUIRE(eventually(
    [&] { return stored(old.id).status == session_status::active; }));
  CHECK(stored(young.id).status == session_status::creating);
  CHECK(stored(young.id).epoch == young.epoch);
}

namespace {

// A project whose store answers the first requests of one kind as it likes.
template <class Request>
struct doubtful_project {
  doubtful_project(project_node& node, std::vector<test::fickle_answer> script)
    : store(node.system().spawn(test::fickle_store<Request>,
                                node.context()->store, std::move(script))) {
    auto changed = std::make_shared<node_context>(*node.context());
    changed->store = caf::actor_cast<store_writer_actor>(store);
    handle = caf::actor_cast<project_actor>(node.system().spawn(
      greenroom::project, node.rules(), changed, node.supervisor()));
  }
  doubtful_project(const doubtful_project&) = delete;
  doubtful_project& operator=(const doubtful_project&) = delete;
  ~doubtful_project() {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
  }

  caf::actor store;
  project_actor handle;
};

} // namespace

TEST_CASE_METHOD(project_node, "a store that does not say whether it has taken "
                               "a session is asked until it does") {
  auto is_done = GENERATE(true, false);
  CAPTURE(is_done);
  doubtful_project<insert_session> it{
    *this, {{errc::timeout, is_done}, {errc::unavailable, false}}};
  auto made = ask<created_session>(it.handle, planned({})).session;
  CHECK(made.status == session_status::active);
  CHECK(live() == 1);
}

TEST_CASE_METHOD(project_node, "a session that nobody has begun to make leaves "
                               "its place, whatever the store says first") {
  auto is_done = GENERATE(true, false);
  CAPTURE(is_done);
  doubtful_project<update_session> it{*this, {{errc::timeout, is_done}}};
  ask<project_sessions>(whole_supervisor(),
                        pack_project{"demo", false, "gone"});
  CHECK(refused_by<created_session>(it.handle, planned({})).code
        == errc::unavailable);
  CHECK(live() == 0);
}

TEST_CASE("a review command ends with its project on this node") {
  small_node node{[](project_record& rules) {
    rules.review.command = "echo $$ > pid.new; mv pid.new pid; sleep 1000";
  }};
  auto session = node.create(planned({}));
  auto handle = node.find(session);
  start_exec change;
  change.spec.command = "echo mine > mine.txt";
  change.wait = 60'000;
  node.ask<exec_view>(handle, change);
  checkin_session request;
  request.by = {"key", "Ada", "Ada <ada@example.org>"};
  auto review = node.ask<checkin_reply>(handle, request).review_id;
  auto file = node.context()->session_dir(review) / "checkout" / "pid";
  REQUIRE(eventually([&] { return std::filesystem::exists(file); }));
  auto pid = read_file(file).value();
  auto process = "/proc/" + pid.substr(0, pid.find('\n'));
  REQUIRE(std::filesystem::exists(process));
  caf::anon_send(caf::actor_cast<own_directory_actor>(node.directory()),
                 release_project{"demo"});
  CHECK(eventually([&] { return !std::filesystem::exists(process); }));
}

TEST_CASE_METHOD(small_node, "a project whose reviews cannot be read waits, "
                             "and does not die of it") {
  caf::anon_send_exit(context()->reader, caf::exit_reason::kill);
  auto handle =
    system().spawn(greenroom::project, rules(), context(), supervisor());
  caf::scoped_actor self{system()};
  self->monitor(handle);
  // Answered after all that it hears of its own look at its reviews.
  refused_by<review_record>(handle, get_review{make_id()});
  caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  self->receive([](const caf::down_msg& x) {
    CHECK(x.reason == caf::exit_reason::user_shutdown);
  });
}
