// Sessions that are to end because their node was lost.
#include "actors/cluster/lost_sessions.hpp"
#include "messages/errors.hpp"
#include "messages/time.hpp"
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
};

using counts_ptr = std::shared_ptr<counts>;

caf::error not_now() {
  return make_error(errc::unavailable, "not now");
}

session_rows two_rows() {
  session_rows result;
  // Made on the lost node, whose clock was ahead, and here since.
  for (std::uint64_t epoch : {2, 1}) {
    session_record row;
    row.id = "s" + std::to_string(result.sessions.size());
    row.project_id = "p";
    row.created_at = now_ms() + (epoch == 2 ? 60'000 : 0);
    row.epoch = epoch;
    result.sessions.push_back(row);
  }
  return result;
}

caf::behavior reader(caf::event_based_actor*, counts_ptr all) {
  return {[all, rows = two_rows()](
            const live_sessions&) -> caf::result<session_rows> {
    if (all->looks++ == 0)
      return not_now();
    return all->ended ? session_rows{} : rows;
  }};
}

// Whose store is away for as long as the node is there.
caf::behavior reader_without_store(caf::event_based_actor*, counts_ptr all) {
  return {[all](const live_sessions&) -> caf::result<session_rows> {
    ++all->looks;
    return not_now();
  }};
}

caf::behavior session(caf::event_based_actor*, counts_ptr all) {
  return {[all](const terminate_session&) -> caf::result<terminate_reply> {
    if (all->ends++ == 0)
      return not_now();
    all->ended = true;
    return terminate_reply{};
  }};
}

caf::behavior supervisor(caf::event_based_actor*, counts_ptr all,
                         caf::actor child) {
  return {[=](const find_session& x) -> caf::result<session_actor> {
    // The other has begun since.
    if (x.session_id != "s0")
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
                    caf::actor_cast<store_reader_actor>(store), "p", "a");
  await("its end", [&] { return all->ended.load(); });
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
                    caf::actor_cast<store_reader_actor>(store), "p", "a");
  await("its first look", [&] { return all->looks.load() > 0; });
  for (auto& part : {store, finder})
    caf::anon_send_exit(part, caf::exit_reason::user_shutdown);
  await("its end", [&] { return system.registry().running() == 0; });
}
