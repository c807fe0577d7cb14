#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/base/terminal_size.hpp"
#include "http/edge/ask.hpp"
#include "messages/ids.hpp"
#include "runtime/base/durations.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

constexpr millis max_wait = 60'000;

[[noreturn]] void refuse(const std::string& message) {
  throw refused(errc::bad_request, message);
}

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

greenroom::start_exec read_exec(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  greenroom::start_exec result;
  result.by = ex.by();
  auto& spec = result.spec;
  auto command = fields.text("command");
  auto argv = fields.text_list("argv");
  auto exec_id = fields.text("exec_id");
  spec.cwd = fields.text("cwd").value_or("");
  spec.env = fields.text_map("env").value_or(string_map{});
  auto timeout = fields.text("timeout");
  auto wait = fields.text("wait");
  spec.stdin_open = read_stdin(fields);
  read_tty(fields, spec);
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
  result.wait = wait ? read_wait(*wait) : 0;
  return result;
}

void reply_with(const exchange_ptr& ex, int status, const exec_view& view) {
  ex->reply(status, view.json.view());
}

} // namespace

void start_exec(const exchange_ptr& ex) {
  auto what = read_exec(*ex);
  auto& options = ex->env.options;
  auto timeout = what.wait == 0
                   ? options.ordinary
                   : std::chrono::milliseconds{what.wait} + options.wait_slack;
  change_in_session<exec_view>(ex, timeout, std::move(what),
                               [ex](const exec_view& view) {
                                 reply_with(ex, view.ended ? 200 : 202, view);
                               });
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
  change_in_session<done>(
    ex, ex->env.options.ordinary, std::move(what),
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
  change_in_session<exec_view>(
    ex, ex->env.options.ordinary, greenroom::signal_exec{ex->exec_id(), signal},
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
