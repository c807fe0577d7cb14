// Who watches a session of another node.
#include "actors/cluster/remote_session.hpp"
#include "messages/errors.hpp"
#include "messages/relay.hpp"
#include "messages/type_ids.hpp"
#include "tests/support/eventually.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

struct settings : caf::actor_system_config {
  settings() {
    add_message_types<caf::id_block::greenroom>();
  }
};

// What the session there does.
struct far_side {
  std::mutex mutex;
  std::condition_variable freed;
  bool is_held = false; // it answers nobody meanwhile
  bool is_watched = false;
  int unwatched = 0;

  void hold(bool held) {
    std::lock_guard lock{mutex};
    is_held = held;
    freed.notify_all();
  }
  bool watched() {
    std::lock_guard lock{mutex};
    return is_watched;
  }
};

caf::behavior far_session(caf::event_based_actor*,
                          std::shared_ptr<far_side> it) {
  return {
    [it](const watch_session&) {
      std::unique_lock lock{it->mutex};
      it->freed.wait(lock, [&] { return !it->is_held; });
      it->is_watched = true;
      return watch_reply{watch_state::hot, {}};
    },
    [it](const unwatch_session&) {
      std::lock_guard lock{it->mutex};
      it->is_watched = false;
      ++it->unwatched;
    },
    [](const taken_events&) {},
  };
}

watcher_actor::behavior_type silent_watcher(watcher_actor::pointer, int) {
  return {[](const event_batch&) {}};
}

} // namespace

TEST_CASE("who begins to watch just as the last one leaves is told what "
          "happens") {
  settings config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto it = std::make_shared<far_side>();
  auto there = system.spawn<caf::detached>(far_session, it);
  auto here =
    system.spawn(remote_session, caf::actor_cast<session_actor>(there));
  auto first = system.spawn(silent_watcher, 0);
  auto second = system.spawn(silent_watcher, 0);
  auto fail = [](const caf::error& e) { FAIL(to_refusal(e).message); };
  auto hear = [](const watch_reply& x) { CHECK(x.state == watch_state::hot); };
  self->request(here, timeout, watch_session{first, 0, true})
    .receive(hear, fail);
  it->hold(true);
  auto watching = self->request(here, timeout, watch_session{second, 0, true});
  self->send(here, unwatch_session{first});
  // Every actor answers this, behind what it has been sent before.
  self
    ->request(here, timeout, caf::sys_atom_v, caf::get_atom_v,
              std::string{"info"})
    .receive([](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&,
                const std::string&) {},
             fail);
  it->hold(false);
  watching.receive(hear, fail);
  // Behind all that was sent there meanwhile.
  self->request(here, timeout, watch_session{second, 0, true})
    .receive(hear, fail);
  CHECK(it->watched());
  CHECK(it->unwatched == 0);
  self->send(here, unwatch_session{second});
  await("nobody to watch", [&] { return !it->watched(); });
  for (auto& part : {here, there, caf::actor_cast<caf::actor>(first),
                     caf::actor_cast<caf::actor>(second)})
    caf::anon_send_exit(part, caf::exit_reason::user_shutdown);
}
