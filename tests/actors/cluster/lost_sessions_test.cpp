// Sessions that are to end because their node was lost.
#include "actors/cluster/lost_sessions.hpp"
#include "messages/errors.hpp"
#include "messages/type_ids.hpp"
#include "tests/support/eventually.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

struct lost_settings : caf::actor_system_config {
  lost_settings() {
    add_message_types<caf::id_block::greenroom>();
  }
};

/// How often each is asked; the first time it cannot answer.
struct counts {
  std::atomic<int> looks{0};
  std::atomic<int> searches{0};
  std::atomic<int> ends{0};
  std::atomic<bool> ended{false};
  std::atomic<bool> says_why{false};
};

using counts_ptr = std::shared_ptr<counts>;

caf::error not_now() {
  return make_error(errc::unavailable, "not now");
}

caf::behavior reader(caf::event_based_actor*, counts_ptr all) {
  return {[all](const find_lost& x) -> caf::result<lost_list> {
    if (all->looks++ == 0)
      return not_now();
    if (all->ended || x.project_id != "p" || x.node != "b")
      return lost_list{};
    return lost_list{{{"s", "a"}}};
  }};
}

// Whose store is away for as long as the node is there.
caf::behavior reader_without_store(caf::event_based_actor*, counts_ptr all) {
  return {[all](const find_lost&) -> caf::result<lost_list> {
    ++all->looks;
    return not_now();
  }};
}

caf::behavior session(caf::event_based_actor*, counts_ptr all) {
  return {[all](const terminate_session& x) -> caf::result<terminate_reply> {
    if (all->ends++ == 0)
      return not_now();
    all->says_why = x.by.key_name == "on_node_loss: stop, node a was lost";
    all->ended = true;
    return terminate_reply{};
  }};
}

caf::behavior supervisor(caf::event_based_actor*, counts_ptr all,
                         caf::actor child) {
  return {[=](const find_session& x) -> caf::result<session_actor> {
    if (x.session_id != "s" || x.project_id != "p")
      return make_error(errc::not_found, "session not found");
    if (all->searches++ == 0)
      return not_now();
    return caf::actor_cast<session_actor>(child);
  }};
}

} // namespace

TEST_CASE("sessions of a lost node end, whoever cannot answer at first") {
  lost_settings config;
  caf::actor_system system{config};
  auto all = std::make_shared<counts>();
  auto store = system.spawn(reader, all);
  auto child = system.spawn(session, all);
  auto finder = system.spawn(supervisor, all, child);
  end_lost_sessions(system, caf::actor_cast<session_finder_actor>(finder),
                    caf::actor_cast<lost_reader_actor>(store), {"p", "b"});
  await("its end", [&] { return all->ended.load(); });
  CHECK(all->says_why.load());
  CHECK(all->looks == 4);
  CHECK(all->searches == 3);
  CHECK(all->ends == 2);
  for (auto& part : {store, child, finder})
    caf::anon_send_exit(part, caf::exit_reason::user_shutdown);
}

TEST_CASE("who ends the sessions of a lost node goes with their supervisor") {
  lost_settings config;
  caf::actor_system system{config};
  auto all = std::make_shared<counts>();
  auto store = system.spawn(reader_without_store, all);
  auto finder = system.spawn(supervisor, all, caf::actor{});
  end_lost_sessions(system, caf::actor_cast<session_finder_actor>(finder),
                    caf::actor_cast<lost_reader_actor>(store), {"p", "b"});
  await("its first look", [&] { return all->looks.load() > 0; });
  for (auto& part : {store, finder})
    caf::anon_send_exit(part, caf::exit_reason::user_shutdown);
  await("its end", [&] { return system.registry().running() == 0; });
}
