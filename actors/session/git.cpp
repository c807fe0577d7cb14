// Git in a session: its token, who was let in by it, and its branch.
#include "actors/session/session.hpp"

#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace event = session::event;

namespace {

// How often it is asked where the branch stands: after commands that end, and
// while some run and do something.
constexpr std::chrono::seconds pause_after_exec{1};
constexpr std::chrono::seconds pause_while_running{2};
constexpr std::chrono::seconds tip_timeout{60};

} // namespace

// -- the token ----------------------------------------------------------------

void session_actor_state::answer_token(session::ticket who) {
  if (auto request = pending_.take<pending::token>(who))
    request->promise.deliver(session_token{std::move(request->secret)});
}

void session_actor_state::answer_transfer(session::ticket who) {
  auto request = pending_.take<pending::transfer>(who);
  if (!request)
    return feed(event::transfer_over{now_ms()});
  self_->monitor(request->edge);
  edges_.push_back(std::move(request->edge));
  request->promise.deliver(transfer_grant{record(), project_});
}

// A push that has all it needs is let run to its end, so an ending waits for
// them: each edge goes down with its transfer.
void session_actor_state::end_transfers() {
  for (auto& edge : edges_)
    self_->send(edge, token_dead{id()});
}

void session_actor_state::forget_edge(const caf::actor_addr& edge) {
  auto ended = std::erase_if(
    edges_, [&](const git_edge_actor& x) { return x.address() == edge; });
  for (; ended > 0; --ended)
    feed(event::transfer_over{now_ms()});
}

// -- questions ----------------------------------------------------------------

// The request stays until git has answered: where this actor goes before that,
// whoever waits is told.
void session_actor_state::answer_question(session::ticket who) {
  auto* asked = pending_.find<pending::question>(who);
  if (asked == nullptr)
    return feed(event::question_answered{});
  self_
    ->request(context_->git, git_timeout,
              ask_checkout{project_, record(), std::move(asked->what_to_ask)})
    .then(
      [this, who](git_answer& answer) {
        if (auto request = pending_.take<pending::question>(who))
          request->promise.deliver(std::move(answer));
        feed(event::question_answered{});
      },
      [this, who](const caf::error& e) {
        pending_.refuse(who, e);
        feed(event::question_answered{});
      });
}

// -- the branch ---------------------------------------------------------------

void session_actor_state::poll_branch() {
  last_look_ = std::chrono::steady_clock::now();
  self_
    ->request(context_->git, tip_timeout,
              greenroom::poll_branch{project_, record()})
    .then(
      [this](checkout_tip& x) {
        feed(event::branch_polled{std::move(x.commit)});
      },
      [this](const caf::error& e) {
        spdlog::debug("session {}: its branch is not known: {}", id(),
                      to_refusal(e).message);
        feed(event::branch_polled{});
      });
}

void session_actor_state::look_soon() {
  if (!std::exchange(look_armed_, true))
    self_->delayed_send(self_, pause_while_running, look_at_branch{});
}

// At once, unless that was just done.
void session_actor_state::look_after_exec() {
  auto since = std::chrono::steady_clock::now() - last_look_;
  if (since >= pause_after_exec)
    feed(event::look{});
  else if (!std::exchange(look_armed_, true))
    self_->delayed_send(self_, pause_after_exec, look_at_branch{});
}

} // namespace greenroom
