#include "http/git/session_auth.hpp"

#include "messages/errors.hpp"
#include "runtime/auth/sha256.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/expected.hpp>
#include <caf/send.hpp>

#include <utility>

namespace greenroom::http::git_http {

namespace {

git_edge_actor::behavior_type listen(git_edge_actor::pointer,
                                     const std::function<void()>& died) {
  return {[died](const token_dead&) { died(); }};
}

/// The bridge's question as something to wait for.
template <class Reply, class Handle, class Message>
asio::awaitable<caf::expected<Reply>> ask(const git_context& around,
                                          Handle whom, Message message) {
  auto start = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    around.bridge.ask<Reply>(
      whom, around.options.ordinary, std::move(message),
      [shared](const Reply& reply) { (*shared)(caf::expected<Reply>{reply}); },
      [shared](const caf::error& error) {
        (*shared)(caf::expected<Reply>{error});
      });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                          void(caf::expected<Reply>)>(
    start, asio::use_awaitable);
}

[[noreturn]] void refuse(const caf::error& error) {
  auto why = to_refusal(error);
  // Nobody learns from us which sessions there are.
  if (why.code == errc::not_found || why.code == errc::unauthorized)
    throw refused{errc::unauthorized,
                  "the clone token is wrong, or its session is over"};
  throw refused{why.code, why.message};
}

} // namespace

token_revocation::token_revocation(const git_context& around) {
  // The actor may outlive the loop for a moment, and us for longer.
  auto died = [loop = std::weak_ptr{around.loop},
               mine = std::weak_ptr{state_}] {
    if (auto home = loop.lock())
      home->post([mine] {
        auto watch = mine.lock();
        if (!watch || std::exchange(watch->dead, true))
          return;
        if (auto on_death = watch->on_death)
          on_death();
      });
  };
  edge_ = around.system.spawn(listen, std::function<void()>{died});
}

token_revocation::~token_revocation() {
  caf::anon_send_exit(edge_, caf::exit_reason::user_shutdown);
}

asio::awaitable<authorized_session> admit(const git_context& around,
                                          const std::string& project_id,
                                          const std::string& session_id,
                                          const std::string& token,
                                          const token_revocation& watch) {
  if (around.bridge.full())
    throw refused{errc::overloaded, "too much is going on, try again"};
  // Named, because GCC 12 destroys twice what is made inside of a co_await.
  find_session wanted{project_id, session_id};
  auto session = co_await ask<session_actor>(around, around.directory, wanted);
  if (!session)
    refuse(session.error());
  open_transfer opening{sha256_hex(token), watch.edge()};
  auto grant = co_await ask<transfer_grant>(around, *session, opening);
  if (!grant)
    refuse(grant.error());
  authorized_session result{std::move(*session), std::move(*grant)};
  co_return result;
}

asio::awaitable<string_map> upstream_heads(const git_context& around,
                                           const project_record& project) {
  string_map result;
  if (!around.workers)
    co_return result;
  list_upstream wanted{project};
  auto all = co_await ask<upstream_refs>(around, around.workers, wanted);
  constexpr std::string_view space = "heads/";
  if (all)
    for (const auto& [name, id] : all->ids)
      if (name.starts_with(space))
        result.emplace("refs/" + name, id);
  co_return result;
}

} // namespace greenroom::http::git_http
