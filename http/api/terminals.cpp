// The handler of GET …/attach: a client at an exec's terminal.
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

} // namespace

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
