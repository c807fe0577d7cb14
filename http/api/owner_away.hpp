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

#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace greenroom::http::handlers {

/// Whether there are other nodes, and a store that they share.
bool has_shared_store(const exchange& ex);

/// How long the owner may take where the store can answer after it: of the time
/// that a request has the rest is the store's.
std::chrono::milliseconds owners_time(const exchange& ex);

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

/// A page of a project's sessions.
struct sessions_found {
  session_page page;
  bool reachable = true; // else it is not known what runs in them
};

using on_sessions = std::function<void(const sessions_found&)>;
using on_no_answer = std::function<void(const ask_error&)>;

/// From the project's actor, or the store where that is away.
void ask_for_sessions(const exchange_ptr& ex, const project_actor& project,
                      const std::string& project_id,
                      const greenroom::list_sessions& what,
                      const on_sessions& then, const on_no_answer& failed);

/// From the store, after the owner was not found.
void ask_store_for_sessions(const exchange_ptr& ex, const ask_error& why,
                            const std::string& project_id,
                            const greenroom::list_sessions& what,
                            const on_sessions& then,
                            const on_no_answer& failed);

/// A session's JSON, as lists have it.
nlohmann::ordered_json
listed_session(const exchange& ex, const session_entry& entry, bool reachable);

} // namespace greenroom::http::handlers
