// One request of git-lfs to a session's clone URL: the batch API, and the
// contents themselves, which come from the upstream's LFS and go there through
// this server (runtime/git/mirror/lfs_store.hpp). So clients need no key for
// the upstream, and see none.
//
// What goes wrong is told in the form in which git-lfs shows it to its user.
#pragma once

#include "http/base/asio.hpp"
#include "http/git/git_context.hpp"
#include "http/git/route.hpp"
#include "http/git/session_auth.hpp"
#include "http/wire/server_connection.hpp"
#include "runtime/git/session/git_service.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <string_view>

namespace greenroom::http::git_http {

class lfs_request {
public:
  /// All must outlive it.
  lfs_request(git_context& around, wire::server_connection& client,
              const project_record& project, const git_route& route,
              const token_revocation& watch, std::string_view request_id);

  /// Throws wire::lost where the client goes. That the token dies meanwhile is
  /// for the owner to notice, who closes the connection then.
  asio::awaitable<void> serve();

private:
  asio::awaitable<void> dispatch();
  asio::awaitable<void> batch();
  asio::awaitable<void> send(const std::string& oid);
  asio::awaitable<void> take(const std::string& oid);
  asio::awaitable<void> reply(int status, std::string_view body);
  asio::awaitable<void> refuse(int status, std::string_view sentence);
  void check_token() const;
  std::string place_of(const git::lfs_object& what) const;

  git_context& around_;
  wire::server_connection& client_;
  const project_record& project_;
  const git_route& route_;
  const token_revocation& watch_;
  std::string_view request_id_;
};

/// Where git-lfs looks for the contents of an upstream by itself, in words for
/// a user who has to set it.
std::string lfs_advice(std::string_view upstream);

} // namespace greenroom::http::git_http
