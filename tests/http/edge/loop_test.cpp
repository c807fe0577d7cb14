// Actors that live on a loop, when it ends before them.
#include "http/edge/bridge.hpp"
#include "messages/type_ids.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>

using namespace greenroom;
using http::loop;

namespace {

struct actors_of_a_loop {
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::shared_ptr<loop> home;

  actors_of_a_loop() {
    config.add_message_types<caf::id_block::greenroom>();
    config.set("scheduler.max-threads", 1u);
    system = std::make_unique<caf::actor_system>(config);
    home = std::make_shared<loop>(*system);
  }

  edge_actor spawn() {
    return http::bridge::spawn(*system, *home, 1, [](const std::string&) {});
  }

  /// The actors have their first turn.
  void run() {
    home->post([this] { home->stop(); });
    home->run();
  }
};

bool is_there(const caf::actor_addr& who) {
  return caf::actor_cast<caf::strong_actor_ptr>(who) != nullptr;
}

} // namespace

TEST_CASE("an actor that waits for its turn is let go of with its loop") {
  actors_of_a_loop all;
  auto handle = all.spawn();
  const auto address = handle.address();
  handle = edge_actor{};
  REQUIRE(is_there(address));
  all.home->drop_all();
  CHECK_FALSE(is_there(address));
}

TEST_CASE("what is posted while a loop's tasks are dropped goes with them") {
  actors_of_a_loop all;
  auto kept = std::make_shared<int>(0);
  const std::weak_ptr<int> posted = kept;
  // Its end posts a task.
  std::shared_ptr<void> held{
    nullptr, [home = all.home.get(), kept = std::move(kept)](void*) mutable {
      home->post([kept = std::move(kept)] {});
    }};
  all.home->post([held = std::move(held)] {});
  CHECK_FALSE(posted.expired());
  all.home->drop_all();
  CHECK(posted.expired());
}

TEST_CASE("an actor can be sent messages when its loop has ended") {
  actors_of_a_loop all;
  auto handle = all.spawn();
  const auto address = handle.address();
  all.run();
  all.home->drop_all();
  all.home.reset();
  caf::anon_send(handle, key_revoked{"k"});
  caf::anon_send(handle, key_revoked{"k"});
  handle = edge_actor{};
  CHECK_FALSE(is_there(address));
}

TEST_CASE("a bridge that is ended ends in its next turn") {
  actors_of_a_loop all;
  auto handle = all.spawn();
  auto heard = false;
  handle->attach_functor([&] { heard = true; });
  all.home->post([&] {
    http::bridge::behind(handle).end();
    all.home->post([&] { all.home->stop(); });
  });
  all.home->run();
  CHECK(heard);
  all.home->drop_all();
}
