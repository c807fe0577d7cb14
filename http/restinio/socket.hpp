// A TCP socket that does four things which the HTTP library does not.
//
// It hands connections that begin with a request for git to whom the service
// `git_handover` of the io_context names; RESTinio sees their end. Once a
// connection is RESTinio's it stays so.
//
// It answers `Expect: 100-continue`: clients that wait for it before they send
// a body would wait in vain.
// It looks at what is read: a head that asks for it and after which nothing has
// come yet is answered at once. Whether we want the body is not asked, it is
// bounded anyway. An answer that is being written to a pipelined request before
// is not disturbed. A client that asks while it reads an event stream spoils
// its own stream.
//
// It refuses by the head of a connection's first request, as first_head says:
// strangers' bodies are not read, and what RESTinio would close without a
// word gets an answer. Who sets `first_heads` says who is no stranger.
//
// It ends connections that send a request without end: RESTinio keeps what
// it has read of one, many times over where it comes in small chunks. What may
// be read before an answer begins is bounded for a connection, and for all of a
// thread's together, as `read_budget` says; what is over it gets 503.
#pragma once

#include "http/base/address_shares.hpp"
#include "http/base/asio.hpp"
#include "http/base/handed_connection.hpp"
#include "http/restinio/chunk_scan.hpp"
#include "http/restinio/first_head.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace greenroom::http {

/// Who takes connections for git, with what has been read of them. Set before
/// the io_context runs; while it is not, nothing is handed over.
class git_handover : public asio::execution_context::service {
public:
  using key_type = git_handover;
  inline static asio::execution_context::id id;

  explicit git_handover(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  connection_taker take;

private:
  void shutdown() override {
    take = nullptr;
  }
};

/// Judges the first head of each connection. Set before the io_context runs;
/// while it is not, nothing is refused.
class first_heads : public asio::execution_context::service {
public:
  using key_type = first_heads;
  inline static asio::execution_context::id id;

  explicit first_heads(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  head_rules rules;
  /// Turns the id that a client sent, maybe none, into the answer's.
  std::function<std::string(std::string_view sent)> request_id;
  /// Told of what was refused so. May be empty.
  std::function<void(std::string_view request_line, const std::string& id,
                     const std::string& address, int status)>
    refused;

private:
  void shutdown() override {
    rules = {};
    request_id = nullptr;
    refused = nullptr;
  }
};

/// Counts connections by address. Set before the io_context runs; while it is
/// not, none is refused.
class connection_shares : public asio::execution_context::service {
public:
  using key_type = connection_shares;
  inline static asio::execution_context::id id;

  explicit connection_shares(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  std::shared_ptr<address_shares> shares;

private:
  void shutdown() override {
    shares = nullptr;
  }
};

/// How much has been read of requests that are not answered yet.
class read_budget : public asio::execution_context::service {
public:
  using key_type = read_budget;
  inline static asio::execution_context::id id;

  explicit read_budget(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  /// Below this a connection is left alone however much others have sent.
  static constexpr std::size_t small = 4 * 1024;
  /// What RESTinio needs for a byte of a body in small chunks.
  static constexpr std::size_t chunk_overhead = 4;

  std::size_t max_of_one = std::size_t{4} << 20;
  std::size_t max_of_all = std::size_t{64} << 20;
  std::size_t now = 0;

private:
  void shutdown() override {}
};

/// Tells RESTinio that a client sends nothing more.
using end_of_input = std::function<void(const error_code&)>;

/// Of clients that have sent all they want to send, and wait for an answer.
/// Such a function holds the connection by which it is held, until it is told;
/// where a loop stops before that, they are let go of here.
class half_closed : public asio::execution_context::service {
public:
  using key_type = half_closed;
  inline static asio::execution_context::id id;

  explicit half_closed(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  void add(const std::shared_ptr<end_of_input>& what) {
    if (all_.size() >= next_look_) {
      std::erase_if(all_, [](const auto& one) { return one.expired(); });
      next_look_ = 2 * all_.size() + 16;
    }
    all_.push_back(what);
  }

  void let_go() {
    for (const auto& one : std::exchange(all_, {}))
      if (auto what = one.lock())
        *what = nullptr;
  }

private:
  void shutdown() override {}

  std::vector<std::weak_ptr<end_of_input>> all_;
  std::size_t next_look_ = 0;
};

class restinio_socket : public asio::ip::tcp::socket {
public:
  using base = asio::ip::tcp::socket;
  using base::base;

  restinio_socket(restinio_socket&& other) noexcept
    : base(std::move(other)), beginning_(other.beginning_),
      head_(std::move(other.head_)), chunks_(std::move(other.chunks_)),
      expected_(other.expected_), refused_(other.refused_),
      writing_(other.writing_), weight_(other.weight_),
      taken_in_(std::exchange(other.taken_in_, 0)),
      place_(std::move(other.place_)),
      placed_(std::exchange(other.placed_, false)),
      patient_(std::exchange(other.patient_, false)),
      at_end_(std::move(other.at_end_)) {
    // RESTinio accepts the next connection into the socket that it has moved.
    other.head_ = std::make_unique<first_head>();
  }
  restinio_socket& operator=(restinio_socket&&) = delete;

  ~restinio_socket() {
    if (taken_in_ > 0)
      take_in(0);
  }

  template <class Buffer, class Handler>
  void async_read_some(const Buffer& into, Handler&& handler) {
    if (!std::exchange(placed_, true) && !take_place()) {
      turn_away();
      asio::post(get_executor(),
                 [handler = std::forward<Handler>(handler)]() mutable {
                   handler(error_code{asio::error::eof}, std::size_t{0});
                 });
      return;
    }
    read_on(into, 0, std::forward<Handler>(handler));
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& from, Handler&& handler) {
    writing_ = true;
    if (taken_in_ > 0)
      take_in(0);
    weight_ = 1;
    patient_ = false;
    base::async_write_some(
      from, [this, handler = std::forward<Handler>(handler)](
              const error_code& error, std::size_t size) mutable {
        writing_ = false;
        auto life = at_end_; // what is written last may end the connection
        handler(error, size);
        if (life && *life && !writing_)
          end_soon(life);
      });
  }

  /// The connection's place among those of its address, for whoever goes on
  /// with it: it is given back with what is returned.
  std::shared_ptr<void> leave_place() {
    return std::move(place_);
  }

  // What waits for the end of the connection must not outlive it.
  void close() {
    end_now();
    base::close();
  }
  void close(error_code& error) {
    end_now();
    base::close(error);
  }

private:
  enum class beginning { unknown, git, other };

  /// `before` bytes are in the buffer already.
  template <class Handler>
  void read_on(asio::mutable_buffer into, std::size_t before,
               Handler&& handler) {
    base::async_read_some(
      into + before,
      [this, into, before, handler = std::forward<Handler>(handler)](
        error_code error, std::size_t size) mutable {
        if (error == asio::error::eof && patient_ && taken_in_ > 0
            && !refused_) {
          await_answer(std::move(handler));
          return;
        }
        auto all = before + size;
        std::string_view read{static_cast<const char*>(into.data()), all};
        if (!error && beginning_ == beginning::unknown)
          beginning_ = beginning_of(read);
        if (!error && beginning_ == beginning::unknown) {
          read_on(into, all, std::move(handler));
          return;
        }
        if (!error && beginning_ == beginning::git && hand_over(read)) {
          error = asio::error::eof;
          all = 0;
        }
        if (!error && !refused_ && !writing_)
          judge(read);
        if (!error && !refused_) {
          check_deadlines(read);
          patient_ = patient_ || asks_for_one_answer(read);
          take_in(taken_in_ + all * weight_);
          if (is_too_much()) {
            // The library lets go of what it has at once.
            error = asio::error::message_size;
            refuse({503, "the server is short of memory for requests, try "
                         "again"},
                   {});
          }
        }
        // What follows a refusal is read to nowhere, so that the client gets to
        // read the answer.
        if (!error && refused_ && (dropped_ += all) <= max_dropped) {
          read_on(into, 0, std::move(handler));
          return;
        }
        if (!error && refused_)
          error = asio::error::eof;
        handler(error, error ? 0 : all);
      });
  }

  /// A client that has sent all it wants to send may still read. The end is
  /// told when the answer has been written: once nothing more of it has come
  /// for a while.
  template <class Handler>
  void await_answer(Handler&& handler) {
    auto held =
      std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    at_end_ = std::make_shared<end_of_input>(
      [held](const error_code& why) { (*held)(why, std::size_t{0}); });
    service<half_closed>().add(at_end_);
  }

  void end_soon(const std::shared_ptr<end_of_input>& what) {
    auto timer = std::make_shared<asio::steady_timer>(get_executor(), pause);
    // Until it is told, the library keeps this socket.
    timer->async_wait([this, timer, what](const error_code&) {
      if (*what && !writing_)
        end(*what, asio::error::eof);
    });
  }

  void end_now() {
    if (auto what = std::exchange(at_end_, nullptr))
      asio::post(get_executor(),
                 [what] { end(*what, asio::error::operation_aborted); });
  }

  /// Only once.
  static void end(end_of_input& what, const error_code& why) {
    if (auto tell = std::exchange(what, nullptr))
      tell(why);
  }

  /// Of streams, and of what waits for an event, the client's end is news at
  /// once: nobody may listen any more.
  static bool asks_for_one_answer(std::string_view read) noexcept {
    auto line = read.substr(0, read.find('\n'));
    if (!line.starts_with("GET ") && !line.starts_with("POST ")
        && !line.starts_with("PUT ") && !line.starts_with("PATCH ")
        && !line.starts_with("DELETE ") && !line.starts_with("HEAD "))
      return false;
    for (std::string_view stream :
         {"/events", "/wait", "/attach", "/tunnel", "follow="})
      if (line.find(stream) != line.npos)
        return false;
    return true;
  }

  template <class Service>
  Service& service() {
    return asio::use_service<Service>(
      asio::query(get_executor(), asio::execution::context));
  }

  bool take_place() {
    auto& shares = service<connection_shares>().shares;
    error_code gone;
    auto peer = shares ? base::remote_endpoint(gone) : endpoint_type{};
    if (!shares || gone)
      return true;
    place_ = shares->take(peer.address().to_string());
    return place_ != nullptr;
  }

  /// It is closed at once, for it is over its share. What has come already is
  /// read, so that the client gets to read the answer.
  void turn_away() {
    std::array<char, 16384> nowhere;
    while (::recv(native_handle(), nowhere.data(), nowhere.size(), MSG_DONTWAIT)
           == static_cast<ssize_t>(nowhere.size()))
      continue;
    refuse({503, "this address has "
                   + std::to_string(
                     service<connection_shares>().shares->max_of_one())
                   + " connections open, which is what one may have; try "
                     "again when some are closed"},
           {});
  }

  void take_in(std::size_t size) {
    service<read_budget>().now += size - taken_in_;
    taken_in_ = size;
  }

  void judge(std::string_view read) {
    auto& heads = service<first_heads>();
    if (chunks_)
      look_at_chunks(read);
    if (!head_ || !heads.request_id)
      return;
    auto refused = head_->add(read, heads.rules);
    if (refused.status != 0) {
      refuse(refused, head_->request_id(), head_->request_line());
    } else if (head_->done()) {
      weight_ = head_->chunked() ? read_budget::chunk_overhead : 1;
      if (head_->chunked()) {
        chunks_ = std::make_unique<chunk_scan>();
        look_at_chunks(head_->rest());
      }
    }
    if (refused.status != 0 || head_->done())
      head_.reset();
  }

  void look_at_chunks(std::string_view read) {
    if (!chunks_->add(read))
      refuse({400, "the request's body is not in chunks, as it is said to be"},
             {});
    if (refused_ || chunks_->over())
      chunks_.reset();
  }

  void refuse(const head_refusal& why, std::string_view sent_id,
              std::string_view request_line = {}) {
    refused_ = true;
    take_in(0);
    if (writing_)
      return; // the answer to another request must stay whole
    auto& heads = service<first_heads>();
    const auto id =
      heads.request_id ? heads.request_id(sent_id) : std::string{sent_id};
    error_code unknown;
    auto there = base::remote_endpoint(unknown);
    if (heads.refused)
      heads.refused(request_line, id, there.address().to_string(), why.status);
    auto text = refusal_text(why, id);
    [[maybe_unused]] auto sent = ::send(
      native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    error_code ignored;
    base::shutdown(base::shutdown_send, ignored);
  }

  bool is_too_much() {
    auto& in = service<read_budget>();
    return taken_in_ > in.max_of_one
           || (in.now > in.max_of_all && taken_in_ > read_budget::small);
  }

  beginning beginning_of(std::string_view read) {
    if (!handover().take)
      return beginning::other;
    constexpr std::array<std::string_view, 4> marks{"GET /git/", "POST /git/",
                                                    "HEAD /git/", "PUT /git/"};
    for (auto mark : marks)
      if (read.starts_with(mark))
        return beginning::git;
      else if (mark.starts_with(read))
        return beginning::unknown;
    return beginning::other;
  }

  git_handover& handover() {
    return service<git_handover>();
  }

  bool hand_over(std::string_view read) {
    beginning_ = beginning::other;
    error_code error;
    auto socket = base::release(error);
    if (error)
      return false;
    handover().take({unique_fd{socket}, std::string{read}, leave_place()});
    return true;
  }

  void check_deadlines(std::string_view read) {
    if (read.find("100-continue") != std::string_view::npos)
      expected_ = true;
    if (!expected_)
      return;
    auto head_end = read.find("\r\n\r\n");
    if (head_end == std::string_view::npos)
      return;
    expected_ = false;
    if (head_end + 4 != read.size() || writing_)
      return;
    constexpr std::string_view answer = "HTTP/1.1 100 Continue\r\n\r\n";
    [[maybe_unused]] auto sent =
      ::send(native_handle(), answer.data(), answer.size(),
             MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /// Of what comes after a refusal.
  static constexpr std::size_t max_dropped = std::size_t{4} << 20;
  /// Between two parts of an answer.
  static constexpr std::chrono::milliseconds pause{500};

  beginning beginning_ = beginning::unknown;
  // Of the first request, until it is whole.
  std::unique_ptr<first_head> head_ = std::make_unique<first_head>();
  std::unique_ptr<chunk_scan> chunks_; // of its body, while that comes
  bool expected_ = false;
  bool refused_ = false;
  bool writing_ = false;
  std::size_t dropped_ = 0;
  std::size_t weight_ = 1;   // of a byte in the budget
  std::size_t taken_in_ = 0; // since the last answer began
  std::unique_ptr<address_shares::place> place_;
  bool placed_ = false;  // it was asked for
  bool patient_ = false; // what is asked for has one answer, not a stream
  std::shared_ptr<end_of_input> at_end_; // null: the client may send more
};

} // namespace greenroom::http
