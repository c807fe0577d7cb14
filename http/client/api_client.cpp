#include "http/client/api_client.hpp"

#include "http/client/backoff.hpp"
#include "http/client/errors.hpp"
#include "http/client/printable.hpp"
#include "http/client/printing.hpp"
#include "http/wire/dial.hpp"
#include "messages/ids.hpp"
#include "runtime/base/utf8.hpp"
#include "runtime/base/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::http::client {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr milliseconds connect_limit{10'000};

/// For each step: an answer may take as long as the server's slowest route.
constexpr milliseconds step_limit{60'000};
constexpr milliseconds answer_limit{130'000};

constexpr milliseconds look_period{250};

/// A server that is started anew is back before that.
constexpr milliseconds silent_wait{5'000};

constexpr const char* tls_help =
  "a server without TLS has an http:// address; GREENROOM_CA_FILE or --ca-file "
  "names authorities of your own";

// How long to wait before the same request may do: the server says so, or what
// stands before it is without one.
std::optional<milliseconds> retry_after(const reply& answer) {
  if (answer.status == 502)
    return backoff::first;
  if (answer.status != 409 && answer.status != 429 && answer.status != 503
      && answer.status != 504)
    return std::nullopt;
  auto all = json::parse(answer.body, nullptr, false);
  if (!all.is_object())
    return answer.status >= 503 ? std::optional{backoff::longest}
                                : std::nullopt;
  if (answer.status == 504) // the server itself has waited
    return std::nullopt;
  const json::json_pointer details{"/error/details"};
  if (!all.contains(details) || !all[details].value("retryable", false))
    return std::nullopt;
  return milliseconds{all[details].value("retry_after_ms", 1'000)};
}

} // namespace

json data_of(const reply& answer) {
  if (answer.status >= 400)
    throw_refusal(answer.status, answer.body);
  auto all = json::parse(answer.body, nullptr, false);
  if (all.is_discarded())
    throw_refusal(answer.status, {});
  if (all.is_object() && all.contains("data"))
    return std::move(all["data"]);
  return all;
}

void throw_refusal(int status, const std::string& body) {
  auto all = json::parse(body, nullptr, false);
  if (all.is_object() && all.contains("error") && all["error"].is_object()) {
    auto& error = all["error"];
    auto message = error.value("message", "");
    std::string help;
    milliseconds wait{0};
    if (error.contains("details") && error["details"].is_object()) {
      auto& details = error["details"];
      help = details.value("remediation", "");
      wait = milliseconds{details.value("retry_after_ms", 0)};
      if (auto at = details.find("position"); at != details.end())
        message += " at line " + std::to_string(at->value("line", 0))
                   + ", column " + std::to_string(at->value("column", 0));
    }
    // What is to be reported is reported by it.
    if (auto meta = all.find("meta"); error.value("code", "") == "INTERNAL"
                                      && meta != all.end() && meta->is_object())
      message += " (request " + meta->value("request_id", "?") + ')';
    throw api_error(status, error.value("code", ""), message, help, wait);
  }
  throw api_error(status, "",
                  "the server answered " + std::to_string(status) + " "
                    + std::string{wire::reason_of(status)},
                  "check that the URL is a Greenroom server's");
}

namespace {

// With what is no ASCII as a shell takes it in $'…'.
std::string in_ascii(const std::string& text) {
  constexpr const char* digits = "0123456789abcdef";
  std::string result;
  for (unsigned char c : text)
    if (c < 0x80)
      result += static_cast<char>(c);
    else
      result += std::string{"\\x"} + digits[c >> 4] + digits[c & 15];
  return printable(result);
}

// Which of a body's texts cannot be sent.
void find_bad_text(const json& in, const std::string& name) {
  auto check = [&](const std::string& text) {
    if (!is_utf8(text))
      throw usage_error((name.empty() ? "an argument" : in_options(name))
                        + " is not UTF-8: " + in_ascii(text));
  };
  if (in.is_string())
    check(in.get_ref<const std::string&>());
  else if (in.is_array())
    for (auto& one : in)
      find_bad_text(one, name);
  else if (in.is_object())
    for (auto& [field, value] : in.items()) {
      check(field);
      find_bad_text(value, name.empty() ? field : name + '.' + field);
    }
}

} // namespace

std::string body_text(const json& body) {
  find_bad_text(body, {});
  return body.dump();
}

std::string escaped(std::string_view text) {
  constexpr std::string_view plain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  constexpr char digits[] = "0123456789ABCDEF";
  std::string result;
  for (auto c : text) {
    if (plain.find(c) != std::string_view::npos) {
      result += c;
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

asio::awaitable<std::string_view> reply_stream::read(milliseconds silence) {
  return connection_->read_body(silence);
}

api_client::api_client(asio::io_context& io, server_choice server)
  : io_(io), server_(std::move(server)) {
  asio::co_spawn(io_, watch_deadlines(), asio::detached);
}

api_client::~api_client() = default;

asio::awaitable<void> api_client::watch_deadlines() {
  asio::steady_timer timer{io_};
  while (true) {
    timer.expires_after(look_period);
    co_await timer.async_wait(asio::use_awaitable);
    const auto now = clock::now();
    std::erase_if(all_, [&](auto& weak) {
      auto one = weak.lock();
      if (one)
        one->check_deadlines(now);
      return !one;
    });
  }
}

asio::awaitable<unique_fd> api_client::dial() {
  try {
    auto host = server_.at.host;
    auto port = server_.at.port;
    auto made =
      co_await wire::dial(io_, std::move(host), std::move(port), connect_limit);
    co_return made;
  } catch (const wire::unreachable& e) {
    throw unreachable_server(server_.at.url()
                             + " cannot be reached: " + e.what());
  }
}

asio::awaitable<api_client::connection_ptr> api_client::connect(bool fresh) {
  while (!fresh && !idle_.empty()) {
    auto kept = std::move(idle_.back());
    idle_.pop_back();
    if (!kept->stale())
      co_return kept;
  }
  auto socket = co_await dial();
  std::unique_ptr<wire::byte_stream> stream;
  if (server_.at.tls) {
    wire::tls_trust trust{server_.at.host, server_.ca_file};
    try {
      stream = co_await wire::start_tls(io_, std::move(socket),
                                        std::move(trust), connect_limit);
    } catch (const wire::unreachable& e) {
      throw unreachable_server(
        server_.at.url() + " cannot be reached: " + e.what(), tls_help);
    }
  } else {
    stream = wire::plain_stream(io_, std::move(socket));
  }
  auto made = std::make_shared<wire::client_connection>(std::move(stream));
  all_.push_back(made);
  co_return made;
}

wire::message_head api_client::head_of(const request& what) const {
  wire::message_head head;
  head.method = what.method;
  head.target = server_.at.path + what.target;
  head.headers.add("Host", server_.at.authority());
  head.headers.add("User-Agent", std::string{"greenroom/"} + version());
  if (!server_.key.empty())
    head.headers.add("Authorization", "Bearer " + server_.key);
  if (!what.content_type.empty())
    head.headers.add("Content-Type", what.content_type);
  for (auto& one : what.headers)
    head.headers.add(one.name, one.value);
  return head;
}

asio::awaitable<void> api_client::begin(wire::client_connection& on,
                                        const request& what) {
  auto has_body = !what.content_type.empty() || what.method == "POST";
  std::optional<std::uint64_t> length;
  if (has_body)
    length = what.body.size();
  on.begin(head_of(what), has_body, length);
  if (what.body.empty())
    co_await on.flush(step_limit);
  else
    co_await on.write(what.body, step_limit);
  co_await on.finish(step_limit);
  do
    co_await on.read_head(answer_limit);
  while (on.head().status < 200 && on.head().status != 101);
  answered_ = true;
  if (on.head().status < 400) // others may be those of a proxy
    told_ = false;
}

void api_client::wait_for_long(std::string way_back,
                               std::chrono::seconds longest) {
  way_back_ = std::move(way_back);
  patience_ = longest;
  tells_ = true;
}

void api_client::wait_for_short() {
  patience_ = reconnect_timeout;
  tells_ = false;
}

bool api_client::may_wait(clock::time_point since) {
  const auto waited = clock::now() - since;
  if (waited >= patience_)
    return false;
  if (tells_ && waited >= silent_wait && !std::exchange(told_, true))
    say("greenroom: the server is away or busy; trying again for "
        + std::to_string(
          std::chrono::duration_cast<std::chrono::minutes>(patience_).count())
        + " minutes");
  return true;
}

unreachable_server api_client::give_up(const std::string& problem) {
  wait_for_short();
  if (way_back_.empty())
    return unreachable_server{problem};
  return unreachable_server{problem, way_back_};
}

asio::awaitable<reply> api_client::send_once(const request& what, bool fresh,
                                             bool& connected) {
  auto on = co_await connect(fresh);
  connected = true;
  co_await begin(*on, what);
  reply result;
  result.status = on->head().status;
  result.headers = on->head().headers;
  while (true) {
    auto piece = co_await on->read_body(step_limit);
    if (piece.empty())
      break;
    result.body += piece;
  }
  if (on->reusable())
    idle_.push_back(std::move(on));
  co_return result;
}

asio::awaitable<reply> api_client::send(request what) {
  if (what.method == "POST")
    what.headers.add("Idempotency-Key", make_id());
  // Once it may have arrived, only what does no harm twice goes again.
  const auto repeatable = what.repeatable || what.method == "POST"
                          || what.method == "GET" || what.method == "HEAD";
  const auto since = clock::now();
  backoff pause{io_};
  for (bool fresh = false;; fresh = true) {
    bool connected = false;
    bool given_up = false;
    std::string problem;
    milliseconds least{0};
    try {
      auto answer = co_await send_once(what, fresh, connected);
      auto wait = repeatable ? retry_after(answer) : std::nullopt;
      if (!wait)
        co_return answer;
      if (clock::now() + *wait >= since + patience_ || !may_wait(since)) {
        given_up = tells_ && answer.status >= 500;
        if (!given_up) // else it is a proxy's, or of one that starts
          co_return answer;
        problem =
          server_.at.url() + " answers " + std::to_string(answer.status);
      }
      least = *wait;
    } catch (const wire::lost& e) {
      problem = server_.at.url() + " gave no answer: " + e.what();
      // One that was kept may have been hung up on: a new one is no retry.
      if (!fresh && repeatable)
        continue;
    } catch (const wire::bad_message& e) {
      throw unreachable_server(
        server_.at.url() + " does not speak HTTP: " + e.what(),
        "a server behind TLS has an https:// address; GREENROOM_URL or --url "
        "names another");
    } catch (const unreachable_server& e) {
      if (!answered_)
        throw;
      problem = e.what();
    }
    if (given_up
        || (!problem.empty()
            && ((connected && !repeatable) || !may_wait(since))))
      throw give_up(problem);
    co_await pause.wait(least);
  }
}

asio::awaitable<json> api_client::call(std::string method, std::string target,
                                       json body) {
  request what{std::move(method), std::move(target), {}, {}, {}};
  if (!body.is_null()) {
    what.body = body_text(body);
    what.content_type = "application/json";
  }
  auto answer = co_await send(std::move(what));
  co_return data_of(answer);
}

asio::awaitable<json> api_client::remove_again(std::string target) {
  request what{"DELETE", std::move(target), {}, {}, {}, true};
  auto answer = co_await send(std::move(what));
  co_return data_of(answer);
}

asio::awaitable<json> api_client::get(std::string target) {
  return call("GET", std::move(target), nullptr);
}

asio::awaitable<json> api_client::post(std::string target, json body) {
  return call("POST", std::move(target), std::move(body));
}

asio::awaitable<std::string> api_client::text(std::string target) {
  request what;
  what.target = std::move(target);
  auto answer = co_await send(std::move(what));
  if (answer.status >= 400)
    throw_refusal(answer.status, answer.body);
  co_return std::move(answer.body);
}

asio::awaitable<std::shared_ptr<reply_stream>> api_client::open(request what) {
  auto on = co_await connect(true);
  co_await begin(*on, what);
  if (on->head().status < 400)
    co_return std::make_shared<reply_stream>(std::move(on));
  std::string body;
  while (true) {
    auto piece = co_await on->read_body(step_limit);
    if (piece.empty())
      break;
    body += piece;
  }
  throw_refusal(on->head().status, body);
}

asio::awaitable<std::unique_ptr<wire::web_socket_client>>
api_client::open_socket(std::string target) {
  request what;
  what.target = std::move(target);
  auto head = head_of(what);
  auto socket = co_await dial();
  std::optional<wire::tls_trust> trust;
  if (server_.at.tls)
    trust = wire::tls_trust{server_.at.host, server_.ca_file};
  int status = 0;
  std::string body;
  try {
    auto made = co_await wire::open_web_socket(
      io_, std::move(socket), std::move(trust), std::move(head));
    answered_ = true;
    told_ = false;
    co_return made;
  } catch (const wire::upgrade_refused& e) {
    status = e.status();
    body = e.body();
  } catch (const wire::unreachable& e) {
    throw unreachable_server(server_.at.url()
                             + " cannot be reached: " + e.what());
  }
  throw_refusal(status, body);
}

} // namespace greenroom::http::client
