// How a session goes to another node: it takes no more work, and once it has
// come to rest its work is saved where that node finds it. From then on nothing
// happens in it until its supervisor ends it, or says that it stays.
#include "actors/session/session.hpp"

#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace greenroom {

namespace event = session::event;

session_rest session_actor_state::rest() const {
  session_rest result;
  result.is_live = is_live(record().status);
  result.running_execs = machine_.running;
  result.waits_for = session::what_goes_on(machine_);
  if (result.waits_for.empty()
      && (appends_done_ < appends_asked_ || stuck_ || notes_ > 0))
    result.waits_for = "its last events are being written";
  return result;
}

void session_actor_state::save_work(
  std::function<void(std::string problem)> then) {
  // Nothing was done here: what it has is its last checkpoint.
  if (machine_.installing)
    return then({});
  self_
    ->request(context_->git, git_timeout,
              greenroom::save_checkpoint{project_, record()})
    .then([then](done) { then({}); },
          [then](const caf::error& e) {
            then("its work cannot be saved: " + to_refusal(e).message);
          });
}

// First while work goes on: what is left to save is little then, and nobody is
// refused for as long as the upstream does not answer.
caf::result<session_rest> session_actor_state::take(const pack_session& x) {
  auto now = rest();
  if (!now.is_live || (!now.waits_for.empty() && !x.at_once))
    return now;
  auto promise = self_->make_response_promise<session_rest>();
  auto asker = std::make_shared<packer>(promise);
  savers_.push_back(asker);
  // Not held by this: what an actor has asked for may outlive it.
  save_work([this, x,
             there = std::weak_ptr{asker}](const std::string& problem) {
    auto one = there.lock();
    if (!one)
      return; // it has heard that the session stays
    std::erase(savers_, one);
    auto how = rest();
    if (!problem.empty())
      how.waits_for = problem;
    else if (how.is_live && (how.waits_for.empty() || x.at_once)) {
      packers_.push_back(one);
      feed(event::leave_asked{x.at_once ? x.reason : std::string{}, now_ms()});
      return;
    }
    one->answer(how);
  });
  return promise;
}

void session_actor_state::unpack() {
  ++pack_turn_;
  const session_rest stays{true, machine_.running, "it stays"};
  for (auto& one : std::exchange(savers_, {}))
    one->answer(stays);
  packed(stays);
  feed(event::stay_asked{});
}

// With each step that it takes towards its rest.
void session_actor_state::pack_on() {
  if (packers_.empty() || packing_)
    return;
  auto now = rest();
  if (!now.is_live)
    return packed(now);
  if (!now.waits_for.empty())
    return;
  packing_ = true;
  save_work([this, turn = pack_turn_](const std::string& problem) {
    packing_ = false;
    if (turn != pack_turn_)
      return pack_on(); // work may have come meanwhile
    auto how = rest();
    if (!problem.empty())
      how.waits_for = problem;
    packed(how);
  });
}

void session_actor_state::packed(const session_rest& how) {
  for (auto& one : std::exchange(packers_, {}))
    one->answer(how);
}

session_actor_state::packer::~packer() {
  if (!answered_)
    promise_.deliver(
      make_error(errc::unavailable, "the session is restarting, try again"));
}

void session_actor_state::packer::answer(const session_rest& how) {
  answered_ = true;
  promise_.deliver(how);
}

} // namespace greenroom
