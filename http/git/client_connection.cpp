#include "http/git/client_connection.hpp"

#include "http/base/address_shares.hpp"
#include "http/base/own_names.hpp"
#include "http/base/parse.hpp"
#include "http/git/answer_head.hpp"
#include "http/git/first_request.hpp"
#include "http/git/in_background.hpp"
#include "http/git/lfs_request.hpp"
#include "http/git/pkt_line.hpp"
#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>
#include <utility>

namespace greenroom::http::git_http {

namespace {

/// What a fetch may ask for; each wish is 50 bytes.
constexpr std::uint64_t max_wishes = std::uint64_t{32} << 20;

/// The commands of a push, on top of its pack.
constexpr std::uint64_t push_extra = std::uint64_t{1} << 20;

// A clone of a session makes such an address of a submodule's relative URL. It
// names no session, so it is not known who asks, and by whose rights.
std::string why_not_there(std::string_view target) {
  std::string result = "there is no such repository";
  if (target.substr(0, target.find('?')).ends_with("/info/refs"))
    result += "; a submodule with a relative URL is served inside of the "
              "session only, in a clone say first where it really is: git "
              "config submodule.NAME.url URL, then git submodule update";
  return result;
}

void check_method(const wire::message_head& head, const git_route& route) {
  auto wanted = route.advertise ? "GET" : "POST";
  if (head.method != wanted)
    throw wire::bad_message{405,
                            std::string{"this is asked for with "} + wanted};
  if (!route.service)
    throw wire::bad_message{
      403, "only git's smart HTTP protocol is spoken here: use git "
           "1.6.6 or later, without GIT_SMART_HTTP=0"};
  auto type =
    "application/x-git-" + std::string{name_of(*route.service)} + "-request";
  if (!route.advertise && head.headers.get("Content-Type") != type)
    throw wire::bad_message{415, "the body must be " + type};
}

} // namespace

client_connection::client_connection(std::shared_ptr<git_context> around,
                                     handed_connection what, std::string id)
  : around_(std::move(around)), peer_(address_of(what.socket)),
    client_(
      wire::plain_stream(around_->loop->context(), std::move(what.socket)),
      what.first),
    id_(std::move(id)), of_peer_(what.of_peer) {
  if (around_->peers)
    owner_.emplace(around_->peers->node, around_->options.git_timeout, of_peer_,
                   peer_);
}

void client_connection::check_deadlines(
  wire::server_connection::clock::time_point now) {
  client_.check_deadlines(now);
  if (transfer_ != nullptr)
    transfer_->check_deadlines(now);
  if (owner_)
    owner_->check_deadlines(now, client_);
}

bool client_connection::is_of(const std::string& client) const {
  return client
         == (of_peer_ ? address_shares::other_nodes
                      : address_shares::client_of(peer_));
}

bool client_connection::stop_if_idle() {
  auto idle = client_.idle() && !std::exchange(ended_, true);
  if (idle)
    client_.close();
  return idle;
}

void client_connection::stop() {
  if (transfer_ != nullptr)
    transfer_->stop();
  else
    client_.close();
}

asio::awaitable<void>
client_connection::run(std::shared_ptr<client_connection> self) {
  auto& options = self->around_->options;
  conversation how{"git over HTTP", options.git_timeout,
                   options.idle_of_strangers, options.git_head_timeout,
                   self->around_->stopping};
  co_await converse(self->client_, *self, how);
}

void client_connection::begin() {
  change_.reset();
  if (owner_)
    owner_->begin(client_.head());
  auto sent = client_.head().headers.get("X-Request-Id");
  request_id_ = is_sane_request_id(sent)
                  ? std::string{sent}
                  : id_ + '-' + std::to_string(requests_++);
}

void client_connection::check_names() {
  // Another node has looked at what it passes on, and passes on what follows.
  if (of_peer_)
    return;
  auto& headers = client_.head().headers;
  auto fault = fault_of_names(around_->options,
                              {headers.get("Host"), headers.get("Origin"),
                               headers.count("Origin") > 1, false});
  if (fault)
    throw wire::bad_message{fault->status, fault->message};
}

asio::awaitable<void> client_connection::serve() {
  check_names();
  auto& target = client_.head().target;
  auto route = read_route(target);
  if (!route && !target.starts_with("/git/"))
    throw wire::bad_message{421,
                            "this connection is for git, open another one"};
  if (!route)
    throw refused{errc::not_found, why_not_there(target)};
  if (!route->lfs.empty()) {
    co_await serve_lfs(*route);
    co_return;
  }
  check_method(client_.head(), *route);
  co_await serve_route(*route);
}

/// That there is none is for who checks the token to say.
asio::awaitable<whereabouts>
client_connection::look_up(const git_route& route) {
  try {
    co_return co_await other_owner(around_->bridge, *around_->peers,
                                   route.project_id, route.session_id,
                                   around_->options.look_up);
  } catch (const refused& e) {
    if (e.code() != errc::not_found)
      throw;
  }
  co_return whereabouts{};
}

/// True: another node owns the session, and has served what there was.
asio::awaitable<bool> client_connection::pass_on(const git_route& route) {
  if (!owner_)
    co_return false;
  const look_up_owner find = [this, &route] { return look_up(route); };
  const auto connect =
    connection_to(around_->loop, *around_->peers, http::service::api);
  co_return co_await owner_->pass_on(client_, find, connect);
}

asio::awaitable<void> client_connection::serve_route(const git_route& route) {
  auto elsewhere = co_await pass_on(route);
  if (elsewhere)
    co_return;
  auto& options = around_->options;
  const auto is_push =
    *route.service == service::receive_pack && !route.advertise;
  if (is_push)
    change_ = audit_of_push(route);
  std::optional<token_revocation> watch{std::in_place, around_->system,
                                        around_->loop};
  std::string push_rejection;
  auto entered = co_await enter(route, *watch, push_rejection);
  request_body body{client_,
                    is_push ? options.max_push + push_extra : max_wishes,
                    options.git_timeout};
  transfer_plan plan;
  plan.route = route;
  plan.protocol = sane_protocol(client_.head().headers.get("Git-Protocol"));
  plan.request_id = request_id_;
  plan.body = &body;
  if (is_push) {
    plan.push = co_await read_commands(body, plan.begun);
    auto& push = *plan.push;
    if (entered && !push.commands.empty())
      push_rejection =
        fault_of(push, entered->grant.session.branch).value_or("");
    if (push.commands.empty())
      change_.reset();
    if (!push_rejection.empty() || push.commands.empty()) {
      co_await refuse_push(body, push, push_rejection);
      co_return;
    }
  }
  plan.who = std::move(*entered);
  if (!is_push && *route.service == service::upload_pack)
    co_await look_for_list(plan, watch);
  if (!watch) { // nothing of the session's is looked at any more
    co_await come_too_late(plan, watch);
    co_return;
  }
  co_await transmit(std::move(plan), watch);
}

/// The upstream's branches are listed beside the session's own: in the
/// advertisement, or from protocol 2 on where a client asks for a list.
asio::awaitable<void>
client_connection::look_for_list(transfer_plan& plan,
                                 std::optional<token_revocation>& watch) {
  std::vector<std::string> prefixes;
  if (!plan.route.advertise) {
    while (may_be_part_of_list(plan.begun)) {
      auto piece = co_await plan.body->next();
      if (piece.empty())
        co_return;
      plan.begun += piece;
    }
    if (!asks_for_list(plan.begun))
      co_return;
    prefixes = prefixes_of(plan.begun);
  } else if (speaks_v2(plan.protocol)) {
    co_return;
  }
  auto heads = co_await upstream_heads(*around_, plan.who.grant.project);
  auto others = co_await look_for_others(plan, heads, watch);
  heads.merge(others);
  plan.refs.emplace(std::move(heads), std::move(prefixes));
}

/// What it names that is no branch or tag, such as refs/pull/7/head, comes from
/// the upstream first; a branch of the session's does not wait for that. Where
/// a client takes all there is, that is the session's.
asio::awaitable<string_map>
client_connection::look_for_others(const transfer_plan& plan,
                                   const string_map& heads,
                                   std::optional<token_revocation>& watch) {
  const auto is_branch = [&](const std::string& name) {
    return name == plan.who.grant.session.branch
           || heads.contains("refs/heads/" + name);
  };
  std::vector<std::string> names;
  if (auto size = request_size(plan.begun))
    names =
      unusual_refs(std::string_view{plan.begun}.substr(0, *size), is_branch);
  std::erase(names, "refs/");
  string_map result;
  if (names.empty() || !around_->git || watch->dead())
    co_return result;
  // No ending of the session waits for that.
  watch->on_death([&watch] { watch.reset(); });
  struct until_shown {
    std::optional<token_revocation>& watch;
    ~until_shown() {
      if (watch)
        watch->on_death({});
    }
  } guard{watch};
  result = co_await upstream_asked(*around_, plan.who.grant, names);
  co_return result;
}

asio::awaitable<void> client_connection::serve_lfs(const git_route& route) {
  auto elsewhere = co_await pass_on(route);
  if (elsewhere)
    co_return;
  if (client_.head().method == "PUT")
    change_ = audit_of_upload(route);
  token_revocation watch{around_->system, around_->loop};
  std::string none;
  auto entered = co_await enter(route, watch, none);
  transfer_slot slot{*around_, route.session_id};
  struct until_served {
    token_revocation& watch;
    ~until_served() {
      watch.on_death({});
    }
  } guard{watch};
  watch.on_death([this] { client_.close(); });
  lfs_request request{*around_, client_, entered->grant.project,
                      route,    watch,   request_id_};
  co_await request.serve();
}

/// Why a session takes no push now can be said so that git shows it; that is
/// left in `veto` then, and nobody has entered.
asio::awaitable<std::optional<authorized_session>>
client_connection::enter(const git_route& route, token_revocation& watch,
                         std::string& push_rejection) {
  auto token = token_of(client_.head().headers.get("Authorization"));
  if (token.empty())
    throw refused{errc::unauthorized,
                  "the session's clone token is needed: use its clone URL, of "
                  "which the last that was made counts"};
  try {
    co_return co_await admit(*around_, route.project_id, route.session_id,
                             token, watch);
  } catch (const refused& e) {
    if (e.code() != errc::conflict || route.advertise
        || *route.service != service::receive_pack)
      throw;
    push_rejection = e.what();
  }
  co_return std::nullopt;
}

asio::awaitable<push_request>
client_connection::read_commands(request_body& body, std::string& begun) {
  for (;;) {
    auto piece = co_await body.next();
    if (piece.empty())
      throw refused{errc::bad_request, "the push ends amid its commands"};
    begun += piece;
    auto push = read_push(begun);
    if (!push)
      continue;
    // Without a report nobody would know how it went, we included.
    if (!push->commands.empty() && !push->has("report-status")
        && !push->has("report-status-v2"))
      throw refused{errc::bad_request,
                    "this git is too old: it does not ask how a push went"};
    co_return std::move(*push);
  }
}

/// Answers a push by itself. One without commands only tries the token.
asio::awaitable<void> client_connection::refuse_push(request_body& body,
                                                     const push_request& push,
                                                     std::string_view why) {
  if (change_)
    set_result(*change_, 409);
  // Clients listen when they have sent all.
  while (!(co_await body.next()).empty())
    continue;
  auto head =
    answer_head(200, "application/x-git-receive-pack-result", request_id_);
  auto text = push.commands.empty() ? std::string{} : refusal_of(push, why);
  co_await client_.reply(head, text, around_->options.git_timeout);
}

/// Has it done. `watch` goes before the client has been told all, so that who
/// waits for it does not wait for what the client still sends.
asio::awaitable<void>
client_connection::transmit(transfer_plan plan,
                            std::optional<token_revocation>& watch) {
  transfer_slot slot{*around_, plan.who.grant.session.id};
  const auto prepare = [this, &plan] { return git_of(*around_, plan); };
  const auto git = co_await in_background(*around_->disk, prepare);
  if (watch->dead()) {
    co_await come_too_late(plan, watch);
    co_return;
  }
  plan.let_go = [&watch] { watch.reset(); };
  transfer one{*around_, client_, std::move(plan), git};
  struct current {
    transfer*& place;
    std::optional<token_revocation>& watch;
    std::optional<audit_entry>& change;
    ~current() {
      if (change && place->moved())
        set_result(*change, 200);
      place = nullptr;
      if (watch)
        watch->on_death({});
    }
  };
  transfer_ = &one;
  current guard{transfer_, watch, change_};
  watch->on_death([&one] { one.revoke(); });
  co_await one.run();
  // git says in an answer of 200 that it has refused.
  if (change_ && !one.moved())
    set_result(*change_, 409);
}

asio::awaitable<void>
client_connection::come_too_late(const transfer_plan& plan,
                                 std::optional<token_revocation>& watch) {
  watch.reset();
  if (!plan.push)
    throw refused{errc::conflict, std::string{token_is_over}};
  co_await refuse_push(*plan.body, *plan.push, token_is_over);
}

asio::awaitable<void> client_connection::refuse(int status,
                                                std::string_view sentence) {
  auto head = answer_head(status, "text/plain; charset=utf-8", request_id_);
  auto& more = head.headers;
  if (status == 401)
    more.add("WWW-Authenticate", "Basic realm=\"Greenroom session\"");
  if (status == 503)
    more.add("Retry-After", "1");
  if (status == 405)
    more.add("Allow", client_.head().method == "GET" ? "POST" : "GET");
  auto text = "greenroom: " + std::string{sentence} + '\n';
  co_await client_.reply(head, text, around_->options.git_timeout);
}

void client_connection::done(clock::time_point since) {
  auto taken = std::chrono::duration<double, std::milli>(clock::now() - since);
  auto& head = client_.head();
  around_->log->info("{} {} {} {:.1f} ms in={} out={} request={}",
                     loggable_method(head.method), loggable_path(head.target),
                     client_.status(), taken.count(), client_.received(),
                     client_.sent(), request_id_);
  if (!change_)
    return;
  if (change_->status == 0)
    set_result(*change_, client_.status());
  change_->address = owner_ ? owner_->client() : peer_;
  change_->request_id = request_id_;
  around_->audit->add(*std::exchange(change_, {}));
}

} // namespace greenroom::http::git_http
