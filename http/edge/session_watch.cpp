#include "http/edge/session_watch.hpp"

#include "http/edge/ask.hpp"
#include "http/edge/session_subscriptions.hpp"
#include "messages/ports.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

using handlers::retry;

/// True for what another try, in a moment, may find otherwise.
bool is_passing(errc code) noexcept {
  return code == errc::timeout || code == errc::unavailable
         || code == errc::overloaded;
}

} // namespace

session_watch::session_watch(exchange_ptr ex, session_watch_task task,
                             std::weak_ptr<session_watch_listener> listener)
  : ex_(std::move(ex)), task_(std::move(task)), listener_(std::move(listener)) {
}

void session_watch::begin(const session_actor& session) {
  auto& env = ex_->env;
  of_ = &env.session_subscriptions.of(env, ex_->project_id(), ex_->session_id(),
                                      session);
  of_->add(shared_from_this());
}

void session_watch::tick() {
  if (!ex_)
    return;
  if (std::exchange(lost_, false))
    rejoin();
  else if (std::exchange(owed_, false))
    look();
}

void session_watch::stop() {
  auto self = shared_from_this(); // leaving may let go of it
  ex_.reset();
  if (auto left = std::exchange(of_, nullptr))
    left->remove(*this);
}

// -- what the session says ----------------------------------------------------

void session_watch::standing(const event_id& last, bool ended) {
  if (!ex_)
    return;
  stood_ = true;
  known_ = last.seq;
  if (ended)
    end();
  else
    look();
}

void session_watch::live(const event_batch& batch) {
  if (!ex_)
    return;
  const auto missed = batch.after > known_;
  known_ = std::max(known_, batch.last);
  const auto is_end = [this](const event_slice& one) {
    return one.kind == event_kind::exec_exited && one.exec_id == task_.exec_id;
  };
  const auto opens_port = [this](const event_slice& one) {
    return one.kind == event_kind::port_opened && task_.port != 0;
  };
  if (batch.end || std::ranges::any_of(batch.slices, is_end))
    end();
  else if (missed || std::ranges::any_of(batch.slices, opens_port))
    look();
}

void session_watch::refuse(const refusal& why) {
  if (!ex_)
    return;
  if (!task_.patient || !is_passing(why.code)) {
    fail(why);
    return;
  }
  lost_ = true;
  if (auto left = std::exchange(of_, nullptr))
    left->remove(*this);
}

/// By the directory: the handle that it had may be of an actor that is gone.
void session_watch::rejoin() {
  ex_->start_over();
  handlers::with_session(
    ex_,
    [self = shared_from_this()](const session_actor& session) {
      if (self->ex_)
        self->begin(session);
    },
    [self = shared_from_this()](const ask_error& why) {
      if (self->ex_)
        self->refuse(to_refusal(why));
    });
}

// -- what it asks -------------------------------------------------------------

/// What happened before the session knew of this watch, or was missed.
void session_watch::look() {
  if (task_.exec_id.empty() && task_.port == 0)
    return;
  if (looking_) {
    again_ = true;
    return;
  }
  looking_ = true;
  again_ = false;
  ex_->start_over();
  if (task_.port != 0)
    ask_ports();
  else
    ask_exec();
}

void session_watch::ask_ports() {
  handlers::ask_session<port_list>(
    ex_, ex_->env.options.look_up, retry::always, list_ports{},
    [self = shared_from_this()](const port_list& found) {
      self->looked(is_served(found.ports, self->task_.port));
    },
    [self = shared_from_this()](const ask_error& why) {
      self->not_looked(why);
    });
}

void session_watch::ask_exec() {
  handlers::ask_session<exec_view>(
    ex_, ex_->env.options.look_up, retry::always, get_exec{task_.exec_id},
    [self = shared_from_this()](const exec_view& view) {
      self->looked(view.ended);
    },
    [self = shared_from_this()](const ask_error& why) {
      self->not_looked(why);
    });
}

void session_watch::looked(bool reached) {
  looking_ = false;
  if (!ex_)
    return;
  if (reached)
    end();
  else if (again_)
    look();
}

void session_watch::not_looked(const ask_error& error) {
  looking_ = false;
  if (!ex_)
    return;
  const auto& why = to_refusal(error);
  if (task_.may_be_none && why.code == errc::not_found)
    end();
  else if (is_passing(why.code))
    owed_ = true;
  else
    fail(why);
}

// -- what it tells ------------------------------------------------------------

void session_watch::end() {
  auto self = shared_from_this();
  stop();
  if (auto listener = listener_.lock())
    listener->over();
}

void session_watch::fail(const refusal& why) {
  auto self = shared_from_this();
  stop();
  if (auto listener = listener_.lock())
    listener->failed(why);
}

} // namespace greenroom::http
