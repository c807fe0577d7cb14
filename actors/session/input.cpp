// What the commands of a session are fed.
#include "actors/session/session.hpp"

#include "actors/runner_link/link.hpp"
#include "messages/errors.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <algorithm>

namespace greenroom {

namespace event = session::event;

namespace {

// The link to the runner does not answer for one that it does not know.
constexpr const char* runner_gone = "the session's runner is gone";

} // namespace

// A runner that lives, but is yet to be found again, is told when it is.
bool session_actor_state::hold(const session::any_effect& what) {
  if (runner_ != runner_state::asked)
    return false;
  held_.push_back(what);
  return true;
}

void session_actor_state::pass_held() {
  for (auto& what : std::exchange(held_, {}))
    perform(what);
}

void session_actor_state::pass_signal(
  const session::effect::pass_signal& what) {
  // Like the kernel: one that is on its way already is not sent twice.
  auto same = [&](const session::any_effect& other) {
    auto* signal = std::get_if<session::effect::pass_signal>(&other);
    return signal != nullptr && signal->exec_id == what.exec_id
           && signal->signal == what.signal;
  };
  if (std::ranges::any_of(held_, same) || hold(what))
    return;
  context_->runners->send(id(), runner::send_signal{what.exec_id, what.signal});
}

void session_actor_state::pass_input(const session::effect::pass_input& what) {
  if (hold(what))
    return;
  if (runner_ == runner_state::absent)
    return on_written({what.who, runner_gone});
  auto* sent = pending_.find<pending::input>(what.who);
  if (sent == nullptr)
    return;
  sent->passed = true;
  context_->runners->write(id(), what.exec_id, what.who,
                           std::exchange(sent->data, {}), what.eof);
}

void session_actor_state::resize(const session::effect::pass_resize& what) {
  if (hold(what))
    return;
  if (runner_ == runner_state::absent)
    return on_written({what.who, runner_gone});
  if (auto* sent = pending_.find<pending::input>(what.who))
    sent->passed = true;
  context_->runners->resize(id(), what.exec_id, what.who, what.rows, what.cols);
}

void session_actor_state::on_written(const input_written& news) {
  auto sent = pending_.take<pending::input>(news.ticket);
  if (!sent)
    return;
  if (!sent->resize)
    feed(event::input_done{sent->exec_id, sent->size});
  if (!news.problem.empty())
    sent->promise.deliver(make_error(errc::conflict, news.problem));
  else
    sent->promise.deliver(done{});
  look_soon();
}

void session_actor_state::on_connected(const port_connected& news) {
  if (!news.problem.empty())
    refuse(news.ticket, {errc::unavailable, news.problem});
  else if (auto asked = pending_.take<pending::connection>(news.ticket))
    asked->promise.deliver(port_connection{news.socket});
}

// What was on its way to a runner that is no more.
void session_actor_state::give_up_input(const std::string& problem) {
  std::vector<session::ticket> lost;
  for (auto& what : std::exchange(held_, {}))
    if (auto* size = std::get_if<session::effect::pass_resize>(&what))
      lost.push_back(size->who);
    else if (auto* input = std::get_if<session::effect::pass_input>(&what))
      lost.push_back(input->who);
  pending_.each<pending::input>([&](auto who, auto& sent) {
    if (sent.passed)
      lost.push_back(who);
  });
  for (auto who : lost)
    on_written({who, problem});
}

} // namespace greenroom
