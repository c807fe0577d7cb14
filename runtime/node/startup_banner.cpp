#include "runtime/node/startup_banner.hpp"

#include <fmt/format.h>

namespace greenroom {

std::string welcome(const config& settings, std::uint16_t port,
                    const std::filesystem::path& key_file) {
  auto project =
    settings.projects.empty() ? "demo" : settings.projects.front().id;
  auto key = key_file.empty() ? std::string{"$GREENROOM_ADMIN_KEY"}
                              : "$(cat " + key_file.string() + ")";
  return fmt::format(
    R"banner(
Greenroom serves at http://{host}:{port}; the administrator's key is {where}.
In another terminal, with the client in this program:

  export GREENROOM_URL=http://{host}:{port} {key_variable}
  {program} create first-try --project {project} --use
  {program} exec -- sh -c 'echo hello | tee hello.txt'
  {program} checkin -m "Say hello"

Or by the REST API:

  export URL=http://{host}:{port}/projects/{project}/sessions
  export AUTH="Authorization: Bearer {key}"

  # a session on a new branch
  export SID=$(curl -sH "$AUTH" "$URL" --json '{{"new_branch": "try-it"}}' |
               sed -E 's/^\{{"data":\{{"id":"([a-z0-9]+)".*/\1/')

  # watch it, here or in a third terminal
  curl -sNH "$AUTH" "$URL/$SID/events?from=earliest" &

  # run something in it, then look at what it did
  curl -sH "$AUTH" "$URL/$SID/exec" --json '{{"command": "echo hello | tee hello.txt; sleep 2; git log -1 --oneline", "wait": "10s"}}'

  # commit what it left and push the branch to the upstream
  curl -sH "$AUTH" "$URL/$SID/checkin" --json '{{"commit_message": "Say hello"}}'
  git --git-dir {repo} log -1 try-it

Ctrl-C stops the node; sessions and their commands are back at the next start.

)banner",
    fmt::arg("host", settings.http.listen.host), fmt::arg("port", port),
    fmt::arg("project", project), fmt::arg("key", key),
    fmt::arg("key_variable",
             key_file.empty()
               ? std::string{"GREENROOM_KEY=$GREENROOM_ADMIN_KEY"}
               : "GREENROOM_KEY_FILE=" + key_file.string()),
    fmt::arg("program",
             std::filesystem::read_symlink("/proc/self/exe").string()),
    fmt::arg("where", key_file.empty() ? "in your environment"
                                       : "in " + key_file.string()),
    fmt::arg("repo", settings.projects.empty()
                       ? "REPO"
                       : settings.projects.front().repo));
}

} // namespace greenroom
