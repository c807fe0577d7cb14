// What of origin_server serves fetches and lists.
#include "http/git/origin_server.hpp"

#include "http/git/fetch_relay.hpp"
#include "http/git/first_request.hpp"
#include "http/git/list_relay.hpp"
#include "http/git/route.hpp"
#include "http/git/whole_list.hpp"
#include "runtime/base/memfd.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace greenroom::http::git_http {

namespace {

// A list of references that is longer is git's own.
constexpr std::size_t max_list = std::size_t{16} << 20;

// The last argument is the repository.
command upload_pack(const std::filesystem::path& view,
                    const std::string& protocol) {
  const auto* programs = std::getenv("PATH");
  // Before the second version git's own clock runs while objects are fetched
  // for the client, too.
  const auto silence = speaks_v2(protocol)
                         ? origin_silence
                         : std::chrono::seconds{origin_talk_timeout};
  command what;
  what.argv = {"git"};
  for (auto setting :
       {"uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true",
        "uploadpack.keepAlive=5", "gc.auto=0"})
    what.argv.insert(what.argv.end(), {"-c", setting});
  what.argv.insert(what.argv.end(),
                   {"upload-pack", "--strict",
                    "--timeout=" + std::to_string(silence.count()),
                    view.string()});
  what.env = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
              "HOME=/nonexistent", "LC_ALL=C",
              std::string{"PATH="}
                + (programs != nullptr ? programs : "/usr/bin:/bin")};
  if (!protocol.empty())
    what.env.push_back("GIT_PROTOCOL=" + protocol);
  what.timeout = origin_talk_timeout;
  return what;
}

} // namespace

/// nullopt: git itself answers, without what the upstream has beside branches
/// and tags. So it is too where that cannot be asked.
std::optional<std::string>
origin_server::list_all(const project_record& project, const command& program,
                        const std::string& request) {
  auto what = program;
  what.argv.insert(what.argv.end() - 1, "--stateless-rpc");
  auto input = git::memfd(request);
  what.stdin_fd = input.get();
  what.max_output = max_list;
  auto listed = run_command(what);
  if (!listed.ok() || listed.truncated)
    return std::nullopt;
  return whole_list(listed.out, *parts_.git->list_whole_upstream(project),
                    asks_for_peeled(request));
}

/// By git's protocol before its second version: all is listed before anybody
/// has asked for anything. Where the upstream cannot say what it has beside
/// branches and tags, git's own list stands. It is asked for both at once, so
/// that nobody waits twice.
void origin_server::serve_old_fetch(const transfer_grant& who,
                                    const std::string& protocol,
                                    const std::string& path, int socket) {
  auto asked = std::async(std::launch::async, [&] {
    try {
      return parts_.git->list_whole_upstream(who.project);
    } catch (const refused&) {
      return std::make_shared<const string_map>();
    }
  });
  auto program = upload_pack(shown(who, path), protocol);
  const auto others = asked.get();
  const origin_peer to{socket, origin_peer::clock::now() + origin_talk_timeout};
  list_relay answer{to, max_list, [&](const std::string& listed) {
                      return others->empty()
                               ? listed
                               : whole_advertisement(listed, *others);
                    }};
  fetch_relay wants{
    socket, max_first_wants,
    [&](const std::string& request) -> std::optional<std::string> {
      auto names = unusual_wants(request, *others);
      if (!names.empty())
        parts_.git->show_refs(who.project, names);
      return std::nullopt;
    }};
  program.stdin_fd = wants.reader();
  program.stdout_fd = answer.writer();
  run_upload(program, who);
}

void origin_server::run_upload(const command& program,
                               const transfer_grant& who) {
  auto result = run_command(program);
  if (!result.ok())
    parts_.log->debug("origin of session {}: {}", who.session.id, result.err);
}

std::filesystem::path origin_server::shown(const transfer_grant& who,
                                           const std::string& path) {
  return parts_.git->origin(who.project, path, [&](const std::string& repo) {
    return may_show(who.project, repo);
  });
}

void origin_server::serve_fetch(const transfer_grant& who,
                                const std::string& path,
                                const std::string& protocol, int socket) {
  const auto is_upstream = git_service::is_upstream(who.project, path);
  if (is_upstream && !speaks_v2(protocol)) {
    serve_old_fetch(who, protocol, path, socket);
    return;
  }
  const auto base = upload_pack(shown(who, path), protocol);
  auto what = base;
  what.stdin_fd = socket;
  what.stdout_fd = socket;
  // Who names references before git lists them can have any that there is.
  std::optional<fetch_relay> between;
  if (is_upstream) {
    between.emplace(
      socket, max_first_request,
      [&](const std::string& request) -> std::optional<std::string> {
        if (asks_for_all(request))
          return list_all(who.project, base, request);
        if (auto names = unusual_refs(request); !names.empty())
          parts_.git->show_refs(who.project, names);
        return std::nullopt;
      });
    what.stdin_fd = between->reader();
  }
  run_upload(what, who);
}

} // namespace greenroom::http::git_http
