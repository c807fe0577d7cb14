// GET …/stats: what a session takes of its node.
#include "http/api/handlers.hpp"
#include "http/api/live_session.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/streams/file_readers.hpp"

#include <spdlog/spdlog.h>

namespace greenroom::http::handlers {

namespace {

void measure(const exchange_ptr& ex) {
  read_elsewhere(
    ex->env,
    [usage = ex->env.monitor.usage, id = ex->session_id()] {
      return usage(id);
    },
    [ex](const std::string& json, const std::exception_ptr& failure) {
      if (!failure) {
        ex->reply(200, json);
        return;
      }
      try {
        std::rethrow_exception(failure);
      } catch (const refused& e) {
        ex->refuse(e.code(), e.what());
      } catch (const std::exception& e) {
        ex->env.log->error("a session cannot be measured: {} request={}",
                           e.what(), ex->id);
        ex->refuse(errc::internal, "internal error");
      }
    });
}

} // namespace

void get_stats(const exchange_ptr& ex) {
  if (!ex->env.monitor.usage)
    throw refused(errc::unavailable, "this server measures no sessions");
  with_live_session(ex, [ex] { measure(ex); });
}

} // namespace greenroom::http::handlers
