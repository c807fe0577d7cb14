// What the commands of a session are fed, and who connects to their ports.
#include "actors/session/session.hpp"

#include "actors/runner_link/runners.hpp"
#include "messages/errors.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <utility>

namespace greenroom {

namespace event = session::event;

void session_actor_state::pass_signal(
  const session::effect::pass_signal& what) {
  context_->runners->send(id(), runner::send_signal{what.exec_id, what.signal});
}

void session_actor_state::pass_input(const session::effect::pass_input& what) {
  if (auto* sent = pending_.find<pending::input>(what.who))
    context_->runners->write(id(), what.exec_id, what.who,
                             std::exchange(sent->data, {}), what.eof);
}

void session_actor_state::pass_resize(
  const session::effect::pass_resize& what) {
  context_->runners->resize(id(), what.exec_id, what.who, what.rows, what.cols);
}

void session_actor_state::on_written(const input_written& news) {
  feed(event::input_taken{news.ticket, news.problem});
  look_soon();
}

void session_actor_state::answer_input(session::ticket who) {
  if (auto sent = pending_.take<pending::input>(who))
    sent->promise.deliver(done{});
}

void session_actor_state::on_connected(const port_connected& news) {
  if (!news.problem.empty())
    refuse(news.ticket, {errc::unavailable, news.problem});
  else if (auto asked = pending_.take<pending::connection>(news.ticket))
    asked->promise.deliver(port_connection{news.socket});
}

} // namespace greenroom
