#include "http/server/forwarding.hpp"

#include "http/api/routes.hpp"
#include "http/base/parse.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/forwarded_request.hpp"
#include "messages/errors.hpp"
#include "runtime/auth/api_keys.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <utility>

namespace greenroom::http {

namespace {

bool is_of_owner(const route& one) noexcept {
  return one.pattern.ends_with("/output") || one.pattern.ends_with("/attach")
         || one.pattern.find("/{sid}/ports") != std::string_view::npos;
}

/// The id of the key that a request came with; empty: it is not known.
std::string key_of(const exchange& ex) {
  auto secret = secret_of(ex.in.authorization, ex.in.api_key);
  if (secret.empty())
    secret = secret_of_protocols(ex.in.web_socket_protocol);
  auto keys = ex.env.keys.snapshot();
  auto* key = secret.empty() ? nullptr : keys->find(secret, now_ms());
  return key == nullptr ? std::string{} : key->id;
}

asio::awaitable<void> decide(exchange_ptr ex, std::shared_ptr<const peers> all,
                             std::string project_id, std::string session_id,
                             std::string key_id) {
  std::string owner;
  refusal why;
  try {
    owner = co_await other_owner(ex->env.bridge, *all, project_id, session_id,
                                 ex->env.options.look_up);
    if (!owner.empty() && came_from_peer(ex->id))
      refuse_moved(owner);
    if (!owner.empty())
      forward_request(ex, all, owner, key_id);
  } catch (const refused& e) {
    // That there is none is for the handler to say.
    if (e.code() != errc::not_found)
      why = {e.code(), e.what()};
  }
  if (!why.message.empty())
    ex->refuse(why);
  else if (owner.empty())
    dispatch(ex);
}

} // namespace

bool forward_to_owner(const exchange_ptr& ex,
                      const std::shared_ptr<const peers>& all) {
  auto where = find_route(ex->in.verb, ex->in.path);
  if (where.found == nullptr || !is_of_owner(*where.found))
    return false;
  auto key_id = key_of(*ex);
  if (key_id.empty())
    return false;
  // A review has no session that lives.
  auto of_review =
    where.found->pattern.find("/reviews/") != std::string_view::npos;
  asio::co_spawn(
    ex->env.loop.context(),
    decide(ex, all, std::string{where.params[0]},
           of_review ? std::string{} : std::string{where.params[1]},
           std::move(key_id)),
    asio::detached);
  return true;
}

} // namespace greenroom::http
