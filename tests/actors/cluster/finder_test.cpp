// The directory of a node in a cluster: whose sessions are found, and how.
#include "actors/cluster/finder.hpp"

#include "messages/errors.hpp"
#include "messages/relay.hpp"
#include "tests/actors/cluster/linked_node.hpp"

#include <caf/event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <deque>

namespace greenroom::test {

namespace {

/// Who owns what, as the store would say.
struct owners {
  std::mutex mutex;
  std::map<std::string, std::string> nodes; // by project
  std::uint64_t epoch = 1;                  // of each
  std::vector<node_record> all{ready("a"), ready("b")};

  static node_record ready(const std::string& name) {
    node_record node;
    node.name = name;
    node.lease_left = 1'000;
    node.reachable = true;
    return node;
  }
};

using stub_member_actor =
  cluster_member_actor::extend<caf::replies_to<list_owners>::with<owner_list>>;

stub_member_actor::behavior_type stub_member(stub_member_actor::pointer,
                                             std::shared_ptr<owners> known) {
  return {
    [known](list_nodes) {
      std::lock_guard lock{known->mutex};
      return node_list{known->all};
    },
    [known](const find_owner& x) -> caf::result<owner_record> {
      std::lock_guard lock{known->mutex};
      auto project = x.project_id.empty() ? "p" : x.project_id;
      auto found = known->nodes.find(project);
      if (found == known->nodes.end())
        return make_error(errc::not_found, "project not found");
      return owner_record{project, found->second, "", known->epoch};
    },
    [](const watch_nodes&) {},
    [](const link_changed&) {},
    [known](list_owners) {
      std::lock_guard lock{known->mutex};
      owner_list all;
      for (auto& [project, node] : known->nodes)
        all.owners.push_back({project, node, "", known->epoch});
      return all;
    },
  };
}

/// Node a with a finder, node b with sessions; project p is b's.
class two_nodes {
public:
  two_nodes() {
    b->host("s1");
    known->nodes["p"] = "b";
    known->nodes["mine"] = "a";
    known->nodes["lost"] = "z";
    member = a.system().spawn(stub_member, known);
    project_record p;
    p.id = "p";
    directory = a.system().spawn(
      finder, finder_options{"a", a.directory(), member, a.links_handle(),
                             [p] { return std::vector{p}; }});
    link_all({&a, b.get()});
  }
  ~two_nodes() {
    caf::anon_send_exit(directory, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(member, caf::exit_reason::user_shutdown);
  }

  template <class Reply, class Handle, class Message>
  Reply ask(const Handle& whom, const Message& message) {
    Reply result{};
    why = {};
    self->request(whom, timeout, message)
      .receive([&](Reply& reply) { result = std::move(reply); },
               [&](const caf::error& e) { why = to_refusal(e); });
    return result;
  }

  session_actor find() {
    return ask<session_actor>(directory, find_session{"p", "s1"});
  }

  cluster_certificates certificates{{"a", "b"}};
  linked_node a{certificates, "a"};
  std::unique_ptr<linked_node> b =
    std::make_unique<linked_node>(certificates, "b");
  std::shared_ptr<owners> known = std::make_shared<owners>();
  cluster_member_actor member;
  directory_actor directory;
  caf::scoped_actor self{a.system()};
  refusal why;
};

caf::behavior keeping(caf::event_based_actor*,
                      std::shared_ptr<std::deque<std::string>> kept,
                      std::shared_ptr<std::mutex> mutex) {
  return {[=](const event_batch& batch) {
    std::lock_guard lock{*mutex};
    kept->emplace_back(batch.text.view());
  }};
}

/// A watcher that keeps what it gets.
class stub_watcher {
public:
  explicit stub_watcher(caf::actor_system& system)
    : handle(
      caf::actor_cast<watcher_actor>(system.spawn(keeping, kept_, mutex_))) {}
  ~stub_watcher() {
    end();
  }
  void end() {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  }
  std::deque<std::string> got() {
    std::lock_guard lock{*mutex_};
    return *kept_;
  }

private:
  std::shared_ptr<std::deque<std::string>> kept_ =
    std::make_shared<std::deque<std::string>>();
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();

public:
  const watcher_actor handle;
};

} // namespace

TEST_CASE("a session of another node is found and answers") {
  two_nodes nodes;
  auto session = nodes.find();
  REQUIRE(session);
  CHECK(nodes.ask<session_view>(session, get_session{}).json.view() == "b");
  // Once for all who ask.
  CHECK(nodes.find() == session);
  CHECK(nodes.ask<session_actor>(nodes.directory, find_session{"", "s1"})
        == session);
  nodes.ask<session_actor>(nodes.directory, find_session{"mine", "s1"});
  CHECK(nodes.why.code == errc::not_found);
}

TEST_CASE("projects are asked of their owner, and of the store") {
  two_nodes nodes;
  auto changed =
    nodes.ask<project_record>(nodes.directory, change_project{"p", "12345"});
  CHECK(changed.id == "b");
  CHECK(changed.repo == "5");
  changed =
    nodes.ask<project_record>(nodes.directory, change_project{"mine", "1"});
  CHECK(changed.id == "a");
  CHECK(nodes.ask<project_record>(nodes.directory, get_project{"p"}).id == "p");
  nodes.ask<project_record>(nodes.directory, get_project{"none"});
  CHECK(nodes.why.code == errc::not_found);
  // It is there, and this version does not know what is in it.
  nodes.ask<project_record>(nodes.directory, get_project{"mine"});
  CHECK(nodes.why.code == errc::unavailable);
  CHECK_THAT(nodes.why.message, Catch::Contains("cannot read"));
  CHECK(
    nodes.ask<project_list>(nodes.directory, list_projects{}).projects.size()
    == 1);
  project_record fresh;
  fresh.id = "p";
  nodes.ask<project_record>(nodes.directory, create_project{fresh});
  CHECK(nodes.why.code == errc::project_exists);
  fresh.id = "fresh";
  CHECK(nodes.ask<project_record>(nodes.directory, create_project{fresh}).id
        == "fresh");
}

TEST_CASE("a new project goes where there is most room, and to no node that "
          "drains") {
  two_nodes nodes;
  project_record fresh;
  fresh.id = "fresh";
  auto made_by = [&] {
    return nodes.ask<project_record>(nodes.directory, create_project{fresh})
      .repo;
  };
  CHECK(made_by() == "made by a"); // as much here as there
  auto set = [&](auto change) {
    std::lock_guard lock{nodes.known->mutex};
    change(nodes.known->all);
  };
  set([](auto& all) { all[0].sessions = 1; });
  made_by();
  CHECK(nodes.b->hosted().placed.contains("fresh"));
  set([](auto& all) { all[1].state = node_state::draining; });
  CHECK(made_by() == "made by a");
  set([](auto& all) { all[0].state = node_state::draining; });
  made_by();
  CHECK(nodes.why.code == errc::unavailable);
  CHECK_THAT(nodes.why.message, Catch::Contains("no node takes new projects"));
}

TEST_CASE("a new project's rules of placement go with it, in one message") {
  two_nodes nodes;
  nodes.known->all[0].sessions = 1;
  nodes.known->all[1].labels = {{"disk", "fast"}};
  project_record fresh;
  fresh.id = "fresh";
  fresh.placement = {node_loss::stop, 60'000, {{"disk", "fast"}}};
  auto made = nodes.ask<project_record>(nodes.directory, create_project{fresh});
  CHECK(made.id == "fresh");
  auto& there = nodes.b->hosted();
  std::lock_guard lock{there.mutex};
  CHECK(there.placed["fresh"] == fresh.placement);
  CHECK(there.changes == 0);
}

TEST_CASE("a project that its owner has not taken up yet is on its way") {
  two_nodes nodes;
  nodes.ask<project_actor>(nodes.directory, find_project{"p"});
  CHECK(nodes.why
        == refusal{errc::unavailable, "project \"p\" is on its way to node b, "
                                      "try again in a moment"});
  nodes.ask<project_actor>(nodes.directory, find_project{"mine"});
  CHECK(nodes.why.code == errc::unavailable);
  nodes.known->nodes["free"] = "";
  nodes.ask<project_actor>(nodes.directory, find_project{"free"});
  CHECK(nodes.why.code == errc::unavailable);
  CHECK_THAT(nodes.why.message,
             Catch::StartsWith("project \"free\" is no node's yet"));
  nodes.ask<project_actor>(nodes.directory, find_project{"none"});
  CHECK(nodes.why.code == errc::not_found);
}

TEST_CASE("what lies on a node's disk is measured and removed by that node") {
  two_nodes nodes;
  auto disks = caf::actor_cast<left_work_actor>(nodes.directory);
  auto measure = [&](const std::string& node) {
    return nodes.ask<kept_files_list>(disks, measure_left_work{node, {"s9"}})
      .sessions.size();
  };
  auto drop = [&](const std::string& node) {
    nodes.ask<done>(disks, drop_left_work{node, "s9", {.key_id = "k1"}});
  };
  // Of the node itself, too, whose project it need not be.
  for (const auto* node : {"a", "b"}) {
    INFO(node);
    CHECK(measure(node) == 1);
    drop(node);
    CHECK(nodes.why.message.empty());
  }
  const std::vector<std::string> expected{"s9 by k1"};
  for (auto* hosted : {&nodes.a.hosted(), &nodes.b->hosted()}) {
    std::lock_guard lock{hosted->mutex};
    CHECK(hosted->dropped == expected);
  }
  drop("z");
  CHECK(nodes.why.code == errc::unavailable);
  CHECK_THAT(nodes.why.message, Catch::Contains("node z cannot be reached"));
}

TEST_CASE("an owner that is not reachable is named") {
  two_nodes nodes;
  nodes.ask<session_actor>(nodes.directory, find_session{"lost", "s9"});
  CHECK(nodes.why.code == errc::unavailable);
  CHECK_THAT(nodes.why.message, Catch::Contains("node z cannot be reached"));
  nodes.ask<session_actor>(nodes.directory, find_session{"p", "s9"});
  CHECK(nodes.why == refusal{errc::not_found, "there is none"});
}

TEST_CASE("a session whose node is lost is down at once, and found where it "
          "is next") {
  two_nodes nodes;
  auto session = nodes.find();
  nodes.self->monitor(session);
  nodes.b.reset();
  bool down = false;
  nodes.self->receive(
    [&](const caf::down_msg& message) {
      down = message.source == session.address();
    },
    caf::after(timeout) >> [] {});
  CHECK(down);
  // Whoever still has the handle is not left waiting.
  nodes.ask<session_view>(session, get_session{});
  CHECK(nodes.why.code == errc::unavailable);
  await("the node to be named", [&] {
    nodes.find();
    return nodes.why.code == errc::unavailable
           && nodes.why.message.starts_with("node b cannot be reached");
  });
  nodes.a.host("s1");
  {
    std::lock_guard lock{nodes.known->mutex};
    nodes.known->nodes["p"] = "a";
  }
  CHECK(nodes.ask<session_view>(nodes.find(), get_session{}).json.view()
        == "a");
}

TEST_CASE("a session is looked for anew once its project is another node's, "
          "though the one before is still there") {
  two_nodes nodes;
  auto session = nodes.find();
  nodes.self->monitor(session);
  caf::anon_send(caf::actor_cast<finder_actor>(nodes.directory), clock_tick{});
  CHECK(nodes.find() == session);
  nodes.a.host("s1");
  {
    std::lock_guard lock{nodes.known->mutex};
    nodes.known->nodes["p"] = "a";
    nodes.known->epoch = 2;
  }
  bool down = false;
  nodes.self->receive(
    [&](const caf::down_msg& message) {
      down = message.source == session.address();
    },
    caf::after(timeout) >> [] {});
  CHECK(down); // whoever keeps it asks again
  CHECK(nodes.ask<session_view>(nodes.find(), get_session{}).json.view()
        == "a");
}

TEST_CASE("a session that crashed there has another actor at the next look") {
  two_nodes nodes;
  auto session = nodes.find();
  nodes.self->monitor(session);
  nodes.self->send(session, crash_session{});
  nodes.self->receive([](const caf::down_msg&) {},
                      caf::after(timeout) >> [] { CHECK(false); });
  nodes.b->host("s1");
  await("the next actor", [&] {
    auto next = nodes.find();
    return next && next != session
           && nodes.ask<session_view>(next, get_session{}).json.view() == "b";
  });
}

TEST_CASE("the watcher of a node says what it has taken") {
  two_nodes nodes;
  auto session = nodes.find();
  stub_watcher watcher{nodes.a.system()};
  nodes.ask<watch_reply>(session, watch_session{watcher.handle, 0, true});
  auto& there = nodes.b->hosted();
  auto taken = [&] {
    std::lock_guard lock{there.mutex};
    return there.taken;
  };
  await("a first word", [&] { return taken().size() == 1; });
  there.padding = relay_step / 2;
  for (int i = 1; i <= 5; ++i)
    nodes.self->send(session, clock_tick{i});
  await("all events", [&] { return watcher.got().size() == 5; });
  await("what was taken", [&] {
    return taken() == std::vector<std::uint64_t>{0, 2, 4};
  });
}

TEST_CASE("all watchers of a node share one at the session") {
  two_nodes nodes;
  auto session = nodes.find();
  stub_watcher first{nodes.a.system()};
  stub_watcher second{nodes.a.system()};
  for (auto* watcher : {&first, &second})
    CHECK(
      nodes.ask<watch_reply>(session, watch_session{watcher->handle, 0, true})
        .state
      == watch_state::hot);
  CHECK(nodes.b->watchers() == 1);
  for (int i = 1; i <= 100; ++i)
    nodes.self->send(session, clock_tick{i});
  for (auto* watcher : {&first, &second}) {
    await("all events", [&] { return watcher->got().size() == 100; });
    CHECK(watcher->got().front() == "1");
    CHECK(watcher->got().back() == "100");
  }
  first.end();
  nodes.self->send(session, unwatch_session{second.handle});
  await("nobody to watch", [&] { return nodes.b->watchers() == 0; });
}

} // namespace greenroom::test
