// From what a client asked to run to the command that a runner is given.
#pragma once

#include "messages/records.hpp"
#include "runtime/runner/core/session_files.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace greenroom {

struct command_rules {
  std::vector<std::string> shell; // argv before a command string
  std::uint64_t max_output = 0;
  std::filesystem::path home; // the session's own, made if it is not there
};

/// The complete command: the shell where a command string was given, and an
/// environment of a few basics, then the project's, then the request's, then
/// the session's own names, which nobody can override.
runner::command_spec resolve_command(const exec_spec& request,
                                     const project_record& project,
                                     const session_record& session,
                                     const command_rules& rules);

/// What the client asked, kept beside the command (exec/<eid>/request.json,
/// mode 0600): it has no place in the events, since `env` may hold secrets,
/// and is needed to know a repeated request again. Throws std::system_error.
void keep_request(const std::filesystem::path& exec_dir,
                  const exec_spec& request);

/// Nothing where there is none.
std::optional<exec_spec> kept_request(const std::filesystem::path& exec_dir);

} // namespace greenroom
