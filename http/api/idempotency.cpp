#include "http/api/idempotency.hpp"

#include "http/api/routes.hpp"
#include "http/base/parse.hpp"
#include "http/edge/ask.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/sha256.hpp"

#include <spdlog/spdlog.h>

namespace greenroom::http {

namespace {

constexpr std::size_t max_name = 255;

/// The status by which the store forgets a request.
constexpr std::uint16_t refused_unbegun = 429;

/// This run of the server, so that a request which was begun by an earlier one,
/// or by another node that has lost its lease, is known to be served no more.
const std::string& this_run() {
  static const auto id = make_id();
  return id;
}

/// Lengths keep the parts apart, whatever they hold.
std::string fingerprint_of(const request& in) {
  std::string text;
  for (auto part : {in.method, in.path, in.query, in.body}) {
    text += std::to_string(part.size());
    text += ' ';
    text += part;
  }
  return sha256_hex(text);
}

void replay(const exchange_ptr& ex, const begun_request& kept) {
  if (ex->route->never_replayed && kept.status < 300) {
    ex->planned_id = kept.planned_id;
    ex->repeated = true;
    ex->route->handle(ex);
    return;
  }
  response answer;
  answer.status = kept.status;
  answer.body = with_meta(kept.body, ex->id, now_ms());
  answer.headers.emplace_back("Idempotency-Replayed", "true");
  ex->send(std::move(answer));
}

void refuse_busy(const exchange_ptr& ex) {
  ex->refuse(errc::conflict,
             "a request with this Idempotency-Key is being served right now");
}

void go_on(const exchange_ptr& ex, const std::string& name,
           const begun_request& begun) {
  switch (begun.state) {
    case request_state::fresh:
    case request_state::repeat:
      ex->planned_id = begun.planned_id;
      ex->repeated = begun.state == request_state::repeat;
      ex->record = std::make_unique<request_record>(ex->env, ex->key->id, name);
      ex->route->handle(ex);
      return;
    case request_state::busy:
      refuse_busy(ex);
      return;
    case request_state::done:
      replay(ex, begun);
      return;
    case request_state::reused:
      throw refused(errc::key_reused,
                    "the Idempotency-Key was sent with another request before; "
                    "use a new one");
  }
}

} // namespace

void serve_once(const exchange_ptr& ex) {
  std::string name{ex->in.idempotency_key};
  if (!is_visible_ascii(name, max_name))
    throw refused(errc::bad_request,
                  "Idempotency-Key must have 1-255 visible ASCII characters");
  begin_request what{ex->key->id, name,      fingerprint_of(ex->in),
                     this_run(),  make_id(), now_ms()};
  handlers::ask<begun_request>(
    ex, ex->env.store, ex->env.options.ordinary, std::move(what),
    [=](const begun_request& begun) { go_on(ex, name, begun); });
}

request_record::request_record(http::edge& thread, std::string key_id,
                               std::string name)
  : env_(thread), key_id_(std::move(key_id)), name_(std::move(name)) {}

request_record::~request_record() {
  if (kept_)
    return;
  try {
    // A status that is not kept: whoever asks again is served.
    env_.bridge.ask<done>(
      env_.store, env_.options.ordinary,
      finish_request{key_id_, name_, left_as_, {}, now_ms()},
      [](const done&) {},
      [log = env_.log](const ask_error& why) {
        log->warn("an Idempotency-Key stays taken: {}",
                  to_refusal(why).message);
      });
  } catch (const std::exception& e) {
    env_.log->warn("an Idempotency-Key stays taken: {}", e.what());
  }
}

void request_record::keep(const exchange_ptr& ex, response answer) {
  const auto untouched = ex->untouched || answer.status == refused_unbegun;
  if (answer.status >= 500 || untouched) {
    // What an earlier try has done is as unknown as before.
    if (untouched && !ex->repeated)
      left_as_ = refused_unbegun;
    ex->send(std::move(answer));
    return;
  }
  kept_ = true;
  finish_request what{key_id_, name_, static_cast<std::uint16_t>(answer.status),
                      std::string{without_meta(answer.body)}, now_ms()};
  if (answer.status < 300 && ex->route->never_replayed)
    what.body.clear();
  else if (!ex->kept_data.empty())
    what.body = R"({"data":)" + ex->kept_data;
  env_.bridge.ask<done>(
    env_.store, env_.options.ordinary, std::move(what),
    [ex, answer = std::move(answer)](const done&) mutable {
      ex->send(std::move(answer));
    },
    [ex](const ask_error& why) {
      ex->env.log->error("an answer could not be kept for its "
                         "Idempotency-Key: {} request={}",
                         to_refusal(why).message, ex->id);
      ex->refuse(errc::unavailable,
                 "the request was served, but its answer could not be written "
                 "down; send it again with the same Idempotency-Key");
    });
}

} // namespace greenroom::http
