// What is answered for a project's owner where it cannot be asked: what the
// store has, which the nodes of a cluster share.
//
// Lists are rows of the store wherever they are asked for, so they are the
// same, with the same cursors, but for what only the owner knows: what runs in
// a session.
#pragma once

#include "http/edge/ask.hpp"
#include "http/edge/peers.hpp"
#include "messages/project.hpp"

#include <nlohmann/json_fwd.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace greenroom::http::handlers {

/// Whether there are other nodes, and a store that they share.
bool has_shared_store(const exchange& ex);

/// That a project's owner is not asked, since it has lately said nothing.
ask_error silent_owner(const std::string& project_id);

/// Asks the shared store what the owner did not answer. Where there is none, or
/// the owner is not away, what went wrong is `failed`'s as it is.
template <class Reply, class Message, class Ok, class Failed>
void ask_store_instead(const exchange_ptr& ex, const ask_error& why,
                       const std::string& project_id, Message message, Ok ok,
                       Failed failed) {
  if (!is_away(why) || !has_shared_store(*ex)) {
    failed(why);
    return;
  }
  // Whoever owns it by now is looked for the next time.
  ex->env.bridge.projects.erase(project_id);
  ask<Reply>(ex, ex->env.others->reader, ex->env.options.ordinary,
             std::move(message), std::move(ok), std::move(failed));
}

/// Asks a project's owner. Where the store can answer after it, it has little
/// time for that, and none at all for a while after it has used that up.
template <class Reply, class Message, class Ok, class Failed>
void ask_owner(const exchange_ptr& ex, const std::string& project_id,
               Message message, Ok ok, Failed failed) {
  const auto& options = ex->env.options;
  auto& silent = ex->env.bridge.silent;
  const auto is_shared = has_shared_store(*ex);
  if (is_shared && !silent.may_ask(project_id, silent_owners::clock::now())) {
    failed(silent_owner(project_id));
    return;
  }
  auto not_told = [=, &silent](const ask_error& why) {
    if (is_shared && to_refusal(why).code == errc::timeout)
      silent.said_nothing(project_id, silent_owners::clock::now());
    else
      silent.spoke(project_id);
    failed(why);
  };
  auto time = [ex, is_shared](std::chrono::milliseconds alone) {
    auto left = ex->left_of(alone);
    return is_shared ? std::min(left, ex->env.options.owner) : left;
  };
  with_project_called(
    ex, project_id, time(options.look_up),
    [=, &silent, &options](const project_actor& project) {
      ask_within<Reply>(
        ex, project, time(options.ordinary), message,
        [=, &silent](const Reply& reply) {
          silent.spoke(project_id);
          ok(reply);
        },
        not_told);
    },
    not_told);
}

/// A page of a project's sessions.
struct sessions_found {
  session_page page;
  bool reachable = true; // else it is not known what runs in them
};

using on_sessions = std::function<void(const sessions_found&)>;
using on_no_answer = std::function<void(const ask_error&)>;

/// From the project's actor, or the store where that is away.
void ask_for_sessions(const exchange_ptr& ex, const std::string& project_id,
                      const greenroom::list_sessions& what,
                      const on_sessions& then, const on_no_answer& failed);

/// A session's JSON, as lists have it.
nlohmann::ordered_json
listed_session(const exchange& ex, const session_entry& entry, bool reachable);

} // namespace greenroom::http::handlers
