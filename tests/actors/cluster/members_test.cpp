// Cluster members as actors, on a real store with several nodes in it.
#include "actors/cluster/lease_store.hpp"
#include "actors/cluster/member.hpp"
#include "messages/errors.hpp"
#include "messages/type_ids.hpp"
#include "runtime/store/migrations.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/sql.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

using namespace greenroom;
using namespace greenroom::test;

namespace {

constexpr millis lease_time = 5'000; // which a busy machine keeps

struct member_settings : caf::actor_system_config {
  member_settings() {
    add_message_types<caf::id_block::greenroom>();
  }
};

struct members_fixture {
  postgres_database database;
  member_settings config;
  caf::actor_system system{config};

  members_fixture() {
    auto db = open();
    store::migrate(*db);
    for (auto id : {"p", "q", "r"}) {
      project_record project;
      project.id = id;
      project.repo = "/srv/x.git";
      store::put_project(*db, project);
    }
  }

  std::unique_ptr<store::connection> open() const {
    return std::make_unique<store::connection>(database.url(), "/",
                                               sync_mode::normal);
  }
};

// Sessions that are always ready to go.
packer_actor::behavior_type ready_packer(packer_actor::pointer,
                                         const project_sessions& waiting) {
  return {
    [](const look_at_sessions&) { return project_sessions{}; },
    [waiting](const pack_project&) { return waiting; },
    [](const unpack_project&) {},
  };
}

// What is wrong with a node's connection.
struct faults {
  std::atomic<int> cuts{0}; // right when a project is asked for, so many times
  std::atomic<bool> away{false}; // no renewal gets through
};

full_lease_store_actor::behavior_type
cut_store(full_lease_store_actor::pointer self, full_lease_store_actor whole,
          std::shared_ptr<faults> all) {
  return {
    [=](const keep_lease& x) -> caf::result<kept_lease> {
      if (all->away)
        return make_error(errc::unavailable, "the store is away");
      return self->delegate(whole, x);
    },
    [=](const take_projects& x) { return self->delegate(whole, x); },
    [=](list_nodes x) { return self->delegate(whole, x); },
    [=](const find_owner& x) { return self->delegate(whole, x); },
    [=](const get_project& x) -> caf::result<project_record> {
      if (all->cuts > 0) {
        --all->cuts;
        return make_error(errc::unavailable, "the store is away");
      }
      return self->delegate(whole, x);
    },
    [=](list_owners x) { return self->delegate(whole, x); },
    [=](const declare_state& x) { return self->delegate(whole, x); },
    [=](const give_project& x) { return self->delegate(whole, x); },
    [=](const load_session& x) { return self->delegate(whole, x); },
  };
}

// A connection for what clients ask, which says little of it.
full_lease_store_actor::behavior_type
silent_store(full_lease_store_actor::pointer self, int) {
  return {
    [](const keep_lease&) { return kept_lease{}; },
    [](const take_projects&) { return done{}; },
    [self](list_nodes) -> caf::result<node_list> {
      return self->make_response_promise<node_list>();
    },
    [](const find_owner&) {
      return owner_record{"p", "asked", {}, 1};
    },
    [](const get_project&) { return project_record{}; },
    [](list_owners) { return owner_list{}; },
    [](const declare_state&) { return done{}; },
    [](const give_project&) { return given_project{}; },
    [](const load_session&) { return session_record{}; },
  };
}

// The directory of a node, which may be busy with what it lets go.
struct releases {
  std::mutex mutex;
  std::condition_variable changed;
  bool held = false;
  std::function<void(const std::string&)> done_with;
};

releaser_actor::behavior_type slow_directory(releaser_actor::pointer,
                                             std::shared_ptr<releases> all) {
  return {[all](const release_project& x) {
    std::unique_lock lock{all->mutex};
    all->changed.wait(lock, [&] { return !all->held; });
    if (all->done_with)
      all->done_with(x.project_id);
    return done{};
  }};
}

// One node: what its member told it to do.
class member_node {
public:
  member_node(members_fixture& in, const std::string& name,
              string_map labels = {}, full_lease_store_actor look_ups = {})
    : in_(in) {
    store::joining self;
    self.node.name = name;
    self.node.incarnation = name + "-1";
    self.node.labels = std::move(labels);
    self.home = name;
    self.lease = lease_time;
    member_options options;
    options.node = name;
    options.incarnation = self.node.incarnation;
    options.lease = lease_time;
    options.gate = gate;
    options.arrival = arrival;
    packer_ = in.system.spawn(ready_packer, project_sessions{});
    options.packer = packer_;
    options.store = in.system.spawn<caf::detached>(
      lease_store,
      std::make_shared<std::unique_ptr<store::connection>>(in.open()), self,
      home_.path());
    options.adopt = [this](project_record project) {
      std::lock_guard guard{mutex_};
      owned_.insert(project.id);
    };
    letting_go->done_with = [this](const std::string& id) {
      std::lock_guard guard{mutex_};
      owned_.erase(id);
    };
    releaser_ = in.system.spawn<caf::detached>(slow_directory, letting_go);
    options.releaser = releaser_;
    options.stop_runners = [this] { ++stopped; };
    options.end_lost_sessions = [this](const std::string& id) {
      std::lock_guard guard{mutex_};
      ended_.insert(id);
    };
    store_ = options.store;
    options.look_ups = look_ups ? std::move(look_ups) : store_;
    cut_ = in.system.spawn(cut_store, store_, cuts);
    options.store = cut_;
    member = in.system.spawn(cluster_member, std::move(options));
  }
  member_node(const member_node&) = delete;
  member_node& operator=(const member_node&) = delete;
  ~member_node() {
    die();
  }

  void die() {
    hold_releases(false);
    caf::scoped_actor self{in_.system};
    for (auto& part : {caf::actor_cast<caf::actor>(member),
                       caf::actor_cast<caf::actor>(packer_),
                       caf::actor_cast<caf::actor>(releaser_),
                       caf::actor_cast<caf::actor>(cut_),
                       caf::actor_cast<caf::actor>(store_)}) {
      self->send_exit(part, caf::exit_reason::kill);
      self->wait_for(part);
    }
  }

  std::set<std::string> owned() const {
    std::lock_guard guard{mutex_};
    return owned_;
  }

  // What runners read by themselves.
  bool commands_are_over() const {
    auto file = (home_.path() / runner::run_lease_file).string();
    return runner::run_lease_reader{file}.read().stop_at <= steady_ms();
  }

  // Projects of which it was to end what is lost.
  std::set<std::string> ended() const {
    std::lock_guard guard{mutex_};
    return ended_;
  }

  // What it has to let go is not let go meanwhile.
  void hold_releases(bool held) {
    std::lock_guard guard{letting_go->mutex};
    letting_go->held = held;
    letting_go->changed.notify_all();
  }

  std::shared_ptr<faults> cuts = std::make_shared<faults>();
  std::shared_ptr<releases> letting_go = std::make_shared<releases>();
  std::shared_ptr<lease_gate> gate = std::make_shared<lease_gate>();
  std::shared_ptr<cluster::arrival> arrival =
    std::make_shared<cluster::arrival>();
  std::atomic<int> stopped{0};
  cluster_member_core member;

private:
  members_fixture& in_;
  temp_dir home_;
  full_lease_store_actor store_;
  full_lease_store_actor cut_;
  releaser_actor releaser_;
  packer_actor packer_;
  mutable std::mutex mutex_;
  std::set<std::string> owned_;
  std::set<std::string> ended_;
};

template <class Reply, class Message>
Reply ask(members_fixture& in, const cluster_member_core& whom, Message what) {
  caf::scoped_actor self{in.system};
  Reply result;
  self->request(whom, timeout, std::move(what))
    .receive([&](Reply& x) { result = std::move(x); },
             [&](const caf::error& e) {
               throw std::runtime_error(to_refusal(e).message);
             });
  return result;
}

using names = std::set<std::string>;

} // namespace

TEST_CASE_METHOD(members_fixture, "nodes share what there is, and what one "
                                  "leaves behind") {
  member_node a{*this, "a"};
  await("a's lease", [&] { return a.gate->is_open(); });
  await("all projects", [&] { return a.owned() == names{"p", "q", "r"}; });
  CHECK(ask<owner_record>(*this, a.member, find_owner{"p", {}})
        == owner_record{"p", "a", "a-1", 1});

  member_node b{*this, "b"};
  await("b's lease", [&] { return b.gate->is_open(); });
  CHECK(ask<node_list>(*this, b.member, list_nodes{}).nodes.size() == 2);
  CHECK(b.owned().empty()); // nothing moves without need

  a.die();
  await("b has all", [&] { return b.owned() == names{"p", "q", "r"}; });
  CHECK_FALSE(a.gate->is_open());
  CHECK(ask<owner_record>(*this, b.member, find_owner{"p", {}})
        == owner_record{"p", "b", "b-1", 2});
  auto nodes = ask<node_list>(*this, b.member, list_nodes{}).nodes;
  CHECK(nodes[0].state == node_state::down);
  CHECK(nodes[1].state == node_state::ready);
}

TEST_CASE_METHOD(members_fixture, "a node has come when it has its projects "
                                  "and reaches the others") {
  member_node a{*this, "a"};
  await("a, which is alone", [&] { return a.arrival->is_over(); });
  CHECK(a.owned() == names{"p", "q", "r"});

  member_node b{*this, "b"};
  const std::vector<std::string> unlinked{
    "the node has come just now, and is not linked yet with: a"};
  await("b to know of a", [&] { return b.arrival->missing() == unlinked; });
  CHECK(b.gate->is_open());
  caf::anon_send(b.member, link_changed{"a", "a-1", true});
  await("b", [&] { return b.arrival->is_over(); });
  CHECK(b.arrival->missing().empty());
  caf::anon_send(b.member, link_changed{"a", "a-1", false});
  ask<owner_record>(*this, b.member, find_owner{"p", {}});
  CHECK(b.arrival->missing().empty());

  // A node that is not reached keeps it for a lease at most.
  member_node c{*this, "c"};
  await("c to miss both", [&] {
    return !c.arrival->is_over() && c.arrival->missing().size() == 1
           && c.arrival->missing().front().ends_with(": a, b");
  });
  await("c", [&] { return c.arrival->is_over(); });
}

TEST_CASE_METHOD(members_fixture, "what nobody owns is taken by a node that "
                                  "has its labels") {
  auto db = open();
  project_record project;
  project.id = "q";
  project.repo = "/srv/x.git";
  project.placement.labels = {{"gpu", "yes"}};
  store::put_project(*db, project);
  member_node a{*this, "a"};
  await("what a may have", [&] { return a.owned() == names{"p", "r"}; });
  member_node b{*this, "b", {{"gpu", "yes"}}};
  await("what only b may have", [&] { return b.owned() == names{"q"}; });
  CHECK(a.owned() == names{"p", "r"});
}

TEST_CASE_METHOD(members_fixture, "what a node cannot read it does not take, "
                                  "for nobody knows who waits for it") {
  auto db = open();
  auto set = [&](const std::string& from, const std::string& to) {
    store::in_transaction(*db, [&](soci::session& sql) {
      sql << "UPDATE projects SET json = replace(json, '" + from + "', '" + to
               + "') WHERE id = 'q'";
    });
  };
  set("\"repo\":", "\"unheard_of\":");
  member_node a{*this, "a"};
  await("what a can read", [&] { return a.owned() == names{"p", "r"}; });
  CHECK(ask<owner_record>(*this, a.member, find_owner{"q", {}}).node.empty());
  set("\"unheard_of\":", "\"repo\":");
  await("all projects", [&] { return a.owned() == names{"p", "q", "r"}; });
}

TEST_CASE_METHOD(members_fixture, "what is to end with its node is looked for, "
                                  "though the store is away when it is taken "
                                  "up") {
  member_node a{*this, "a"};
  await("all projects", [&] { return a.owned().size() == 3; });
  member_node b{*this, "b"};
  await("b's lease", [&] { return b.gate->is_open(); });
  CHECK(b.ended().empty());
  b.cuts->cuts = 4; // each once, and one of them twice
  a.die();
  await("b has all", [&] { return b.owned().size() == 3; });
  await("a look at all", [&] { return b.ended() == names{"p", "q", "r"}; });
  CHECK(b.cuts->cuts == 0);
}

TEST_CASE_METHOD(members_fixture, "a node says nothing before it has let go of "
                                  "what it lost meanwhile") {
  member_node a{*this, "a"};
  await("all projects", [&] { return a.owned().size() == 3; });
  member_node b{*this, "b"};
  await("b's lease", [&] { return b.gate->is_open(); });
  a.hold_releases(true);
  a.cuts->away = true;
  await("b has all", [&] { return b.owned() == names{"p", "q", "r"}; });
  CHECK_FALSE(a.gate->is_open());
  a.cuts->away = false;
  await("a to be back", [&] {
    auto nodes = ask<node_list>(*this, b.member, list_nodes{}).nodes;
    return nodes[0].state == node_state::ready
           && ask<owner_list>(*this, a.member, list_owners{}).owners[0].node
                == "b";
  });
  CHECK_FALSE(a.gate->is_open());
  a.hold_releases(false);
  await("a's lease", [&] { return a.gate->is_open(); });
  CHECK(a.owned().empty());
}

TEST_CASE_METHOD(members_fixture, "no renewal waits behind what clients ask") {
  auto silent = system.spawn(silent_store, 0);
  member_node a{*this, "a", {}, silent};
  await("a's lease", [&] { return a.gate->is_open(); });
  CHECK(ask<owner_record>(*this, a.member, find_owner{"p", {}}).node
        == "asked");
  await("all projects", [&] { return a.owned().size() == 3; });
  caf::anon_send_exit(silent, caf::exit_reason::user_shutdown);
}

TEST_CASE_METHOD(members_fixture, "a node without its store falls silent, and "
                                  "comes back with what is still its own") {
  member_node a{*this, "a"};
  await("all projects", [&] { return a.owned().size() == 3; });
  struct standstill {
    standstill() {
      postgres_server::shared().pause();
    }
    ~standstill() {
      postgres_server::shared().resume();
    }
  };
  std::optional<standstill> away{std::in_place};
  await("silence", [&] { return !a.gate->is_open(); });
  await("the end of what runs", [&] { return a.stopped >= 1; });
  CHECK(a.commands_are_over()); // whatever runners heard
  CHECK(a.owned().size() == 3); // nobody says otherwise
  away.reset();
  await("its lease again", [&] { return a.gate->is_open(); });
  CHECK_FALSE(a.commands_are_over());
  CHECK(a.owned().size() == 3);
  CHECK(ask<owner_record>(*this, a.member, find_owner{"p", {}}).epoch == 1);
}

TEST_CASE_METHOD(members_fixture,
                 "a node that is drained gives away what it "
                 "has, and takes nothing until it is resumed") {
  member_node a{*this, "a"};
  await("all projects", [&] { return a.owned().size() == 3; });
  caf::scoped_actor self{system};
  refusal why;
  self->request(a.member, timeout, drain_node{})
    .receive([](const drain_plan&) {},
             [&](const caf::error& e) { why = to_refusal(e); });
  CHECK(why.code == errc::conflict);

  member_node b{*this, "b"};
  await("b's lease", [&] { return b.gate->is_open(); });
  caf::anon_send(a.member, link_changed{"b", "b-1", true});
  caf::anon_send(b.member, link_changed{"a", "a-1", true});
  CHECK(ask<drain_plan>(*this, a.member, drain_node{true, 0}).projects.size()
        == 3);
  CHECK(ask<drain_plan>(*this, a.member, drain_node{}).state
        == node_state::draining);
  await("b has all", [&] { return b.owned().size() == 3; });
  await("a has none", [&] { return a.owned().empty(); });
  CHECK(a.gate->is_open());
  CHECK(ask<node_list>(*this, b.member, list_nodes{}).nodes[0].state
        == node_state::draining);
  // What is nobody's is not for it either.
  self->request(b.member, timeout, drain_node{})
    .receive([](const drain_plan&) {},
             [&](const caf::error& e) { why = to_refusal(e); });
  CHECK(why.message.find("no other node is ready") == 0);

  ask<drain_plan>(*this, a.member, resume_node{});
  CHECK(ask<node_list>(*this, b.member, list_nodes{}).nodes[0].state
        == node_state::ready);
  CHECK(a.owned().empty());
}
