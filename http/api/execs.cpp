#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/base/terminal_size.hpp"
#include "http/edge/ask.hpp"
#include "http/streams/awaited_answer.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/uncertain.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/base/durations.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

constexpr millis max_wait = 60'000;

/// Of a command with its arguments and environment, and of what it is fed.
constexpr std::size_t max_text = std::size_t{8} << 20;

/// A name that a shell can use: ^[A-Za-z_][A-Za-z0-9_]*$.
bool is_env_name(std::string_view text) noexcept {
  auto letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  return !text.empty() && letter(text.front())
         && std::ranges::all_of(
           text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// Refuses what cannot lie in the checkout. Links are the runner's matter.
void check_cwd(std::string_view path) {
  if (path.starts_with('/'))
    refuse("cwd must be relative to the checkout");
  while (!path.empty()) {
    auto slash = path.find('/');
    if (path.substr(0, slash) == "..")
      refuse("cwd must not contain \"..\"");
    path.remove_prefix(slash == std::string_view::npos ? path.size()
                                                       : slash + 1);
  }
}

millis read_wait(const std::string& text) {
  if (text == "0" || text == "0s")
    return 0;
  auto wait = parse_duration(text);
  if (!wait)
    refuse("wait must be a valid duration (e.g., 10s)");
  if (*wait > max_wait)
    refuse("wait cannot exceed 60s");
  return *wait;
}

bool read_stdin(object_reader& fields) {
  auto text = fields.text("stdin").value_or("closed");
  if (text != "open" && text != "closed")
    refuse("stdin must be closed or open");
  return text == "open";
}

void read_tty(object_reader& fields, exec_spec& spec) {
  auto value = fields.object("tty");
  if (value == nullptr)
    return;
  object_reader tty{*value, "tty."};
  auto size = read_size(tty);
  tty.done();
  spec.rows = size.rows;
  spec.cols = size.cols;
}

/// What is asked for, and what it is fed at first.
struct exec_request {
  greenroom::start_exec start;
  std::string stdin_text;
  bool stays_open = false; // its input, behind that
};

/// An input that is fed is open, but for that of a terminal, which always is.
void read_input(object_reader& fields, exec_request& to) {
  auto& spec = to.start.spec;
  auto open = read_stdin(fields);
  to.stdin_text = fields.text("stdin_text").value_or("");
  if (to.stdin_text.size() > max_text)
    refuse("stdin_text cannot be longer than 8 MiB; write the rest with POST "
           "…/execs/{eid}/stdin");
  to.stays_open = open || spec.rows > 0;
  spec.stdin_open = open || (!to.stdin_text.empty() && spec.rows == 0);
}

exec_request read_exec(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  exec_request request;
  auto& result = request.start;
  auto& spec = result.spec;
  auto command = fields.text("command");
  auto argv = fields.text_list("argv");
  auto exec_id = fields.text("exec_id");
  spec.cwd = fields.text("cwd").value_or("");
  spec.env = fields.text_map("env").value_or(string_map{});
  auto timeout = fields.text("timeout");
  auto wait = fields.text("wait");
  read_tty(fields, spec);
  read_input(fields, request);
  fields.done();

  if (!command && !argv)
    refuse("command or argv is required");
  if (command && argv)
    refuse("specify either command or argv, not both");
  if (command && command->empty())
    refuse("command must not be empty");
  if (argv && (argv->empty() || argv->front().empty()))
    refuse("argv must begin with the name of a program");
  spec.command = std::move(command).value_or("");
  spec.argv = std::move(argv).value_or(std::vector<std::string>{});
  if (exec_id && !is_exec_id(*exec_id))
    refuse("exec_id must match ^[A-Za-z0-9_-]{1,64}$");
  spec.exec_id = std::move(exec_id).value_or(ex.planned_id);
  check_cwd(spec.cwd);
  for (auto& [name, value] : spec.env)
    if (!is_env_name(name))
      refuse("env: \"" + name + "\" is no name, it must match "
             + "^[A-Za-z_][A-Za-z0-9_]*$");
  if (timeout) {
    auto length = parse_duration(*timeout);
    if (!length)
      refuse("timeout must be a valid duration (e.g., 90s, 10m)");
    spec.timeout = *length;
  }
  if (text_size(spec) > max_text)
    refuse("the command with its arguments and environment cannot be longer "
           "than 8 MiB; put what is larger into a file, by git or stdin_text");
  result.wait = wait ? read_wait(*wait) : 0;
  return request;
}

/// Whether the session may have done what it did not answer. One that is too
/// busy, or not there, has done nothing.
bool may_have_acted(const ask_error& why) {
  if (why.is_unread())
    return false;
  const auto& what = to_refusal(why);
  return why.is_gone() || is_uncertain(what)
         || (what.code != errc::overloaded && what.code != errc::unavailable);
}

/// For what must not be done twice: who is refused before it is done may ask
/// again with the same Idempotency-Key.
template <class Reply, class Message, class Ok>
void do_once(const exchange_ptr& ex, Message message, Ok ok) {
  ask_session<Reply>(ex, ex->env.options.ordinary, retry::unhandled,
                     std::move(message), std::move(ok),
                     [ex](const ask_error& why) {
                       ex->untouched = !may_have_acted(why);
                       refuse_with(ex, why);
                     });
}

void reply_with(const exchange_ptr& ex, int status, const exec_view& view) {
  ex->reply(status, view.json.view());
}

void reply_begun(const exchange_ptr& ex, const exec_view& view) {
  reply_with(ex, view.ended ? 200 : 202, view);
}

std::chrono::milliseconds time_for(const exchange& ex, millis wait) {
  auto& options = ex.env.options;
  return wait == 0 ? options.ordinary
                   : std::chrono::milliseconds{wait} + options.wait_slack;
}

void start_and_reply(const exchange_ptr& ex, greenroom::start_exec what) {
  auto timeout = time_for(*ex, what.wait);
  change_in_session<exec_view>(
    ex, timeout, std::move(what),
    [ex](const exec_view& view) { reply_begun(ex, view); });
}

/// For a session on a node of an older release, which feeds no command by
/// itself: starts it, feeds it, and where its end is waited for asks once more,
/// which starts nothing. A repetition is not fed where that might be twice.
void start_then_feed(const exchange_ptr& ex, greenroom::start_fed_exec what) {
  greenroom::start_exec first{{}, what.spec, 0};
  auto asked = std::make_shared<greenroom::start_fed_exec>(std::move(what));
  change_in_session<exec_view>(
    ex, ex->env.options.ordinary, std::move(first),
    [ex, asked](const exec_view& view) {
      // Nobody waits until all of it is read; why it is not, the exec says.
      if (!view.ended && (!ex->repeated || asked->input_ends))
        ask_session<done>(
          ex, ex->env.options.ordinary, retry::unhandled,
          write_input{asked->spec.exec_id, asked->input, asked->input_ends},
          [](const done&) {}, [](const ask_error&) {});
      if (asked->wait == 0)
        reply_begun(ex, view);
      else
        start_and_reply(ex,
                        greenroom::start_exec{{}, asked->spec, asked->wait});
    });
}

void start_fed(const exchange_ptr& ex, exec_request request) {
  auto& start = request.start;
  auto hash = sha256_hex(request.stdin_text);
  greenroom::start_fed_exec what{
    {},         std::move(start.spec),
    start.wait, shared_text{std::move(request.stdin_text)},
    hash,       !request.stays_open};
  if (what.spec.exec_id.empty())
    what.spec.exec_id = make_id();
  auto timeout = time_for(*ex, what.wait);
  ask_session<exec_view>(
    ex, timeout, retry::unhandled, what,
    [ex](const exec_view& view) { reply_begun(ex, view); },
    [ex, what](const ask_error& why) {
      if (why.is_unknown())
        start_then_feed(ex, what);
      else
        refuse_with(ex, why);
    });
}

} // namespace

void start_exec(const exchange_ptr& ex) {
  auto request = read_exec(*ex);
  if (request.start.wait != 0 && !await_answer_with_key(ex))
    return;
  if (request.stdin_text.empty())
    start_and_reply(ex, std::move(request.start));
  else
    start_fed(ex, std::move(request));
}

void list_execs(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  read_in_session<exec_page>(
    ex, ex->env.options.look_up,
    greenroom::list_execs{query.limit(), query.text("cursor")},
    [ex](const exec_page& page) {
      ex->reply(200, list_json("execs", page.json.view(), page.next_cursor));
    });
}

void get_exec(const exchange_ptr& ex) {
  read_in_session<exec_view>(
    ex, ex->env.options.look_up, greenroom::get_exec{ex->exec_id()},
    [ex](const exec_view& view) { reply_with(ex, 200, view); });
}

void write_stdin(const exchange_ptr& ex) {
  // Written twice, the bytes would be read twice.
  if (ex->repeated)
    throw refused(errc::conflict,
                  "it is not known whether the first request with this "
                  "Idempotency-Key was written; look at what the command "
                  "answered, and use a new key");
  query_params query{ex->in.query};
  write_input what{ex->exec_id(), shared_text{std::string{ex->in.body}},
                   query.flag("eof")};
  auto answer =
    ordered_json{{"written", ex->in.body.size()}, {"eof", what.eof}}.dump();
  do_once<done>(ex, std::move(what),
                [ex, answer](const done&) { ex->reply(200, answer); });
}

void signal_exec(const exchange_ptr& ex) {
  if (ex->repeated)
    throw refused(errc::conflict,
                  "it is not known whether the first request with this "
                  "Idempotency-Key sent the signal; look at the exec, and use "
                  "a new key");
  auto body = parse_object(ex->in.body);
  object_reader fields{body};
  auto signal = read_signal(fields.value("signal"));
  fields.done();
  do_once<exec_view>(
    ex, greenroom::signal_exec{ex->exec_id(), signal},
    [ex](const exec_view& view) { reply_with(ex, 200, view); });
}

void resize_exec(const exchange_ptr& ex) {
  auto body = parse_object(ex->in.body);
  object_reader fields{body};
  auto what = read_size(fields);
  fields.done();
  what.exec_id = ex->exec_id();
  auto answer = ordered_json{{"rows", what.rows}, {"cols", what.cols}}.dump();
  change_in_session<done>(
    ex, ex->env.options.ordinary, std::move(what),
    [ex, answer](const done&) { ex->reply(200, answer); });
}

void cancel_exec(const exchange_ptr& ex) {
  change_in_session<exec_view>(
    ex, ex->env.options.ordinary, greenroom::cancel_exec{ex->exec_id()},
    [ex](const exec_view& view) { reply_with(ex, 200, view); });
}

} // namespace greenroom::http::handlers
