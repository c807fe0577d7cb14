#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/review_wait.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/session_watch.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/ports.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/durations.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace greenroom::http::handlers {

namespace {

constexpr millis default_timeout = 30'000;
constexpr millis max_timeout = 3 * 60'000;

struct wait_request {
  std::string until;
  std::string exec_id;    // empty: for no exec
  bool setup = false;     // that exec is the project's setup, if there is one
  std::uint16_t port = 0; // 0: for none, or the preview's, which is yet to be
                          // looked up. Without either: for the session's end
  millis timeout = default_timeout;
};

constexpr std::string_view preview_ready = "preview:ready";
constexpr std::string_view setup_done = "setup:done";
constexpr const char* setup_exec = "setup";

/// What is left of `text` between the two, or nullopt.
std::optional<std::string_view>
between(std::string_view start, std::string_view text, std::string_view end) {
  if (text.size() <= start.size() + end.size() || !text.starts_with(start)
      || !text.ends_with(end))
    return std::nullopt;
  return text.substr(start.size(), text.size() - start.size() - end.size());
}

void read_until(std::string_view until, wait_request& to) {
  if (auto exec = between("exec:", until, ":exited")) {
    if (!is_exec_id(*exec))
      throw refused(errc::not_found, "exec not found");
    to.exec_id = *exec;
  } else if (auto port = between("port:", until, "")) {
    to.port = read_port(*port);
  } else if (until == setup_done) {
    to.exec_id = setup_exec;
    to.setup = true;
  } else if (until != "ended" && until != preview_ready
             && until != review_finished) {
    refuse("until must be exec:EID:exited, setup:done, port:N, preview:ready, "
           "review:finished or ended");
  }
}

wait_request read_wait(const exchange& ex) {
  query_params query{ex.in.query};
  wait_request result;
  result.until = query.text("until");
  read_until(result.until, result);
  if (auto text = query.get("timeout")) {
    auto length = parse_duration(*text);
    if (!length)
      refuse("timeout must be a valid duration (e.g., 30s)");
    if (*length > max_timeout)
      refuse("timeout cannot exceed " + format_duration(max_timeout));
    result.timeout = *length;
  }
  return result;
}

/// A request that waits, until the watch says over or its time is.
class waiting final : public long_response,
                      public session_watch_listener,
                      public std::enable_shared_from_this<waiting> {
public:
  waiting(exchange_ptr ex, wait_request what)
    : long_response(*ex), env_(ex->env), what_(std::move(what)),
      timer_(env_.loop.context()), ex_(std::move(ex)) {}

  void begin(const session_actor& session) {
    if (!env_.streams.add(shared_from_this()))
      return;
    watch_ = std::make_shared<session_watch>(
      ex_, session_watch_task{what_.exec_id, what_.setup, what_.port, false},
      weak_from_this());
    timer_.expires_after(std::chrono::milliseconds{what_.timeout});
    timer_.async_wait([weak = weak_from_this()](const error_code& error) {
      if (auto self = weak.lock(); self && !error)
        self->answer(false);
    });
    ex_->on_input_end([weak = weak_from_this()] {
      if (auto self = weak.lock())
        self->hurry();
    });
    watch_->begin(session);
  }

  void close(closing why) override {
    failed(why_closed(why));
  }
  void tick(clock::time_point) override {
    if (auto watch = watch_)
      watch->tick();
    if (hurried_)
      hurry();
  }

  void over() override {
    answer(true);
  }
  void failed(const refusal& why) override {
    if (ex_)
      ex_->refuse(why);
    done();
  }

private:
  /// Who sends no more may listen no more: he gets his answer now, and holds no
  /// place for minutes.
  void hurry() {
    hurried_ = true;
    if (watch_ && watch_->has_looked())
      answer(false);
  }

  void answer(bool reached) {
    if (!ex_)
      return;
    auto ex = ex_;
    done();
    ex->start_over();
    if (what_.port != 0)
      tell_ports(ex);
    else if (what_.exec_id.empty())
      tell_session(ex, env_.options.look_up, what_.until, reached);
    else
      tell_exec(ex, reached);
  }

  void tell_ports(const exchange_ptr& ex) const {
    read_in_session<port_list>(
      ex, env_.options.look_up, greenroom::list_ports{},
      [ex, what = what_](const port_list& found) {
        // A session that has ended listens on none.
        auto list = nlohmann::ordered_json::array();
        for (auto& port : found.ports)
          list.push_back(port_json(port));
        tell(*ex, what.until, is_served(found.ports, what.port), "ports",
             list.dump());
      });
  }

  static void tell_session(const exchange_ptr& ex,
                           std::chrono::milliseconds timeout,
                           const std::string& until, bool reached) {
    read_in_session<session_view>(ex, timeout, greenroom::get_session{},
                                  [ex, until, reached](const session_view& v) {
                                    tell(*ex, until, reached, "session",
                                         shown_session(*ex, v));
                                  });
  }

  // Where there is no setup, nothing has to be waited for.
  void tell_exec(const exchange_ptr& ex, bool reached) const {
    auto timeout = env_.options.look_up;
    auto is_none = [setup = what_.setup](const ask_error& why) {
      return setup && to_refusal(why).code == errc::not_found;
    };
    ask_session<exec_view>(
      ex, timeout, retry::always, greenroom::get_exec{what_.exec_id},
      [ex, reached, until = what_.until](const exec_view& v) {
        tell(*ex, until, reached || v.ended, "exec", v.json.view());
      },
      [ex, timeout, is_none, until = what_.until](const ask_error& why) {
        if (is_none(why))
          tell_session(ex, timeout, until, true);
        else
          refuse_with(ex, why);
      });
  }

  static void tell(exchange& ex, const std::string& until, bool reached,
                   const char* name, std::string_view json) {
    auto result =
      nlohmann::ordered_json{{"until", until}, {"reached", reached}}.dump();
    result.pop_back();
    result += ",\"" + std::string{name} + "\":" + std::string{json} + '}';
    ex.reply(200, result);
  }

  void done() {
    if (!ex_)
      return;
    auto self = shared_from_this();
    std::exchange(ex_, nullptr)->on_input_end({});
    timer_.cancel();
    if (auto watch = std::exchange(watch_, nullptr))
      watch->stop();
    env_.streams.remove(*this);
  }

  http::edge& env_;
  const wait_request what_;
  asio::steady_timer timer_;
  exchange_ptr ex_; // null: over
  std::shared_ptr<session_watch> watch_;
  bool hurried_ = false; // as soon as it is known how things are
};

} // namespace

void wait_for_event(const exchange_ptr& ex) {
  auto what = read_wait(*ex);
  ex->env.streams.admit(*ex);
  if (what.until == review_finished) {
    wait_for_review(ex, std::chrono::milliseconds{what.timeout});
    return;
  }
  if (what.until != preview_ready) {
    with_session(ex, [ex, what](const session_actor& session) {
      std::make_shared<waiting>(ex, what)->begin(session);
    });
    return;
  }
  read_in_session<session_view>(
    ex, ex->env.options.look_up, greenroom::get_session{},
    [ex, what](const session_view& view) mutable {
      what.port = nlohmann::json::parse(view.json.view()).at("preview_port");
      with_session(ex, [ex, what](const session_actor& session) {
        std::make_shared<waiting>(ex, what)->begin(session);
      });
    });
}

} // namespace greenroom::http::handlers
