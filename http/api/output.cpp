#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/routes.hpp"
#include "http/api/web_socket_request.hpp"
#include "http/edge/ask.hpp"
#include "http/streams/output_download.hpp"
#include "http/streams/terminal.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/scopes.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

namespace {

void check_terminal(const exec_view& view) {
  auto exec = nlohmann::json::parse(view.json.view(), nullptr, false);
  if (!exec.is_object() || !exec.contains("tty") || exec["tty"].is_null())
    throw refused(errc::conflict,
                  "the exec has no terminal; start it with \"tty\" to attach "
                  "to it");
}

/// How those who follow the exchange's exec's output ask about it.
output_tail::question ask_whether_over(const exchange_ptr& ex) {
  return [ex](const std::function<void(bool)>& tell) {
    ask_session<exec_view>(
      ex, ex->env.options.look_up, retry::always,
      greenroom::get_exec{ex->exec_id()},
      [tell](const exec_view& view) { tell(view.ended); },
      [tell](const ask_error& why) {
        tell(to_refusal(why).code == errc::not_found);
      });
  };
}

} // namespace

void get_output(const exchange_ptr& ex) {
  auto what = read_output_request(*ex);
  read_in_session<exec_view>(
    ex, ex->env.options.look_up, greenroom::get_exec{ex->exec_id()},
    [ex, what](const exec_view& view) {
      if (what.follow && !view.ended)
        follow_output(ex, exec_log(*ex), what, ask_whether_over(ex));
      else
        send_output(ex, exec_log(*ex), what);
    });
}

void attach(const exchange_ptr& ex) {
  if (!is_web_socket(ex->in)) {
    refuse_plain(ex);
    return;
  }
  terminal_request what;
  what.from = read_first_byte(*ex);
  what.can_type = has_any(*ex->key, scopes_for(access::change_session));
  read_in_session<exec_view>(
    ex, ex->env.options.look_up, greenroom::get_exec{ex->exec_id()},
    [ex, what](const exec_view& view) {
      check_terminal(view);
      with_session(ex, [ex, what](const session_actor& session) {
        attach_terminal(ex, exec_log(*ex), session, what);
      });
    });
}

} // namespace greenroom::http::handlers
