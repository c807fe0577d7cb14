// Where the projects of a node go that gives them away, and how they go.
#include "actors/cluster/drainer.hpp"
#include "actors/cluster/machine/drain.hpp"
#include "actors/cluster/machine/releases.hpp"
#include "messages/errors.hpp"
#include "messages/type_ids.hpp"
#include "tests/support/eventually.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::cluster;
using namespace greenroom::test;

namespace {

node_record node(const std::string& name, std::uint32_t sessions = 0,
                 node_state state = node_state::ready, bool reachable = true,
                 double load = 0) {
  node_record result;
  result.name = name;
  result.state = state;
  result.lease_left = state == node_state::down ? 0 : 1'000;
  result.sessions = sessions;
  result.reachable = reachable;
  result.load = load;
  return result;
}

using places = std::map<std::string, std::string>;

struct placing {
  const char* what;
  std::vector<node_record> nodes; // beside "leaving"
  std::vector<project_load> projects;
  places expected;
};

const std::vector<placing> table{
  {"nobody else is there", {}, {{"p", 1}}, {}},
  {"others are down, drain or cannot be reached",
   {node("a", 0, node_state::down), node("b", 0, node_state::draining),
    node("c", 0, node_state::ready, false)},
   {{"p", 1}},
   {}},
  {"to the one with the fewest sessions",
   {node("a", 3), node("b", 2)},
   {{"p", 0}},
   {{"p", "b"}}},
  {"what goes there counts: the fullest project first",
   {node("a", 1), node("b", 2)},
   {{"p", 1}, {"q", 5}, {"r", 3}},
   {{"q", "a"}, {"r", "b"}, {"p", "b"}}},
  {"as many sessions: the less busy one",
   {node("a", 1, node_state::ready, true, 0.9),
    node("b", 1, node_state::ready, true, 0.2)},
   {{"p", 1}},
   {{"p", "b"}}},
  {"all alike: the first by name, and by id",
   {node("b"), node("a")},
   {{"q", 1}, {"p", 1}},
   {{"p", "a"}, {"q", "b"}}},
  {"no projects", {node("a")}, {}, {}},
};

moving_session idle(const std::string& id = "s") {
  return {id, 0, {}};
}
moving_session busy(const std::string& id = "s") {
  return {id, 1, "a command runs"};
}

} // namespace

TEST_CASE("where the projects of a node go that gives them away") {
  for (auto row : table) {
    INFO(row.what);
    row.nodes.push_back(node("leaving"));
    CHECK(destinations("leaving", row.nodes, row.projects) == row.expected);
  }
}

TEST_CASE("where a new project goes") {
  CHECK(home_of_new("b", {node("a", 2), node("b", 2), node("c", 3)}) == "b");
  CHECK(home_of_new("b", {node("a", 1), node("b", 2)}) == "a");
  CHECK(home_of_new("a", {node("a", 0, node_state::draining), node("b", 9)})
        == "b");
  CHECK(home_of_new("a", {node("a"), node("b", 0, node_state::ready, false)})
        == "a");
  CHECK(home_of_new("a", {node("a", 0, node_state::draining)}).empty());
  auto busy = node("a");
  busy.load = 0.95;
  CHECK(home_of_new("a", {busy, node("b", 9)}) == "b");
}

TEST_CASE("labels choose among the nodes that could take a project") {
  auto gpu = node("b", 7);
  gpu.labels = {{"gpu", "yes"}};
  const string_map wanted{{"gpu", "yes"}};
  const placement_rules rules{node_loss::replace, 0, wanted};
  CHECK(home_of_new("a", {node("a"), gpu}, wanted) == "b");
  CHECK(home_of_new("a", {node("a")}, wanted).empty());
  CHECK(destinations("leaving", {node("a"), gpu}, {{"p", 1, rules}, {"q", 1}})
        == places{{"p", "b"}, {"q", "a"}});
  // One that nobody else can have stays.
  CHECK(destinations("leaving", {node("a")}, {{"p", 1, rules}, {"q", 1}})
        == places{{"q", "a"}});
}

TEST_CASE("what an earlier release may not read does not go to it") {
  auto of = [](node_record one, const char* version) {
    one.version = version;
    return one;
  };
  const auto leaving = of(node("leaving"), "0.2.0");
  const auto older = of(node("a"), "0.1.9");
  const placement_rules waits{node_loss::wait, 0, {}};
  const std::vector<project_load> projects{{"p", 2, waits}, {"q", 1}};
  CHECK(destinations("leaving", {leaving, older}, projects)
        == places{{"q", "a"}});
  CHECK(destinations("leaving", {leaving, older, of(node("b", 9), "0.2.0")},
                     projects)
        == places{{"p", "b"}, {"q", "a"}});
  // The other way round all go.
  CHECK(destinations("leaving",
                     {of(node("leaving"), "0.1.9"), of(node("a"), "0.2.0")},
                     projects)
        == places{{"p", "a"}, {"q", "a"}});
  // Nor does it know how new ones are placed.
  CHECK(home_of_new("b", {older, of(node("b", 9), "0.2.0")}) == "b");
  CHECK(home_of_new("a", {older, of(node("b"), "0.2.0")}) == "a");
  CHECK(home_of_new("a", {of(node("a", 1), "0.1.9"), of(node("b"), "0.2.0")})
        == "b");
}

TEST_CASE("which of two versions is of the earlier release") {
  CHECK(is_older("0.1.0", "0.1.1"));
  CHECK(is_older("0.9.0", "0.10.0"));
  CHECK(is_older("0.2.7", "1.0.0"));
  CHECK_FALSE(is_older("0.1.0", "0.1.0"));
  CHECK_FALSE(is_older("0.1.0-rc1", "0.1.0"));
  CHECK_FALSE(is_older("1.0.0", "0.9.9"));
  for (auto none : {"", "1", "1.2", "1.2.", "x.1.2"}) {
    CHECK_FALSE(is_older(none, "9.9.9"));
    CHECK_FALSE(is_older("0.0.1", none));
  }
}

TEST_CASE("a project goes once its sessions rest, or at the deadline") {
  CHECK(packing_of({}, false) == packing::in_turn);
  CHECK(packing_of({idle()}, false) == packing::in_turn);
  CHECK(packing_of({idle(), busy()}, false) == packing::wait);
  CHECK(packing_of({idle(), busy()}, true) == packing::at_once);
  CHECK(packing_of({idle()}, true) == packing::in_turn);
}

// -- the drainer --------------------------------------------------------------

namespace {

struct drain_settings : caf::actor_system_config {
  drain_settings() {
    add_message_types<caf::id_block::greenroom>();
  }
};

// What the stand-ins around a drainer know and have heard.
struct drain_world {
  std::mutex mutex;
  std::vector<node_record> nodes{node("a"), node("b", 1), node("c", 2)};
  std::vector<owner_record> owners{
    {"p", "a", {}, 4}, {"q", "a", {}, 7}, {"theirs", "b", {}, 1}};
  std::map<std::string, placement_rules> rules{
    {"p", {}}, {"q", {}}, {"theirs", {}}};
  std::map<std::string, std::vector<moving_session>> sessions{
    {"p", {idle("s1")}}, {"q", {busy("s2")}}};
  std::map<std::string, std::vector<review_record>> running; // reviews
  node_state state = node_state::ready;
  std::vector<std::string> heard;
  bool store_is_lost = false; // it does what it is asked, and does not say so
  bool packs_for_ever = false;
  // What is asked while it is so is answered afterwards.
  std::condition_variable freed;
  bool packing_is_held = false;
  bool looks_are_held = false;
  std::size_t owners_listed = 0;

  void hear(const std::string& what) {
    heard.push_back(what);
  }
};

using world_ptr = std::shared_ptr<drain_world>;

full_lease_store_actor::behavior_type
stub_store(full_lease_store_actor::pointer, world_ptr w) {
  return {
    [](const keep_lease&) { return kept_lease{}; },
    [](const take_projects&) { return done{}; },
    [](list_nodes) { return node_list{}; },
    [](const find_owner&) { return owner_record{}; },
    [w](list_owners) {
      std::lock_guard lock{w->mutex};
      ++w->owners_listed;
      return owner_list{w->owners, w->rules};
    },
    [w](const declare_state& x) {
      std::lock_guard lock{w->mutex};
      w->state = x.state;
      return done{};
    },
    [w](const give_project& x) -> caf::result<given_project> {
      std::lock_guard lock{w->mutex};
      auto mine = std::ranges::find(w->owners, x.project);
      if (mine == w->owners.end())
        return given_project{false};
      mine->node = x.to;
      ++mine->epoch;
      w->hear("gave " + x.project.project_id + " to " + x.to);
      if (w->store_is_lost)
        return make_error(errc::unavailable, "the connection broke");
      return given_project{true};
    },
    [](const get_project&) { return project_record{}; },
    [](const load_session&) { return session_record{}; },
  };
}

packer_actor::behavior_type stub_packer(packer_actor::pointer self,
                                        world_ptr w) {
  return {
    [w](const look_at_sessions& x) {
      std::unique_lock lock{w->mutex};
      w->freed.wait(lock, [&] { return !w->looks_are_held; });
      return project_sessions{w->sessions[x.project_id]};
    },
    [self, w](const pack_project& x) -> caf::result<project_sessions> {
      std::unique_lock lock{w->mutex};
      w->hear("packed " + x.project_id + (x.at_once ? " at once" : ""));
      w->hear(x.reason);
      if (w->packs_for_ever)
        return self->make_response_promise<project_sessions>();
      w->freed.wait(lock, [&] { return !w->packing_is_held; });
      project_sessions waiting;
      if (!x.at_once)
        for (auto& one : w->sessions[x.project_id])
          if (!one.waits_for.empty())
            waiting.sessions.push_back(one);
      return waiting;
    },
    [w](const unpack_project& x) {
      std::lock_guard lock{w->mutex};
      w->hear("unpacked " + x.project_id);
    },
  };
}

full_member_actor::behavior_type stub_member(full_member_actor::pointer,
                                             world_ptr w) {
  return {
    [w](list_nodes) {
      std::lock_guard lock{w->mutex};
      return node_list{w->nodes};
    },
    [](const find_owner&) { return owner_record{}; },
    [](const watch_nodes&) {},
    [](const link_changed&) {},
    [w](const owners_changed& x) {
      std::lock_guard lock{w->mutex};
      w->hear("told " + x.node);
    },
    [](const drain_node&) { return drain_plan{}; },
    [](const resume_node&) { return drain_plan{}; },
    [](const load_session&) { return session_record{}; },
  };
}

review_reader_actor::behavior_type stub_reviews(review_reader_actor::pointer,
                                                world_ptr w) {
  return {
    [w](const query_reviews& x) -> caf::result<review_page> {
      std::lock_guard lock{w->mutex};
      if (x.query.status != "running")
        return make_error(errc::bad_request, "others are not asked for");
      return review_page{w->running[x.project_id], {}};
    },
  };
}

struct drain_fixture {
  drain_settings config;
  caf::actor_system system{config};
  world_ptr w = std::make_shared<drain_world>();
  std::vector<caf::actor> parts;
  drainer_actor it;

  drain_fixture() {
    drainer_options options{"a", keep(system.spawn(stub_store, w)),
                            keep(system.spawn<caf::detached>(stub_packer, w)),
                            keep(system.spawn(stub_member, w)),
                            keep(system.spawn(stub_reviews, w))};
    it = keep(system.spawn(drainer, std::move(options)));
  }
  ~drain_fixture() {
    hold(false, false);
    for (auto& part : parts)
      caf::anon_send_exit(part, caf::exit_reason::user_shutdown);
  }
  template <class Handle>
  Handle keep(Handle handle) {
    parts.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  template <class Message>
  drain_plan ask(Message what) {
    caf::scoped_actor self{system};
    drain_plan result;
    why = {};
    self->request(it, timeout, what)
      .receive([&](drain_plan& x) { result = std::move(x); },
               [&](const caf::error& e) { why = to_refusal(e); });
    return result;
  }
  bool has_heard(const std::string& what) {
    std::lock_guard lock{w->mutex};
    return std::ranges::find(w->heard, what) != w->heard.end();
  }
  void hold(bool packing, bool looks) {
    std::lock_guard lock{w->mutex};
    w->packing_is_held = packing;
    w->looks_are_held = looks;
    w->freed.notify_all();
  }
  std::size_t owners_listed() {
    std::lock_guard lock{w->mutex};
    return w->owners_listed;
  }
  void await_heard(const std::string& what) {
    await(what.c_str(), [&] { return has_heard(what); });
  }

  refusal why;
};

} // namespace

TEST_CASE_METHOD(drain_fixture, "a dry run says what would go where, and what "
                                "waits") {
  auto plan = ask(drain_node{true, 0});
  CHECK(plan.state == node_state::ready);
  REQUIRE(plan.projects.size() == 2);
  CHECK(plan.projects[0].project_id == "p");
  CHECK(plan.projects[0].to == "b");
  CHECK(plan.projects[0].sessions.at(0).waits_for.empty());
  CHECK(plan.projects[1].sessions.at(0).waits_for == "a command runs");
  CHECK(w->state == node_state::ready);
  CHECK(w->heard.empty());
}

TEST_CASE_METHOD(drain_fixture, "no other node is ready: nothing is drained") {
  w->nodes = {node("a"), node("b", 0, node_state::draining)};
  ask(drain_node{false, 0});
  CHECK(why.code == errc::conflict);
  CHECK(why.message.find("no other node is ready") == 0);
  CHECK(w->state == node_state::ready);
}

TEST_CASE_METHOD(drain_fixture, "what rests goes, what runs is waited for") {
  auto plan = ask(drain_node{false, 0});
  CHECK(plan.state == node_state::draining);
  CHECK(plan.deadline == 0);
  await_heard("gave p to b");
  await_heard("told b");
  CHECK(w->state == node_state::draining);
  CHECK_FALSE(has_heard("packed q"));
  {
    std::lock_guard lock{w->mutex};
    w->sessions["q"] = {idle("s2")};
  }
  await("the other one",
        [&] { return has_heard("gave q to b") || has_heard("gave q to c"); });
  await("nothing left", [&] {
    return ask(drain_node{true, 0}).projects.empty();
  });
}

TEST_CASE_METHOD(drain_fixture, "a project whose rules cannot be read stays: "
                                "nobody knows where it may go") {
  w->rules.erase("p");
  w->sessions["q"] = {idle("s2")};
  auto plan = ask(drain_node{false, 1});
  REQUIRE(plan.projects.size() == 2);
  CHECK(plan.projects[0].to.empty());
  CHECK_THAT(plan.projects[0].sessions.at(1).waits_for,
             Catch::Contains("cannot read its settings"));
  await_heard("gave q to b");
  CHECK_FALSE(has_heard("packed p at once"));
  {
    std::lock_guard lock{w->mutex};
    w->rules["p"] = {};
  }
  await("p to go",
        [&] { return has_heard("gave p to b") || has_heard("gave p to c"); });
}

TEST_CASE_METHOD(drain_fixture, "a project that no other node can take stays, "
                                "and the plan says so") {
  w->rules["p"].labels = {{"gpu", "yes"}};
  auto plan = ask(drain_node{true, 0});
  REQUIRE(plan.projects.size() == 2);
  CHECK(plan.projects[0].to.empty());
  REQUIRE(plan.projects[0].sessions.size() == 2);
  CHECK_THAT(plan.projects[0].sessions[1].waits_for,
             Catch::Contains("no other node can take it"));
}

TEST_CASE_METHOD(drain_fixture, "a review that runs is waited for") {
  review_record review;
  review.id = "r1";
  review.session_id = "over";
  w->running["p"] = {review};
  auto plan = ask(drain_node{true, 0});
  REQUIRE(plan.projects.at(0).sessions.size() == 2);
  CHECK(plan.projects[0].sessions[1].id == "over");
  CHECK(plan.projects[0].sessions[1].waits_for == "review r1 runs");
  w->sessions["q"] = {idle("s2")};
  ask(drain_node{false, 0});
  await("the other project",
        [&] { return has_heard("gave q to b") || has_heard("gave q to c"); });
  CHECK_FALSE(has_heard("packed p"));
  {
    std::lock_guard lock{w->mutex};
    w->running.clear();
  }
  await("the project whose review is over",
        [&] { return has_heard("gave p to b") || has_heard("gave p to c"); });
}

TEST_CASE_METHOD(drain_fixture, "at the deadline what runs is ended") {
  CHECK(ask(drain_node{false, 1, {"k1", "Ada", "", "r1"}}).deadline != 0);
  await_heard("packed q at once");
  await_heard(
    "node a was drained by \"Ada\" (request r1), and the deadline for "
    "that was over");
  await("it",
        [&] { return has_heard("gave q to b") || has_heard("gave q to c"); });
}

TEST_CASE_METHOD(drain_fixture, "a node that is resumed keeps what is left") {
  ask(drain_node{false, 0});
  await_heard("gave p to b");
  CHECK(ask(resume_node{}).state == node_state::ready);
  CHECK(w->state == node_state::ready);
  {
    std::lock_guard lock{w->mutex};
    w->sessions["q"] = {idle("s2")};
  }
  auto plan = ask(drain_node{true, 0});
  CHECK(plan.projects.size() == 1);
  CHECK_FALSE(has_heard("packed q"));
}

TEST_CASE_METHOD(drain_fixture, "a store that does not say whether it gave a "
                                "project away is looked at") {
  w->store_is_lost = true;
  ask(drain_node{false, 0});
  await_heard("gave p to b");
  await_heard("told b"); // once it is seen that it did
  CHECK_FALSE(has_heard("unpacked p"));
}

TEST_CASE_METHOD(drain_fixture, "what was looked up before the store did not "
                                "say so does not settle it") {
  w->store_is_lost = true;
  hold(true, false);
  ask(drain_node{false, 0});
  await_heard("packed p");
  // The next look knows whose the projects are, and waits for their sessions.
  auto listed = owners_listed();
  await("the next look", [&] { return owners_listed() > listed; });
  hold(false, true);
  await_heard("gave p to b");
  // Answered by the store behind that, and heard of behind it.
  ask(resume_node{});
  hold(false, false);
  await_heard("told b");
  CHECK_FALSE(has_heard("unpacked p"));
}

TEST_CASE_METHOD(drain_fixture, "a node that is resumed does not wait for what "
                                "is being made ready to go") {
  w->packs_for_ever = true;
  ask(drain_node{false, 0});
  await_heard("packed p");
  ask(resume_node{});
  await_heard("unpacked p");
}
