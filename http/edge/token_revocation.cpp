#include "http/edge/token_revocation.hpp"

#include "http/edge/loop.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace greenroom::http {

namespace {

git_edge_actor::behavior_type listen(git_edge_actor::pointer,
                                     const std::function<void()>& died) {
  return {[died](const token_dead&) { died(); }};
}

} // namespace

token_revocation::token_revocation(actor_system& system,
                                   const std::shared_ptr<loop>& home) {
  // The actor may outlive the loop for a moment, and us for longer.
  auto died = [life = std::weak_ptr{home}, mine = std::weak_ptr{state_}] {
    if (auto living = life.lock())
      living->post([mine] {
        auto watch = mine.lock();
        if (!watch || std::exchange(watch->dead, true))
          return;
        if (auto on_death = watch->on_death)
          on_death();
      });
  };
  edge_ = system.spawn(listen, std::function<void()>{died});
}

token_revocation::~token_revocation() {
  caf::anon_send_exit(edge_, caf::exit_reason::user_shutdown);
}

} // namespace greenroom::http
