// One run of git for one client: its body goes in, git's answer comes out, at
// the pace of whichever is slower.
//
// Lives as long as the request, on the loop's thread. A fetch is killed when
// its client goes, its token dies or git falls silent. A push that is cut short
// is not killed in the middle of a write: git sees that its input has ended and
// cleans up; one whose body is whole is let run to its end. Of both the client
// is told how they went, where it was the token that died.
//
// Memory: two buffers of 64 KiB besides the connection's; one more in a push
// that is revoked.
#pragma once

#include "http/base/asio.hpp"
#include "http/git/child_process.hpp"
#include "http/git/push_answer.hpp"
#include "http/git/push_request.hpp"
#include "http/git/ref_list.hpp"
#include "http/git/request_body.hpp"
#include "http/git/route.hpp"
#include "http/git/session_auth.hpp"
#include "http/wire/server_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// One of the transfers that may go on at a time. Throws refused overloaded.
class transfer_slot {
public:
  transfer_slot(git_context& around, std::string session_id);
  transfer_slot(const transfer_slot&) = delete;
  transfer_slot& operator=(const transfer_slot&) = delete;
  ~transfer_slot();

private:
  git_context& around_;
  std::string session_id_;
};

struct transfer_plan {
  git_route route;
  authorized_session who;
  std::string protocol;   // as sane_protocol gives it
  std::string request_id; // of the answer's header
  request_body* body = nullptr;
  std::string begun;                // what was read of it already
  std::optional<push_request> push; // in a push
  std::optional<ref_list> refs;     // where references are listed
  std::function<void()> let_go;     // git has ended, what is left is to be told
};

/// Why what a clone token has opened goes on no more.
extern const std::string_view token_is_over;

/// git for one transfer, in the session's sandbox, or where it has no need of
/// the session's repository, in one of ours. Reads files.
command git_of(const git_context& around, const transfer_plan& plan);

class transfer {
public:
  using clock = wire::server_connection::clock;

  /// Starts git, as git_of says. Throws std::system_error.
  transfer(git_context& around, wire::server_connection& client,
           transfer_plan plan, const command& git);

  /// Answers the request, as far as there is somebody to answer. Throws
  /// refused, bad_message or lost where no answer has begun.
  asio::awaitable<void> run();

  /// A push has moved the branch, whether its client has heard that or not.
  bool moved() const noexcept {
    return announced_;
  }

  /// The client counts as gone.
  void stop();

  /// The token that it was opened with is not good any more. A push that is not
  /// whole is refused once the client has sent what it sends.
  void revoke();

  void check_deadlines(clock::time_point now);

private:
  asio::awaitable<void> feed();
  asio::awaitable<void> give(std::string_view piece);
  asio::awaitable<void> take();
  asio::awaitable<void> put(std::string_view piece);
  asio::awaitable<void> end_answer();
  asio::awaitable<void> hear();
  asio::awaitable<void> begin();
  asio::awaitable<void> answer_revoked();
  void client_gone();
  void announce_push();
  void log_failure();
  bool is_fetch() const noexcept;

  git_context& around_;
  wire::server_connection& client_;
  transfer_plan plan_;
  const std::filesystem::path checkout_;
  child git_;
  std::optional<push_answer> answer_;

  bool whole_ = false;         // git has all of the body
  bool over_ = false;          // git has ended
  bool gone_ = false;          // nobody is there to be answered
  bool revoked_ = false;       // before it was whole
  bool let_go_at_end_ = false; // revoked at all: once git has ended
  std::string held_;           // of git's answer, in a push that is revoked
  bool announced_ = false;
  int exit_code_ = 0;
  std::string complaints_;
  std::exception_ptr fault_; // of the body
  clock::time_point git_until_ = clock::time_point::max();
};

} // namespace greenroom::http::git_http
