// What a command would do, where it is told to do nothing (--dry-run).
#pragma once

#include "http/client/commands.hpp"

#include <string>

namespace greenroom::http::client {

/// Steps in their order: `[{"action", "what"}]`.
struct plan {
  json steps = json::array();

  void add(const char* step, std::string what) {
    steps.push_back({{"action", step}, {"what", std::move(what)}});
  }
};

/// Adds the commands of the session that would be ended. Throws what api_client
/// throws.
asio::awaitable<void> plan_running(api_client& api, session_ref session,
                                   plan& to);

/// Where an end keeps what is not in the branch.
std::string rescue_place(const session_ref& session);

/// Adds what an end keeps under rescue refs beside the branch, from the answer
/// of GET …/git. Says what is known only when it ends.
void plan_kept(const json& git_state, session_ref session, plan& to);

/// A field's text or number; what it is else, where it is null or missing.
std::string text_field(const json& of, const char* name,
                       const std::string& otherwise);
long long number_field(const json& of, const char* name);

/// "1 commit", "2 commits".
std::string counted(long long count, const std::string& what);

void show_plan(const invocation& now, const json& steps);

} // namespace greenroom::http::client
