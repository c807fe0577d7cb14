#include "runtime/git/mirror/git_process.hpp"

#include "runtime/base/run_until.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <cstdlib>
#include <string_view>

namespace greenroom::git {

namespace {

// The way to the world that the server's own environment names.
void add_proxies(std::vector<std::string>& env) {
  for (std::string name : {"http_proxy", "https_proxy", "HTTPS_PROXY",
                           "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"})
    if (const auto* value = std::getenv(name.c_str()))
      env.push_back(name + '=' + value);
}

} // namespace

command_result run(const server_git& call) {
  return *run_until(call, -1);
}

std::optional<command_result> run_until(const server_git& call, int stop_fd) {
  const auto* path = std::getenv("PATH");
  command what;
  what.argv = {"git",
               "-c",
               "core.hooksPath=/dev/null",
               "-c",
               "protocol.ext.allow=never",
               "-c",
               "http.lowSpeedLimit=1000",
               "-c",
               "http.lowSpeedTime=20",
               "-c",
               "core.bigFileThreshold=32m"}; // larger go through in pieces
  if (!call.mirror.empty())
    what.argv.push_back("--git-dir=" + call.mirror.string());
  what.argv.insert(what.argv.end(), call.args.begin(), call.args.end());
  what.cwd = call.cwd.empty() ? call.mirror : call.cwd;
  what.env = {"GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_TERMINAL_PROMPT=0",
              "GIT_ALLOW_PROTOCOL=file:http:https:ssh",
              "HOME=/nonexistent",
              "LC_ALL=C.UTF-8",
              std::string{"PATH="}
                + (path != nullptr ? path : "/usr/bin:/bin")};
  add_proxies(what.env);
  what.env.insert(what.env.end(), call.env.begin(), call.env.end());
  what.stdin_fd = call.stdin_fd;
  what.stdout_fd = call.stdout_fd;
  what.timeout = call.timeout;
  what.max_output = call.max_output;
  what.end_when_full = call.end_when_full;
  what.max_memory = call.max_memory;
  return greenroom::run_until(what, stop_fd);
}

std::string reason(const command_result& result) {
  if (result.timed_out)
    return "it took too long";
  // What went wrong stands after "fatal: "; advice may follow.
  std::string_view text = result.err;
  constexpr std::string_view mark = "fatal: ";
  if (auto at = text.find(mark); at != text.npos) {
    text.remove_prefix(at + mark.size());
    text = text.substr(0, text.find_first_of("\r\n"));
  } else {
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    text = text.substr(text.find_last_of("\r\n") + 1);
  }
  if (text.empty())
    return result.exit_code
             ? "git ended with exit code " + std::to_string(*result.exit_code)
             : "git was ended by signal " + std::to_string(result.signal);
  return without_credentials(std::string{text});
}

} // namespace greenroom::git
