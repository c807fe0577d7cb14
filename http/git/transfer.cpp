#include "http/git/transfer.hpp"

#include "http/edge/notify.hpp"
#include "http/git/answer_head.hpp"
#include "http/git/git_command.hpp"
#include "http/git/pkt_line.hpp"
#include "messages/errors.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/git/session/branch_position.hpp"
#include "runtime/sandbox/assets.hpp"
#include "runtime/sandbox/run_in_sandbox.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t max_complaints = 2048;

/// git shows life every five seconds where somebody waits for it; what it does
/// in silence (bringing a large checkout to another commit) is over by then.
constexpr std::chrono::minutes git_timeout{10};

/// Of an answer that waits until the client has sent all.
constexpr std::size_t max_held = 64 * 1024;

/// For git to clean up after a push that was cut short.
constexpr std::chrono::seconds last_words{10};

/// Fit for a line of the log.
std::string printable(std::string text) {
  std::replace_if(
    text.begin(), text.end(),
    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
    ' ');
  return text;
}

/// What git says of a request that is none, in words that its versions share.
bool blames_request(bool advertise, std::string_view text) {
  constexpr std::array<std::string_view, 10> marks{"protocol error",
                                                   "bad line length",
                                                   "unexpected line",
                                                   "invalid command",
                                                   "unknown capability",
                                                   "no command requested",
                                                   "expected ",
                                                   "malformed",
                                                   "hung up unexpectedly",
                                                   "unknown object format"};
  return !advertise && std::ranges::any_of(marks, [text](auto mark) {
    return text.find(mark) != text.npos;
  });
}

// A session without a sandbox has all the machine.
push_limits limits_of(const git_context& around) {
  const auto& rules = around.sandbox->config;
  push_limits result{around.options.max_push};
  if (rules.mode != sandbox_mode::none)
    result.tree = {rules.files, rules.disk};
  return result;
}

// From protocol 2 on a fetch begins with a question for what git can do, which
// is the same whatever repository is fetched from.
bool asks_for_abilities(const transfer_plan& plan) {
  return plan.route.advertise && *plan.route.service == service::upload_pack
         && speaks_v2(plan.protocol);
}

} // namespace

const std::string_view token_is_over =
  "the session is being checked in or ended, or its clone token was replaced";

command git_of(const git_context& around, const transfer_plan& plan) {
  auto& session = plan.who.grant.session;
  auto git = git_command(*plan.route.service, plan.route.advertise,
                         session.branch, limits_of(around), plan.protocol);
  // A sandbox would take many times as long.
  if (around.sandbox->config.mode != sandbox_mode::none
      && asks_for_abilities(plan)) {
    git.cwd = sandbox::made_repository(around.sandbox->files);
    return git;
  }
  return sandbox::run_in_sandbox(*around.sandbox,
                                 paths_of(around.options.data_dir, session.id,
                                          mirror_name(plan.who.grant.project)),
                                 std::move(git));
}

transfer_slot::transfer_slot(git_context& around, std::string session_id)
  : around_(around), session_id_(std::move(session_id)) {
  auto& of_session = around.of_session[session_id_];
  if (of_session >= max_per_session)
    throw refused{errc::overloaded,
                  "the session has " + std::to_string(max_per_session)
                    + " transfers by git going on, try again when one is over"};
  if (around.transfers >= max_transfers) {
    if (of_session == 0)
      around.of_session.erase(session_id_);
    throw refused{errc::overloaded,
                  "too many transfers by git are going on, try again"};
  }
  ++of_session;
  ++around.transfers;
}

transfer_slot::~transfer_slot() {
  --around_.transfers;
  auto found = around_.of_session.find(session_id_);
  if (--found->second == 0)
    around_.of_session.erase(found);
}

transfer::transfer(git_context& around, wire::server_connection& client,
                   transfer_plan plan, const command& git)
  : around_(around), client_(client), plan_(std::move(plan)),
    checkout_(session_dir(around.options.data_dir, plan_.who.grant.session.id)
              / "checkout"),
    git_(around.loop->context(), git) {
  if (plan_.push)
    answer_.emplace(plan_.push->commands.front().ref,
                    plan_.push->side_band() != 0);
}

bool transfer::is_fetch() const noexcept {
  return !plan_.push;
}

asio::awaitable<void> transfer::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (feed() && take() && hear());
  if (revoked_ && !gone_ && !fault_) {
    co_await answer_revoked();
    co_return;
  }
  const auto misread = whole_ && client_.status() == 0
                       && blames_request(plan_.route.advertise, complaints_);
  if (exit_code_ != 0 && !gone_ && !misread)
    log_failure();
  if (client_.status() != 0)
    co_return;
  if (fault_)
    std::rethrow_exception(fault_);
  if (gone_)
    throw lost{};
  if (misread)
    throw refused{errc::bad_request,
                  "git cannot read this request: " + printable(complaints_)};
  throw refused{errc::internal,
                "git cannot serve this session's repository; the server's log "
                "says why"};
}

// -- from the client to git ---------------------------------------------------

asio::awaitable<void> transfer::feed() {
  try {
    std::string_view piece = plan_.begun;
    do {
      co_await give(piece);
      piece = co_await plan_.body->next();
    } while (!piece.empty());
    whole_ = !revoked_;
  } catch (const lost&) {
    client_gone();
  } catch (const bad_message&) {
    fault_ = std::current_exception();
    git_.kill();
  }
  // Whether the client is still there shows when it is sent something: one
  // that has no more to say may have closed its half of the connection.
  error_code ignored;
  git_.in.close(ignored);
}

/// What git does not want to read any more is dropped: its answer says why.
asio::awaitable<void> transfer::give(std::string_view piece) {
  if (piece.empty() || !git_.in.is_open())
    co_return;
  error_code error;
  co_await asio::async_write(git_.in, asio::buffer(piece),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error)
    git_.in.close(error);
}

void transfer::client_gone() {
  gone_ = true;
  if (is_fetch())
    git_.kill();
  else if (!whole_)
    git_until_ = std::min(git_until_, clock::now() + last_words);
}

void transfer::stop() {
  client_.close();
  client_gone();
}

void transfer::revoke() {
  if (is_fetch())
    return stop();
  if (over_) {
    if (plan_.let_go)
      plan_.let_go();
    return;
  }
  if (whole_) {
    let_go_at_end_ = true;
    return;
  }
  revoked_ = let_go_at_end_ = true;
  error_code ignored;
  git_.in.close(ignored);
  git_until_ = std::min(git_until_, clock::now() + last_words);
}

void transfer::check_deadlines(clock::time_point now) {
  if (now >= git_until_)
    git_.kill();
}

// -- from git to the client ---------------------------------------------------

asio::awaitable<void> transfer::take() {
  std::vector<char> buffer(buffer_size);
  for (;;) {
    git_until_ =
      clock::now()
      + ((gone_ || revoked_) && !whole_ ? clock::duration{last_words}
                                        : clock::duration{git_timeout});
    error_code error;
    auto size = co_await git_.out.async_read_some(
      asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error)
      break;
    std::string_view piece{buffer.data(), size};
    if (!answer_) {
      auto listed = plan_.refs ? plan_.refs->pass(piece) : std::string{piece};
      co_await put(listed);
      continue;
    }
    auto passed = answer_->pass(piece);
    if (answer_->moved())
      announce_push();
    co_await put(passed);
  }
  if (answer_ || plan_.refs) {
    auto last = answer_ ? answer_->rest() : plan_.refs->rest();
    co_await put(last);
  }
  exit_code_ = co_await git_.ended();
  git_until_ = clock::time_point::max();
  over_ = true;
  if (let_go_at_end_ && plan_.let_go)
    plan_.let_go();
  if (!revoked_)
    co_await end_answer();
  // It may wait for what will not come any more.
  error_code ignored;
  git_.err.cancel(ignored);
}

asio::awaitable<void> transfer::put(std::string_view piece) {
  if (gone_ || piece.empty())
    co_return;
  if (revoked_ && client_.status() == 0
      && held_.size() + piece.size() <= max_held) {
    held_ += piece;
    co_return;
  }
  try {
    if (client_.status() == 0)
      co_await begin();
    const auto before = std::exchange(held_, {});
    if (!before.empty())
      co_await client_.write(before, around_.options.git_timeout);
    co_await client_.write(piece, around_.options.git_timeout);
  } catch (const lost&) {
    client_gone();
  }
}

/// git itself tells of what goes wrong with what it serves, and that answer is
/// as whole as any. One that was killed has not told all.
asio::awaitable<void> transfer::end_answer() {
  const auto killed = exit_code_ > 128;
  if (gone_ || fault_ || killed || (client_.status() == 0 && exit_code_ != 0))
    co_return;
  try {
    if (client_.status() == 0)
      co_await begin();
    co_await client_.finish(around_.options.git_timeout);
  } catch (const lost&) {
    client_gone();
  }
}

/// git may have had all that it needed although we did not see the end of it:
/// then its own report is the truth. Else that it was cut short is for us to
/// say, since git can only tell that its input ended.
asio::awaitable<void> transfer::answer_revoked() {
  const auto timeout = around_.options.git_timeout;
  if (client_.status() == 0 && !answer_->moved()) {
    const auto head = answer_head(200, "application/x-git-receive-pack-result",
                                  plan_.request_id);
    const auto text = refusal_of(*plan_.push, token_is_over);
    co_await client_.reply(head, text, timeout);
    co_return;
  }
  if (client_.status() == 0)
    co_await begin();
  if (!held_.empty())
    co_await client_.write(held_, timeout);
  co_await client_.finish(timeout);
}

asio::awaitable<void> transfer::begin() {
  auto service = *plan_.route.service;
  auto name = "git-" + std::string{name_of(service)};
  auto type = "application/x-" + name
              + (plan_.route.advertise ? "-advertisement" : "-result");
  client_.begin(answer_head(200, type, plan_.request_id), std::nullopt);
  // Older protocols say first what they are about.
  if (plan_.route.advertise
      && (service == service::receive_pack || !speaks_v2(plan_.protocol))) {
    auto text = make_packet("# service=" + name + '\n');
    text += flush_packet;
    co_await client_.write(text, around_.options.git_timeout);
  }
  co_await client_.flush(around_.options.git_timeout);
}

void transfer::announce_push() {
  if (std::exchange(announced_, true))
    return;
  auto& command = plan_.push->commands.front();
  auto position = git::find_branch(checkout_, plan_.who.grant.session.branch);
  notify(
    plan_.who.session,
    branch_pushed{is_null_id(command.old_id) ? std::string{} : command.old_id,
                  command.new_id,
                  position.checked_out,
                  {{}, {}, {}, plan_.request_id}});
}

// -- what git complains about -------------------------------------------------

asio::awaitable<void> transfer::hear() {
  std::vector<char> buffer(max_complaints);
  error_code error;
  while (!error) {
    auto size = co_await git_.err.async_read_some(
      asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted)
      size = git_.err.read_some(asio::buffer(buffer), error);
    complaints_.append(buffer.data(),
                       std::min(size, max_complaints - complaints_.size()));
  }
}

void transfer::log_failure() {
  around_.log->warn("git {} for session {} ended with {}: {} request={}",
                    name_of(*plan_.route.service), plan_.who.grant.session.id,
                    exit_code_, printable(complaints_), plan_.request_id);
}

} // namespace greenroom::http::git_http
