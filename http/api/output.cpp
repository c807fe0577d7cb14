// What an exec has printed: in one answer, and followed.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/edge/ask.hpp"
#include "http/streams/output_download.hpp"

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

} // namespace greenroom::http::handlers
