// What an exec has printed: in one answer, and followed.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/edge/ask.hpp"
#include "http/streams/output_download.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

namespace {

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

/// By what is known of it, whatever is kept.
bool has_printed(const exec_view& view, output_choice stream) {
  auto exec = nlohmann::json::parse(view.json.view(), nullptr, false);
  if (!exec.is_object())
    return true;
  auto of = [&](const char* name) { return exec.value(name, 1ULL) > 0; };
  switch (stream) {
    case output_choice::err:
      return of("stderr_bytes");
    case output_choice::out:
    case output_choice::tty:
      return of("stdout_bytes");
    case output_choice::both:
      break;
  }
  return of("stdout_bytes") || of("stderr_bytes");
}

} // namespace

void get_output(const exchange_ptr& ex) {
  auto what = read_output_request(*ex);
  read_in_session<exec_view>(
    ex, ex->env.options.look_up, greenroom::get_exec{ex->exec_id()},
    [ex, what](const exec_view& view) mutable {
      what.printed = has_printed(view, what.stream);
      if (what.follow && !view.ended)
        follow_output(ex, exec_log(*ex), what, ask_whether_over(ex));
      else
        send_output(ex, exec_log(*ex), what);
    });
}

} // namespace greenroom::http::handlers
