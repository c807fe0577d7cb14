// Whether a token opens a session for git, and for how long.
#pragma once

#include "http/base/asio.hpp"
#include "http/edge/token_revocation.hpp"
#include "http/git/git_context.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace greenroom::http::git_http {

struct authorized_session {
  session_actor session;
  transfer_grant grant;
};

/// Throws refused: unauthorized for a wrong token and for a session that is
/// not there alike, conflict where the session takes no transfer now,
/// unavailable where nobody answers in time.
asio::awaitable<authorized_session> admit(const git_context& around,
                                          const std::string& project_id,
                                          const std::string& session_id,
                                          const std::string& token,
                                          const token_revocation& watch);

/// The upstream's branches and their commits, as far as they can be had in a
/// moment.
asio::awaitable<string_map> upstream_heads(const git_context& around,
                                           const project_record& project);

/// What else the upstream has now under full names that begin so, such as
/// refs/pull/7/head, and the objects, which are here then; empty where it
/// cannot be asked. May take minutes.
asio::awaitable<string_map>
upstream_asked(git_context& around, const transfer_grant& who,
               const std::vector<std::string>& beginnings);

} // namespace greenroom::http::git_http
