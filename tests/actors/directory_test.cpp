// The directory: projects are changed one change after the other.
#include "tests/actors/fickle_store.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/directory.hpp"
#include "messages/cluster.hpp"
#include "runtime/store/batch.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace greenroom;
using greenroom::test::small_node;
using greenroom::test::timeout;

namespace {

project_record some_project(std::string id) {
  project_record project;
  project.id = std::move(id);
  project.repo = "/srv/git/some.git";
  return project;
}

struct directory_node : small_node {
  directory_actor directory =
    system().spawn(greenroom::directory, context(),
                   caf::actor_cast<session_supervisor_full>(supervisor()),
                   std::vector<project_record>{some_project("one")});

  ~directory_node() {
    caf::anon_send_exit(directory, caf::exit_reason::user_shutdown);
  }
};

// What came back of requests that were sent without waiting.
template <class Reply>
class answers {
public:
  template <class Handle>
  void take(Handle& handle) {
    handle.receive(
      [this](const Reply&) { ++made_; },
      [this](const caf::error& e) { refused_.push_back(to_refusal(e).code); });
  }
  int made() const {
    return made_;
  }
  const std::vector<errc>& refused() const {
    return refused_;
  }

private:
  int made_ = 0;
  std::vector<errc> refused_;
};

} // namespace

TEST_CASE_METHOD(directory_node, "of changes that come at once none is lost") {
  caf::scoped_actor self{system()};
  auto change = [&](const std::string& fields) {
    return self->request(directory, timeout, change_project{"one", fields});
  };
  auto first = change(R"({"max_active_sessions": 7})");
  auto second = change(R"({"setup": "make deps"})");
  auto bad = change(R"({"max_active_sessions": -1})");
  auto third = change(R"({"status": "stopped"})");
  answers<project_record> all;
  all.take(first);
  all.take(second);
  all.take(bad);
  all.take(third);
  CHECK(all.made() == 3);
  CHECK(all.refused() == std::vector{errc::bad_request});
  auto project = ask<project_record>(directory, get_project{"one"});
  CHECK(project.max_active_sessions == 7);
  CHECK(project.setup == "make deps");
  CHECK(project.stopped);
}

TEST_CASE_METHOD(directory_node, "projects are listed newest first") {
  for (auto id : {"zeta", "alpha"}) {
    project_record project;
    project.id = id;
    project.repo = "/srv/git/x.git";
    ask<project_record>(directory, create_project{project});
  }
  auto all = ask<project_list>(directory, list_projects{}).projects;
  REQUIRE(all.size() >= 2);
  CHECK(all[0].id == "alpha");
  CHECK(all[1].id == "zeta");
}

TEST_CASE_METHOD(directory_node,
                 "a project that another node places here has its rules") {
  auto project = some_project("placed");
  placement_rules rules{node_loss::wait, 5'000, {{"disk", "fast"}}};
  auto made = ask<project_record>(caf::actor_cast<placing_actor>(directory),
                                  place_project{project, rules});
  CHECK(made.placement == rules);
  CHECK(ask<project_record>(directory, get_project{"placed"}).placement
        == rules);
  auto again = refused_by<project_record>(
    caf::actor_cast<placing_actor>(directory), place_project{project, rules});
  CHECK(again.code == errc::project_exists);
}

TEST_CASE_METHOD(directory_node, "of two that make one project, one does") {
  caf::scoped_actor self{system()};
  auto mine = some_project("two");
  auto other = mine;
  other.repo = "/srv/git/other.git";
  auto first = self->request(directory, timeout, create_project{mine});
  auto second = self->request(directory, timeout, create_project{other});
  answers<project_record> all;
  all.take(first);
  all.take(second);
  CHECK(all.made() == 1);
  CHECK(all.refused() == std::vector{errc::project_exists});
  CHECK(ask<project_record>(directory, get_project{"two"}) == mine);
}

TEST_CASE_METHOD(directory_node, "a change waits for the delete before it") {
  caf::scoped_actor self{system()};
  auto gone = self->request(directory, timeout, delete_project{"one"});
  auto late = self->request(directory, timeout,
                            change_project{"one", R"({"setup": "x"})"});
  answers<done> first;
  first.take(gone);
  answers<project_record> second;
  second.take(late);
  CHECK(first.made() == 1);
  CHECK(second.refused() == std::vector{errc::not_found});
  CHECK(refused_by<project_actor>(directory, find_project{"one"}).code
        == errc::not_found);
  CHECK(ask<project_list>(directory, list_projects{}).projects.empty());
}

TEST_CASE_METHOD(directory_node, "changes that pile up are refused") {
  caf::scoped_actor self{system()};
  auto send = [&] {
    return self->request(directory, timeout,
                         change_project{"one", R"({"setup": "x"})"});
  };
  std::vector<decltype(send())> waiting;
  answers<project_record> surplus;
  store::connection other{"sqlite3://greenroom.db", context()->data_dir,
                          sync_mode::normal};
  // While somebody else has the store, no change is made.
  const std::vector<store::operation> holding{[&](store::connection&) {
    for (std::size_t i = 0; i < max_waiting_changes; ++i)
      waiting.push_back(send());
    auto last = send();
    surplus.take(last);
  }};
  REQUIRE(store::run_batch(other, holding).front() == nullptr);
  CHECK(surplus.refused() == std::vector{errc::overloaded});
  answers<project_record> all;
  for (auto& one : waiting)
    all.take(one);
  CHECK(all.made() == static_cast<int>(max_waiting_changes));
  auto again = send();
  all.take(again);
  CHECK(all.refused().empty());
}

TEST_CASE_METHOD(directory_node,
                 "a project that is let go of while it is changed stays gone") {
  caf::scoped_actor self{system()};
  auto own = caf::actor_cast<own_directory_actor>(directory);
  auto send = [&] {
    return self->request(directory, timeout,
                         change_project{"one", R"({"setup": "x"})"});
  };
  std::vector<decltype(send())> waiting;
  store::connection other{"sqlite3://greenroom.db", context()->data_dir,
                          sync_mode::normal};
  // While somebody else has the store, the change is not made.
  const std::vector<store::operation> holding{[&](store::connection&) {
    waiting.push_back(send());
    ask<done>(own, release_project{"one"});
  }};
  REQUIRE(store::run_batch(other, holding).front() == nullptr);
  answers<project_record> changed;
  changed.take(waiting.front());
  CHECK(changed.made() == 1);
  CHECK(refused_by<project_actor>(directory, find_project{"one"}).code
        == errc::not_found);
}

TEST_CASE_METHOD(directory_node, "a project whose actor died has a new one") {
  auto before = ask<project_actor>(directory, find_project{"one"});
  caf::anon_send_exit(before, caf::exit_reason::unhandled_exception);
  CHECK(greenroom::test::eventually([&] {
    return ask<project_actor>(directory, find_project{"one"}) != before;
  }));
  auto after = ask<project_actor>(directory, find_project{"one"});
  CHECK(ask<session_page>(after, list_sessions{}).sessions.empty());
}

namespace {

// A directory whose store is not the node's.
struct directory_of {
  directory_of(small_node& node, caf::actor in_place,
               const caf::actor& member = {})
    : store(std::move(in_place)) {
    auto changed = std::make_shared<node_context>(*node.context());
    changed->store = caf::actor_cast<store_writer_actor>(store);
    if (member)
      changed->cluster = caf::actor_cast<cluster_member_actor>(member);
    handle = node.system().spawn(
      greenroom::directory, changed,
      caf::actor_cast<session_supervisor_full>(node.supervisor()),
      std::vector<project_record>{node.rules()});
  }
  directory_of(const directory_of&) = delete;
  directory_of& operator=(const directory_of&) = delete;
  ~directory_of() {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
  }

  caf::actor store;
  directory_actor handle;
};

// One whose store answers the first requests of one kind as it likes.
template <class Request, class Reply>
struct doubtful_directory : directory_of {
  doubtful_directory(small_node& node, std::vector<test::fickle_answer> script,
                     const caf::actor& member = {})
    : directory_of(node,
                   node.system().spawn(test::fickle_store<Request, Reply>,
                                       node.context()->store,
                                       std::move(script)),
                   member) {}
};

using shared_flag = std::shared_ptr<std::atomic<bool>>;

// Does not say whether it has made a project before it may.
caf::behavior store_in_doubt(caf::event_based_actor* self,
                             store_writer_actor whole, shared_flag may_say) {
  return {[=](const put_project& x) -> caf::result<project_record> {
    if (!*may_say)
      return make_error(errc::timeout, "the store was lost");
    return self->delegate(whole, x);
  }};
}

// A member that knows another node to have all projects.
caf::behavior member_beside_owner(caf::event_based_actor*, int) {
  return {[](const find_owner& x) {
    return owner_record{x.project_id, "other", "", 2};
  }};
}

using doubtful_maker = doubtful_directory<put_project, project_record>;
using doubtful_remover = doubtful_directory<drop_project, done>;

} // namespace

TEST_CASE("a project that the store made without an answer is served") {
  small_node node;
  doubtful_maker doubtful{node, {{errc::timeout, true}, {errc::unavailable}}};
  auto made = node.ask<project_record>(doubtful.handle,
                                       create_project{some_project("two")});
  CHECK(made == some_project("two"));
  CHECK(node.ask<project_actor>(doubtful.handle, find_project{"two"}));
}

TEST_CASE("a change in doubt is warned of until the store says how it stands") {
  small_node node;
  auto& shown = *node.context()->overdue;
  auto may_say = std::make_shared<std::atomic<bool>>(false);
  directory_of doubtful{
    node, node.system().spawn(store_in_doubt, node.context()->store, may_say)};
  caf::scoped_actor self{node.system()};
  auto made = self->request(doubtful.handle, timeout,
                            create_project{some_project("two")});
  CHECK(greenroom::test::eventually([&] { return !shown.warnings().empty(); }));
  *may_say = true;
  answers<project_record> all;
  all.take(made);
  CHECK(all.made() == 1);
  CHECK(greenroom::test::eventually([&] { return shown.warnings().empty(); }));
}

TEST_CASE("a project's rules are what the store has, though it answers late") {
  small_node node;
  doubtful_maker doubtful{node, {{errc::timeout, true}}};
  node.ask<project_record>(doubtful.handle,
                           change_project{"demo", R"({"setup": "make deps"})"});
  CHECK(node.ask<project_record>(doubtful.handle, get_project{"demo"}).setup
        == "make deps");
}

TEST_CASE("a project that the store removed without an answer is gone") {
  small_node node;
  doubtful_remover doubtful{node, {{errc::timeout, true}, {errc::timeout}}};
  node.ask<done>(doubtful.handle, delete_project{"demo"});
  CHECK(
    node.refused_by<project_actor>(doubtful.handle, find_project{"demo"}).code
    == errc::not_found);
}

TEST_CASE("a project that the store keeps is served, though it answers late") {
  small_node node;
  create_session request;
  request.new_branch = "work";
  node.create(std::move(request));
  doubtful_remover doubtful{node, {{errc::timeout}}};
  CHECK(node.refused_by<done>(doubtful.handle, delete_project{"demo"}).code
        == errc::conflict);
  CHECK(node.ask<project_actor>(doubtful.handle, find_project{"demo"}));
}

TEST_CASE("a change that the store refuses at once is refused") {
  small_node node;
  doubtful_maker doubtful{node, {{errc::unavailable}}};
  CHECK(node
          .refused_by<project_record>(doubtful.handle,
                                      create_project{some_project("two")})
          .code
        == errc::unavailable);
}

TEST_CASE("a change is asked for no more once another node has the project") {
  small_node node;
  auto member = node.system().spawn(member_beside_owner, 0);
  {
    doubtful_maker doubtful{node, {{errc::timeout}}, member};
    CHECK(node
            .refused_by<project_record>(
              doubtful.handle, change_project{"demo", R"({"setup": "x"})"})
            .code
          == errc::timeout);
  }
  caf::anon_send_exit(member, caf::exit_reason::user_shutdown);
}
