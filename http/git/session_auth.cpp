#include "http/git/session_auth.hpp"

#include "http/edge/await_answer.hpp"
#include "http/git/in_background.hpp"
#include "messages/errors.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/git/session/git_service.hpp"

#include <optional>
#include <utility>

namespace greenroom::http::git_http {

namespace {

/// Nobody learns from us which sessions there are.
refused without_names(const refused& why) {
  if (why.code() == errc::not_found || why.code() == errc::unauthorized)
    return {errc::unauthorized,
            "the clone token is wrong, a newer one has taken its place, or its "
            "session is over; while that lives, `greenroom checkout SESSION` "
            "in this clone gets a new one, and POST .../clone-token a URL for "
            "git remote set-url"};
  return why;
}

/// Throws what the session, or who looks for it, says.
asio::awaitable<authorized_session> enter(const git_context& around,
                                          const find_session& wanted,
                                          open_transfer opening) {
  const auto timeout = around.options.ordinary;
  auto session = co_await await_answer<session_actor>(
    around.bridge, around.directory, wanted, timeout);
  auto grant = co_await await_answer<transfer_grant>(around.bridge, session,
                                                     opening, timeout);
  authorized_session result{std::move(session), std::move(grant)};
  co_return result;
}

} // namespace

asio::awaitable<authorized_session> admit(const git_context& around,
                                          const std::string& project_id,
                                          const std::string& session_id,
                                          const std::string& token,
                                          const token_revocation& watch) {
  // Named, because GCC 12 destroys twice what is made inside of a co_await.
  find_session wanted{project_id, session_id};
  open_transfer opening{sha256_hex(token), watch.edge()};
  std::optional<refused> why;
  try {
    co_return co_await enter(around, wanted, opening);
  } catch (const refused& e) {
    why = without_names(e);
  }
  throw *why;
}

asio::awaitable<string_map> upstream_heads(const git_context& around,
                                           const project_record& project) {
  string_map result;
  if (!around.workers)
    co_return result;
  list_upstream wanted{project};
  upstream_refs all;
  try {
    all = co_await await_answer<upstream_refs>(around.bridge, around.workers,
                                               wanted, around.options.ordinary);
  } catch (const refused&) {
    co_return result;
  }
  constexpr std::string_view space = "heads/";
  for (const auto& [name, id] : all.ids)
    if (name.starts_with(space))
      result.emplace("refs/" + name, id);
  co_return result;
}

asio::awaitable<string_map>
upstream_asked(git_context& around, const transfer_grant& who,
               const std::vector<std::string>& beginnings) {
  const auto show = [&] {
    return around.git->show_refs(who.project, beginnings);
  };
  string_map result;
  try {
    auto turn = co_await around.turns.wait(around.loop->context(),
                                           who.project.id, who.session.id);
    result = co_await in_background(*around.waiting, show);
  } catch (const refused&) {
    // git also tries such names where a branch or the session's own is meant.
  }
  co_return result;
}

} // namespace greenroom::http::git_http
