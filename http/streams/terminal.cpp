#include "http/streams/terminal.hpp"

#include "http/base/parse.hpp"
#include "http/base/terminal_size.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/session_watch.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/file_readers.hpp"
#include "http/streams/output_pump.hpp"
#include "http/streams/output_tail.hpp"
#include "http/streams/response_registry.hpp"
#include "http/streams/terminal_orders.hpp"
#include "http/streams/web_socket_heartbeat.hpp"
#include "http/wire/web_socket.hpp"
#include "messages/shortage.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <cstring>
#include <utility>
#include <variant>

namespace greenroom::http {

namespace {

using handlers::retry;
using ws::close_code;

/// Of what the session has not taken yet; beyond it the client is not read.
constexpr std::size_t max_unread = 64 * 1024;

/// A line longer than this is cut where the screenful begins.
constexpr std::size_t longest_line = 4096;

/// Where the exit record cannot be read, as while no descriptors are left, it
/// is tried again after a pause, for so long.
constexpr std::chrono::milliseconds read_pause{200};
constexpr std::chrono::seconds max_unreadable{10};

/// How an exec ended, in the words of a close frame.
std::string ending(const std::filesystem::path& dir) {
  auto record = read_exit_record(dir);
  if (!record)
    return "lost";
  std::string text{to_string(record->status)};
  if (record->status == exit_status::exited)
    text += ' ' + std::to_string(record->exit_code);
  else if (auto name = ::sigabbrev_np(record->signal); name != nullptr)
    text += std::string{' '} + name;
  return text;
}

class terminal final : public long_response,
                       public session_watch_listener,
                       public std::enable_shared_from_this<terminal> {
public:
  terminal(exchange_ptr ex, std::filesystem::path dir, session_actor session,
           const terminal_request& what)
    : long_response(*ex), env_(ex->env), dir_(std::move(dir)),
      session_(std::move(session)), what_(what), ex_(std::move(ex)) {}

  void begin() {
    if (!env_.streams.add(shared_from_this()))
      return;
    if (what_.from)
      open(*what_.from);
    else
      measure(std::make_shared<output_reader>(dir_, output_choice::tty));
  }

  // -- long_response
  // ------------------------------------------------------------

  void close(closing why) override {
    if (!ex_)
      return;
    if (!socket_)
      ex_->refuse(why_closed(why));
    end(code_of(why), why_closed(why).message);
  }

  void tick(clock::time_point now) override {
    if (!socket_)
      return;
    if (!follower_) {
      // A failure kept it from being followed: nothing would end it.
      end(close_code::internal, "the terminal's log cannot be followed");
      return;
    }
    follower_->tick(now);
    if (auto watch = watch_)
      watch->tick();
    if (!socket_)
      return;
    if (!heartbeat_.beat(*socket_, env_.options, now))
      end(close_code::going_away, web_socket_heartbeat::lost);
  }

  stream_kind kind() const noexcept override {
    return stream_kind::terminal;
  }

  // -- session_watch_listener -------------------------------------------------

  void over() override {
    if (follower_)
      follower_->end();
  }
  /// There is no such session any more.
  void failed(const refusal&) override {
    over();
  }

private:
  /// Finds the end of the log, a bounded step at a time.
  void measure(const std::shared_ptr<output_reader>& all) {
    read_elsewhere(
      env_,
      [all] {
        auto more = all->measure();
        all->close();
        return more;
      },
      [self = shared_from_this(), all](bool more,
                                       const std::exception_ptr& failure) {
        if (!self->ex_)
          return;
        if (failure)
          self->give_up(failure);
        else if (more)
          self->measure(all);
        else
          self->find_start(all->total());
      });
  }

  /// The last screenful begins with a line.
  void find_start(std::uint64_t total) {
    if (total <= screenful) {
      open(0);
      return;
    }
    auto start = total - screenful;
    auto from = std::make_shared<output_reader>(dir_, output_choice::tty);
    from->skip(start);
    look_for_line(from, start);
  }

  /// A step at a time, as `measure`: there may be many records before it.
  void look_for_line(const std::shared_ptr<output_reader>& from,
                     std::uint64_t start) {
    struct found {
      std::string text;
      bool more = false;
    };
    read_elsewhere(
      env_,
      [from] {
        found result{std::string(longest_line, '\0'), false};
        auto got = from->read({result.text.data(), result.text.size()});
        from->close();
        result.text.resize(got.size);
        result.more = got.size == 0 && got.more;
        return result;
      },
      [self = shared_from_this(), from,
       start](const found& first, const std::exception_ptr& failure) {
        if (!self->ex_)
          return;
        if (failure) {
          self->give_up(failure);
        } else if (first.more) {
          self->look_for_line(from, start);
        } else {
          auto line = first.text.find('\n');
          self->open(line == std::string::npos ? start : start + line + 1);
        }
      });
  }

  void give_up(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      env_.log->error("a terminal cannot be read: {} request={}", e.what(),
                      ex_->id);
    }
    ex_->refuse(refusal_of(failure));
    done();
  }

  void open(std::uint64_t start) {
    heartbeat_.heard();
    std::weak_ptr<terminal> weak = weak_from_this();
    web_socket_events events;
    events.message = [weak](bool is_text, std::string payload) {
      if (auto self = weak.lock(); self && self->socket_)
        self->heard(is_text, std::move(payload));
    };
    events.alive = [weak] {
      if (auto self = weak.lock())
        self->heartbeat_.heard();
    };
    events.closed = [weak] {
      if (auto self = weak.lock())
        self->done();
    };
    auto protocol = offers(ex_->in.web_socket_protocol, terminal_protocol)
                      ? terminal_protocol
                      : std::string_view{};
    socket_ = ex_->upgrade(protocol, std::move(events));
    output_reader from{dir_, output_choice::tty};
    from.skip(start);
    pump_ = std::make_shared<output_pump>(
      env_, std::move(from),
      [this](slice bytes, std::function<void(bool)> taken) {
        socket_->send(std::move(bytes), std::move(taken));
      },
      [this](output_pump::outcome how) { pumped(how); });
    pump_->look();
    if (!ex_)
      return;
    follower_ = std::make_shared<output_tail>(
      env_, dir_, nullptr, env_.options.heartbeat, [this] { pump_->look(); },
      [this] { finish(); });
    watch_ = std::make_shared<session_watch>(
      ex_, session_watch_task{ex_->exec_id(), true, 0, true}, weak_from_this());
    watch_->begin(session_);
    follower_->tick(clock::now());
  }

  void pumped(output_pump::outcome how) {
    if (how == output_pump::outcome::done)
      end(close_code::normal, reason_);
    else if (how == output_pump::outcome::broken)
      end(close_code::internal, "the terminal's log cannot be read");
    else
      end(close_code::going_away, "");
  }

  /// The exec has ended: what it printed last goes out first.
  void finish() {
    if (!std::exchange(over_, true))
      over_at_ = clock::now();
    read_elsewhere(
      env_, [dir = dir_] { return ending(dir); },
      [self = shared_from_this()](std::string how,
                                  const std::exception_ptr& failure) {
        if (!self->ex_)
          return;
        if (failure && clock::now() - self->over_at_ < max_unreadable) {
          self->env_.loop.after(read_pause, [self] {
            if (self->ex_)
              self->finish();
          });
          return;
        }
        // It is over all the same.
        self->reason_ = failure ? "its exit record cannot be read now" : how;
        self->pump_->finish();
      });
  }

  void heard(bool is_text, std::string payload) {
    if (over_ || payload.empty())
      return;
    auto order = is_text && payload.front() == '{'
                   ? nlohmann::json::parse(payload, nullptr, false)
                   : nlohmann::json{};
    if (order.is_object()) {
      obey(order);
    } else if (!what_.can_type) {
      end(close_code::policy, "the API key may watch this terminal only");
    } else {
      type(std::move(payload));
    }
  }

  /// Keys are never an object; what is one that we do not know is answered.
  void obey(const nlohmann::json& order) {
    if (!order.contains("rows") && !order.contains("cols")) {
      explain();
      return;
    }
    // Who watches has a window of his own, and its size changes nothing.
    auto size = any_size(order);
    if (!size || !what_.can_type)
      return;
    size->exec_id = ex_->exec_id();
    tell(std::move(*size));
  }

  void explain() {
    static const auto text = std::make_shared<const std::string>(
      R"({"error":"a terminal takes keys, as binary messages or as text, )"
      R"(and {\"rows\": R, \"cols\": C}, which sets its size"})");
    if (std::exchange(explaining_, true))
      return;
    socket_->send_text({text, *text}, [self = shared_from_this()](bool) {
      self->explaining_ = false;
    });
  }

  void type(std::string payload) {
    tell(write_input{ex_->exec_id(), shared_text{std::move(payload)}, false});
  }

  void tell(terminal_orders::order order) {
    unread_ += orders_.put(std::move(order));
    if (unread_ > max_unread)
      heartbeat_.pause(*socket_, true);
    tell_next();
  }

  /// One after the other: where the session's actor has to be found first,
  /// another one might come to it before.
  void tell_next() {
    if (!socket_ || orders_.empty() || std::exchange(telling_, true))
      return;
    auto [order, size] = orders_.take();
    std::visit([this, size = size](auto& what) { ask(std::move(what), size); },
               order);
  }

  template <class Message>
  void ask(Message message, std::size_t size) {
    handlers::ask_session<greenroom::done>(
      ex_, env_.options.ordinary, retry::unhandled, std::move(message),
      [self = shared_from_this(), size](const greenroom::done&) {
        self->telling_ = false;
        self->taken(size);
        self->tell_next();
      },
      [self = shared_from_this()](const ask_error& why) {
        self->telling_ = false;
        self->not_taken(to_refusal(why));
        self->tell_next();
      });
  }

  void taken(std::size_t size) {
    if (!socket_)
      return;
    auto was_paused = unread_ > max_unread;
    unread_ -= size;
    if (was_paused && unread_ <= max_unread)
      heartbeat_.pause(*socket_, false);
  }

  void not_taken(const refusal& why) {
    // At the end of the exec its exit record says more than this.
    if (over_ || !socket_)
      return;
    auto passing = why.code == errc::overloaded || why.code == errc::timeout
                   || why.code == errc::unavailable;
    if (passing)
      end(close_code::try_later, why.message);
    else
      end(close_code::policy, why.message);
  }

  void end(close_code why, std::string_view reason) {
    if (!ex_)
      return;
    if (socket_)
      socket_->close(why, reason);
    done();
  }

  void done() {
    if (!ex_)
      return;
    auto self = shared_from_this();
    if (pump_)
      pump_->stop();
    if (follower_)
      follower_->stop();
    if (auto watch = std::exchange(watch_, nullptr))
      watch->stop();
    socket_.reset();
    ex_.reset();
    env_.streams.remove(*this);
  }

  http::edge& env_;
  const std::filesystem::path dir_;
  const session_actor session_;
  const terminal_request what_;
  exchange_ptr ex_; // null: over
  std::shared_ptr<web_socket> socket_;
  std::shared_ptr<output_pump> pump_;
  std::shared_ptr<output_tail> follower_;
  std::shared_ptr<session_watch> watch_;
  std::size_t unread_ = 0; // typed bytes that the session has not taken
  terminal_orders orders_;
  bool telling_ = false;    // one is under way
  bool explaining_ = false; // what we take, and that is being sent
  bool over_ = false;       // the exec has ended
  clock::time_point over_at_;
  std::string reason_; // how
  web_socket_heartbeat heartbeat_;
};

} // namespace

void attach_terminal(const exchange_ptr& ex, std::filesystem::path dir,
                     session_actor session, const terminal_request& what) {
  ex->env.streams.admit(*ex);
  std::make_shared<terminal>(ex, std::move(dir), std::move(session), what)
    ->begin();
}

} // namespace greenroom::http
