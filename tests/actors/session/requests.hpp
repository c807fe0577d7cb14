// What tests of sessions ask again and again.
#pragma once

#include "tests/actors/small_node.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace greenroom::test {

create_session on_branch(std::string name);
start_exec shell(std::string command, millis wait = 10'000);
nlohmann::json json_of(const exec_view& view);

/// The session's events of one kind so far.
nlohmann::json events_of(small_node& node, const session_actor& session,
                         event_kind kind);

/// Crashes a session's actor and answers with the one that took its place.
session_actor crash(small_node& node, const session_record& session);

} // namespace greenroom::test
