// How handlers ask actors: find the handle, ask, and turn what goes wrong into
// the answer.
//
// `ok(const Reply&)` is called on the HTTP thread. What it throws is answered
// as a handler's own exceptions are.
#pragma once

#include "http/edge/ask_error.hpp"
#include "http/edge/bridge.hpp"
#include "http/edge/exchange.hpp"
#include "http/edge/thread_context.hpp"
#include "messages/directory.hpp"

#include <chrono>
#include <concepts>
#include <type_traits>
#include <utility>

namespace greenroom::http::handlers {

/// Whether an actor did not answer for its node's sake: it is away, or what was
/// asked of it is on its way to another one.
bool is_away(const ask_error& why);

/// Answers with an actor's refusal.
void refuse_with(const exchange_ptr& ex, const ask_error& why);

/// Answers with what was thrown, with all that it says.
void refuse_with(const exchange_ptr& ex, const refused& why);

/// Runs `f` and answers with what it refuses. Any other exception is the
/// bridge's to log; the exchange then says 500 when it is let go.
template <class F>
void answering(const exchange_ptr& ex, F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const refused& e) {
    refuse_with(ex, e);
  }
}

/// The error of a request that is not made because too many wait already.
ask_error too_many();

/// A message that changes something says who asked for that, and by which
/// request.
template <class Message>
std::decay_t<Message> with_caller(const exchange& ex, Message&& message) {
  std::decay_t<Message> result{std::forward<Message>(message)};
  if constexpr (requires {
                  { result.by } -> std::same_as<caller&>;
                })
    result.by = ex.by();
  return result;
}

/// Asks an actor whose handle is known, which has `time` from now on. What goes
/// wrong is `failed`'s.
template <class Reply, class Handle, class Message, class Ok, class Failed>
void ask_within(const exchange_ptr& ex, const Handle& whom,
                std::chrono::milliseconds time, Message&& message, Ok ok,
                Failed failed) {
  if (ex->env.bridge.full()) {
    failed(too_many());
    return;
  }
  ex->env.bridge.template ask<Reply>(
    whom, time, with_caller(*ex, std::forward<Message>(message)),
    [ex, ok = std::move(ok)](const Reply& reply) mutable {
      answering(ex, [&] { ok(reply); });
    },
    std::move(failed));
}

/// The same, where the timeout counts from the request's arrival, whatever has
/// been asked before.
template <class Reply, class Handle, class Message, class Ok, class Failed>
void ask(const exchange_ptr& ex, const Handle& whom,
         std::chrono::milliseconds timeout, Message&& message, Ok ok,
         Failed failed) {
  ask_within<Reply>(ex, whom, ex->left_of(timeout),
                    std::forward<Message>(message), std::move(ok),
                    std::move(failed));
}

template <class Reply, class Handle, class Message, class Ok>
void ask(const exchange_ptr& ex, const Handle& whom,
         std::chrono::milliseconds timeout, Message&& message, Ok ok) {
  ask<Reply>(ex, whom, timeout, std::forward<Message>(message), std::move(ok),
             [ex](const ask_error& why) { refuse_with(ex, why); });
}

/// Calls `f(const session_actor&)` with the exchange's session.
template <class F, class Failed>
void with_session(const exchange_ptr& ex, F f, Failed failed) {
  auto& cache = ex->env.bridge.sessions;
  if (auto known = cache.find(ex->session_id())) {
    if (known->project_id != ex->project_id()) {
      failed(ask_error{{errc::not_found, "session not found"}});
    } else {
      const auto handle = known->handle; // `f` may have it forgotten
      f(handle);
    }
    return;
  }
  ask<session_actor>(
    ex, ex->env.directory, ex->env.options.look_up,
    find_session{ex->project_id(), ex->session_id()},
    [ex, f = std::move(f)](const session_actor& found) mutable {
      auto& bridge = ex->env.bridge;
      bridge.sessions.put(ex->session_id(), ex->project_id(), found);
      bridge.watch(found);
      f(found);
    },
    std::move(failed));
}

template <class F>
void with_session(const exchange_ptr& ex, F f) {
  with_session(ex, std::move(f),
               [ex](const ask_error& why) { refuse_with(ex, why); });
}

/// Calls `f(const project_actor&)` with a project of that id, which is to be
/// found within `time`.
template <class F, class Failed>
void with_project_called(const exchange_ptr& ex, const std::string& id,
                         std::chrono::milliseconds time, F f, Failed failed) {
  if (auto known = ex->env.bridge.projects.find(id)) {
    const auto handle = known->handle;
    f(handle);
    return;
  }
  ask_within<project_actor>(
    ex, ex->env.directory, time, find_project{id},
    [ex, id, f = std::move(f)](const project_actor& found) mutable {
      auto& bridge = ex->env.bridge;
      bridge.projects.put(id, id, found);
      bridge.watch(found);
      f(found);
    },
    std::move(failed));
}

/// The same with the exchange's project.
template <class F, class Failed>
void with_project(const exchange_ptr& ex, F f, Failed failed) {
  with_project_called(ex, ex->project_id(),
                      ex->left_of(ex->env.options.look_up), std::move(f),
                      std::move(failed));
}

template <class F>
void with_project(const exchange_ptr& ex, F f) {
  with_project(ex, std::move(f),
               [ex](const ask_error& why) { refuse_with(ex, why); });
}

/// What may be done where a session's actor goes down meanwhile.
enum class retry {
  unhandled, // ask the next actor if this one never took the message
  always,    // ask the next actor in any case: it is only a read
};

/// Asks the exchange's session. A session that has just gone to sleep, or has
/// crashed, has another actor at the next look-up; it is asked once.
template <class Reply, class Message, class Ok, class Failed>
void ask_session(const exchange_ptr& ex, std::chrono::milliseconds timeout,
                 retry how, Message message, Ok ok, Failed failed,
                 bool again = true) {
  auto ask_it = [=](const session_actor& session) {
    ask<Reply>(
      ex, session, timeout, message, ok, [=](const ask_error& why) mutable {
        if (again && (how == retry::always ? why.is_gone() : why.is_unread())) {
          ex->env.bridge.sessions.erase(ex->session_id());
          ask_session<Reply>(ex, timeout, how, message, ok, failed, false);
        } else {
          failed(why);
        }
      });
  };
  with_session(ex, std::move(ask_it), failed);
}

template <class Reply, class Message, class Ok>
void change_in_session(const exchange_ptr& ex,
                       std::chrono::milliseconds timeout, Message message,
                       Ok ok) {
  ask_session<Reply>(ex, timeout, retry::unhandled, std::move(message),
                     std::move(ok),
                     [ex](const ask_error& why) { refuse_with(ex, why); });
}

template <class Reply, class Message, class Ok>
void read_in_session(const exchange_ptr& ex, std::chrono::milliseconds timeout,
                     Message message, Ok ok) {
  ask_session<Reply>(ex, timeout, retry::always, std::move(message),
                     std::move(ok),
                     [ex](const ask_error& why) { refuse_with(ex, why); });
}

/// Asks the exchange's project.
template <class Reply, class Message, class Ok>
void ask_project(const exchange_ptr& ex, std::chrono::milliseconds timeout,
                 Message message, Ok ok) {
  with_project(ex, [=](const project_actor& project) {
    ask<Reply>(ex, project, timeout, message, ok);
  });
}

} // namespace greenroom::http::handlers
