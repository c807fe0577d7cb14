// From what a client asked to run to the command that a runner is given.
#pragma once

#include "messages/records.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
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

/// Makes the exec's directory and in it spec.json (mode 0600): the command for
/// the runner, and what the client asked, which has no place in the events,
/// since `env` may hold secrets, and is needed to know a repeated request
/// again. Written once and in one go: an exec whose file is cut has never been
/// admitted. Before it `input`, what the command is to be fed at first, if
/// anything: that lies beside it until then, as
/// runtime/runner/protocol/first_input.hpp says. Answers with the size of
/// spec.json. Throws std::system_error, also where there is one already.
std::size_t keep_exec(const std::filesystem::path& exec_dir,
                      const exec_spec& request,
                      const runner::command_spec& command,
                      std::string_view input = {});

/// What the client asked; nothing where there is none.
std::optional<exec_spec> kept_request(const std::filesystem::path& exec_dir);

/// Remembers, before it happens, that the runner is told to run the command:
/// from then on nobody may tell it again, unless that turned out not to be
/// `sent`. Throws std::system_error.
void mark_sent(const std::filesystem::path& exec_dir, bool sent = true);
bool was_sent(const std::filesystem::path& exec_dir);

} // namespace greenroom
