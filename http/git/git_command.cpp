#include "http/git/git_command.hpp"

#include "runtime/git/common/harmless_faults.hpp"
#include "runtime/sandbox/plan.hpp"

namespace greenroom::http::git_http {

namespace {

void set(command& in, const std::string& key, std::string_view value) {
  in.argv.insert(in.argv.end(), {"-c", key + '=' + std::string{value}});
}

void set_for_all(command& in) {
  set(in, "safe.directory", "*");
  // What a repository can have git run.
  set(in, "core.hooksPath", "/dev/null");
  set(in, "core.fsmonitor", "false");
  set(in, "core.alternateRefsCommand", "true");
  // Nothing is tidied up while somebody waits; it would die with the sandbox.
  set(in, "gc.auto", "0");
  set(in, "maintenance.auto", "false");
}

void set_for_fetch(command& in) {
  // Shallow, partial and single-object fetches of whatever the session has.
  set(in, "uploadpack.allowFilter", "true");
  set(in, "uploadpack.allowAnySHA1InWant", "true");
  set(in, "uploadpack.keepAlive", "5");
}

bool has_limits(const git::tree_limits& tree) {
  return tree.files != 0 || tree.bytes != 0;
}

void set_for_push(command& in, std::string_view branch,
                  const push_limits& limits) {
  // The last that is said of hooks counts.
  if (has_limits(limits.tree))
    set(in, "core.hooksPath", sandbox::git_hooks_inside);
  set(in, "receive.denyCurrentBranch", "updateInstead");
  set(in, "receive.denyDeletes", "true");
  set(in, "receive.denyNonFastForwards", "true");
  set(in, "receive.fsckObjects", "true");
  for (const auto* fault : git::harmless_faults)
    set(in, std::string{"receive.fsck."} + fault, "ignore");
  set(in, "receive.maxInputSize", std::to_string(limits.size));
  set(in, "receive.autogc", "false");
  // They are for hooks, of which there are none; git says so where a push has
  // some.
  set(in, "receive.advertisePushOptions", "false");
  set(in, "receive.keepAlive", "5");
  // The last one that fits a ref counts.
  set(in, "receive.hideRefs", "refs/");
  set(in, "receive.hideRefs", "!refs/heads/" + std::string{branch});
}

} // namespace

command git_command(service what, bool advertise, std::string_view branch,
                    const push_limits& limits, std::string_view protocol) {
  command result;
  result.argv = {"git"};
  set_for_all(result);
  if (what == service::upload_pack)
    set_for_fetch(result);
  else
    set_for_push(result, branch, limits);
  result.argv.insert(result.argv.end(),
                     {std::string{name_of(what)}, "--stateless-rpc"});
  if (advertise)
    result.argv.push_back("--http-backend-info-refs");
  result.argv.push_back(".");
  result.env = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
                // Objects that the session left out are not fetched for it.
                "GIT_ALLOW_PROTOCOL=none", "GIT_TERMINAL_PROMPT=0",
                "GIT_COMMITTER_NAME=greenroom",
                "GIT_COMMITTER_EMAIL=greenroom@localhost", "HOME=/nonexistent",
                "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"};
  if (what == service::receive_pack && has_limits(limits.tree))
    result.env.push_back(std::string{git::tree_limits_variable} + '='
                         + std::to_string(limits.tree.files) + ' '
                         + std::to_string(limits.tree.bytes));
  // Only fetches know more than one protocol.
  if (what == service::upload_pack && !protocol.empty())
    result.env.push_back("GIT_PROTOCOL=" + std::string{protocol});
  return result;
}

} // namespace greenroom::http::git_http
