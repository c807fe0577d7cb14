// The web console: its files, and the logins that let a browser in.
#include "http/api/handlers.hpp"
#include "http/base/parse.hpp"
#include "http/console/files.hpp"
#include "http/edge/thread_context.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/logins.hpp"
#include "runtime/base/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

// Scripts are our own files and nothing else, so what a session prints cannot
// become one. xterm.js makes style elements, which is why styles may be inline;
// nothing is loaded from elsewhere, and no other page may show the console.
constexpr std::string_view policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
  "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action "
  "'self'; base-uri 'none'; frame-ancestors 'none'";

void send_file(const exchange_ptr& ex, const http::console_file& file) {
  response answer;
  answer.content_type = file.type;
  answer.shared = {file.bytes, *file.bytes};
  answer.headers = {{"Content-Security-Policy", std::string{policy}},
                    {"Referrer-Policy", "no-referrer"},
                    {"Cross-Origin-Opener-Policy", "same-origin"},
                    {"Vary", "Accept"}};
  ex->send(std::move(answer));
}

void send_named(const exchange_ptr& ex, std::string_view name) {
  auto* file = ex->env.console.find(name);
  if (file == nullptr)
    throw refused(errc::not_found, "the console has no such file");
  send_file(ex, *file);
}

/// The Set-Cookie of a login, or of its end where `login` is empty.
std::string set_cookie(const exchange& ex, std::string_view login,
                       unix_ms seconds) {
  auto result =
    std::string{login_cookie} + '=' + std::string{login}
    + "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(seconds);
  if (ex.env.options.public_url.starts_with("https:"))
    result += "; Secure";
  return result;
}

void send_with_cookie(const exchange_ptr& ex, std::string_view data,
                      std::string cookie) {
  response answer;
  answer.body = envelope(data, ex->id, now_ms());
  answer.headers.emplace_back("Set-Cookie", std::move(cookie));
  ex->send(std::move(answer));
}

} // namespace

/// For a person the console, for a program where to find what.
void index(const exchange_ptr& ex) {
  auto* page = ex->env.console.find("index.html");
  if (page != nullptr && ex->in.accept.find("text/html") != std::string::npos) {
    send_file(ex, *page);
    return;
  }
  ex->reply(200, ordered_json{{"name", "greenroom"},
                              {"version", greenroom::version()},
                              {"openapi", "/openapi.json"},
                              {"docs", "/docs"},
                              {"errors", "/docs/errors"},
                              {"ready", "/readyz"},
                              {"whoami", "/whoami"}}
                   .dump());
}

void console_file(const exchange_ptr& ex) {
  send_named(ex, ex->params[0]);
}

/// The console's, for pages that name none: browsers ask for it by themselves.
void icon(const exchange_ptr& ex) {
  send_named(ex, "icon.svg");
}

void log_in(const exchange_ptr& ex) {
  // A login cannot be made from a login, or it would last for ever.
  if (secret_of(ex->in.authorization, ex->in.api_key).empty())
    throw refused(errc::unauthorized,
                  "to log in, send a key as Authorization: Bearer KEY or "
                  "X-API-Key: KEY");
  auto now = now_ms();
  auto until = now + login_time;
  if (ex->key->expires_at != 0)
    until = std::min(until, ex->key->expires_at);
  auto login = ex->env.keys.logins().make(ex->key->id, until);
  send_with_cookie(ex, key_json(*ex->key).dump(),
                   set_cookie(*ex, login, (until - now) / 1000));
}

void log_out(const exchange_ptr& ex) {
  send_with_cookie(ex, R"({"status":"logged out"})", set_cookie(*ex, {}, 0));
}

} // namespace greenroom::http::handlers
