#include "actors/project/rescue_pusher.hpp"

#include "actors/project/project.hpp"
#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

constexpr std::chrono::seconds first_pause{2};
constexpr std::chrono::seconds longest_pause{3600};

} // namespace

void rescue_pusher::wake() {
  // One that has just failed says nothing of when the upstream is back; but it
  // is worth a look soon.
  pause_ = std::chrono::seconds{0};
  if (armed_)
    again_ = true;
  else
    arm();
}

void rescue_pusher::arm() {
  armed_ = true;
  pause_ =
    pause_.count() == 0 ? first_pause : std::min(2 * pause_, longest_pause);
  self_->delayed_send(self_, pause_, rescue_waits{});
}

void rescue_pusher::look() {
  auto& state = self_->state;
  if (!state.context->may_acknowledge()) {
    // Another node may have the project; the pause does not grow for that.
    self_->delayed_send(self_, first_pause, rescue_waits{});
    return;
  }
  again_ = false;
  self_->request(state.context->git, git_timeout, push_rescues{state.rules})
    .then([this](pushed_rescues& result) { pushed(std::move(result)); },
          [this](const caf::error& e) {
            spdlog::warn("project {}: rescue refs are not pushed yet: {}",
                         self_->state.rules.id, to_refusal(e).message);
            arm();
          });
}

void rescue_pusher::pushed(pushed_rescues result) {
  armed_ = false;
  for (auto& session : result.sessions)
    tell(session);
  if (result.left > 0 || again_)
    arm();
  else
    pause_ = std::chrono::seconds{0};
}

// Its record says until then that they are in the mirror only.
void rescue_pusher::tell(const pushed_rescue& what) {
  auto later = [this, id = what.session_id](const caf::error& e) {
    auto why = to_refusal(e);
    if (why.code == errc::not_found)
      return forget(id); // nobody will ever read it
    spdlog::info("session {}: its rescue refs are pushed, which is not stored "
                 "yet: {}",
                 id, why.message);
    if (!armed_)
      arm();
  };
  auto& state = self_->state;
  self_
    ->request(state.supervisor, look_up_timeout,
              find_session{state.rules.id, what.session_id})
    .then(
      [this, later, what](const session_actor& session) {
        self_->request(session, store_timeout, rescue_pushed{what.note})
          .then([this, id = what.session_id](done) { forget(id); }, later);
      },
      later);
}

void rescue_pusher::forget(const std::string& session_id) {
  auto& state = self_->state;
  spdlog::info("session {}: the upstream has its rescue refs", session_id);
  self_
    ->request(state.context->git, git_timeout,
              forget_pushed{state.rules, session_id})
    .then([](done) {},
          [session_id](const caf::error& e) {
            spdlog::warn("session {}: {}", session_id, to_refusal(e).message);
          });
}

} // namespace greenroom
