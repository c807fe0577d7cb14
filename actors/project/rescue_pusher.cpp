#include "actors/project/rescue_pusher.hpp"

#include "actors/project/project.hpp"
#include "actors/project/rescue_pause.hpp"
#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <functional>
#include <string>
#include <utility>

namespace greenroom {

namespace {

/// That the upstream answers to something else cuts no pause below this.
constexpr std::chrono::seconds after_failure{30};

/// From 0 to 1, another one for each project and each time.
double chance_of(const std::string& project_id, unsigned failures) {
  constexpr std::size_t parts = 1000;
  const auto mixed = std::hash<std::string>{}(project_id) + failures * 617;
  return static_cast<double>(mixed % parts) / parts;
}

} // namespace

void rescue_pusher::wake() {
  // One that has just failed says nothing of when the upstream is back; but it
  // is worth a look soon.
  failures_ = 0;
  if (looking_)
    again_ = true;
  else if (!armed_ || due_ <= clock::now()
           || due_ > clock::now() + rescue_pause(0, 0))
    arm();
}

void rescue_pusher::upstream_answers() {
  // One that answers may refuse pushes all the same.
  if (failures_ > 0 && clock::now() >= failed_at_ + after_failure)
    wake();
}

void rescue_pusher::arm() {
  armed_ = true;
  pause_ = rescue_pause(failures_, chance_of(self_->state.rules.id, failures_));
  due_ = clock::now() + pause_;
  self_->delayed_send(self_, pause_, rescue_waits{});
}

void rescue_pusher::look() {
  // A pause that was cut short ends all the same, later.
  if (!armed_ || looking_ || clock::now() < due_)
    return;
  auto& state = self_->state;
  if (!state.context->may_acknowledge()) {
    // Another node may have the project; the pause does not grow for that.
    arm();
    return;
  }
  again_ = false;
  looking_ = true;
  self_->request(state.context->git, git_timeout, push_rescues{state.rules})
    .then([this](pushed_rescues& result) { pushed(std::move(result)); },
          [this](const caf::error& e) {
            looking_ = false;
            failed(to_refusal(e).message);
          });
}

void rescue_pusher::failed(const std::string& why) {
  ++failures_;
  failed_at_ = clock::now();
  arm();
  spdlog::warn("project {}: rescue refs are not pushed yet, the next try is in "
               "{} s: {}",
               self_->state.rules.id,
               std::chrono::ceil<std::chrono::seconds>(pause_).count(), why);
}

void rescue_pusher::pushed(pushed_rescues result) {
  armed_ = looking_ = false;
  for (auto& session : result.sessions)
    tell(session);
  if (result.left > 0 && !again_)
    return failed("those of " + std::to_string(result.left)
                  + " sessions are left");
  failures_ = 0;
  if (again_)
    arm();
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
