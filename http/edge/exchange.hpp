// One request and its answer.
//
// Made by the server for each request, held by whatever will answer it, and
// used on its HTTP thread only. It is answered exactly once; one that is let go
// of without an answer answers 500 itself, so no client is left waiting.
#pragma once

#include "http/base/reply.hpp"
#include "http/base/request.hpp"
#include "http/base/slice.hpp"
#include "http/edge/passage.hpp"
#include "messages/records.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {
class key_table;
}

namespace greenroom::http {

struct edge;
struct route;
class web_socket;
struct web_socket_events;

/// The body of an answer that has begun and goes on. For its HTTP thread only;
/// once it is destroyed nothing more is sent.
class body_writer {
public:
  virtual ~body_writer() = default;

  /// `done` is called on this thread when the kernel has taken all of it, or
  /// with false when the connection is gone; never from inside.
  virtual void write(std::vector<slice> parts,
                     std::function<void(bool)> done) = 0;

  /// The end of the body. Nothing may follow.
  virtual void finish() = 0;

  /// There will be no more, although there should be: the connection ends
  /// without the body's end, so that its client sees that it is not whole.
  virtual void abort() = 0;
};

class exchange;

/// Told of every answer as it begins, once for each request.
class answer_observer {
public:
  /// `body` is empty for one that goes on. `taken` counts from the request's
  /// arrival.
  virtual void answered(const exchange& ex, int status, std::string_view body,
                        std::chrono::nanoseconds taken) = 0;

protected:
  ~answer_observer() = default;
};

/// Writes an answer down before it is sent, so that a repetition of the request
/// gets it too.
class answer_keeper {
public:
  virtual ~answer_keeper() = default;

  /// Writes `answer` down, then sends it.
  virtual void keep(const std::shared_ptr<exchange>& ex, response answer) = 0;
};

class exchange : public std::enable_shared_from_this<exchange> {
public:
  explicit exchange(http::edge& thread);
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  virtual ~exchange();

  http::edge& env;
  request in;
  std::string id;                   // the request id that is echoed and logged
  bool of_peer = false;             // another node has made the connection
  bool in_spare_place = false;      // its connection is for a short answer
  std::optional<passage> by_way_of; // that node, where it passes this on
  std::string client_address; // as that node says; empty: who has connected
  // Another node serves it, and writes down what is to be known of that.
  bool served_elsewhere = false;

  // Set by the dispatcher, in this order.
  const http::route* route = nullptr;
  std::array<std::string, 4> params; // as in the pattern: project, session, …
  std::shared_ptr<const key_table> keys; // keeps `key` alive
  const key_record* key = nullptr;       // null on routes that need none
  bool in_project = false;               // the first of `params` is a project

  const std::string& project_id() const noexcept {
    return params[0];
  }
  const std::string& session_id() const noexcept {
    return params[1];
  }
  const std::string& exec_id() const noexcept {
    return params[2];
  }
  /// Whose key it has, and the request's id.
  caller by() const;

  // Set where the client sent an Idempotency-Key.
  std::unique_ptr<answer_keeper> record;
  std::string planned_id; // of what the request makes
  bool repeated = false;  // it may have been served before, in whole or in part
  // Nothing of it was done: whoever repeats it is served as for the first time.
  bool untouched = false;
  // What is kept of the answer's data for repetitions, where that holds a
  // secret.
  std::string kept_data;
  // Let go of when it is answered. May be empty.
  std::shared_ptr<void> until_answered;

  /// Answers with `data`, which is JSON, in the envelope.
  void reply(int status, std::string_view data);
  void refuse(const refusal& why);
  void refuse(errc code, std::string message);

  /// Answers with something else.
  void send(response answer);

  /// Begins an answer whose body follows in pieces: chunked, or of a known
  /// `content_length`.
  std::unique_ptr<body_writer> begin(response head);

  /// Makes a WebSocket of the connection; `protocol` is the subprotocol that
  /// was agreed on, or empty. The request must be one that asks for it.
  std::shared_ptr<web_socket> upgrade(std::string_view protocol,
                                      web_socket_events events);

  /// What is left of the time that the request has, `whole` counted from its
  /// arrival or from start_over; all of it once the answer has begun.
  std::chrono::milliseconds left_of(std::chrono::milliseconds whole) const;

  /// For requests that are to wait: what follows counts anew.
  void start_over() noexcept {
    begun_ = std::chrono::steady_clock::now();
  }

  /// Has `told` called, once and never from inside, when the client has ended
  /// its side of the connection: it sends nothing more, and may not read
  /// either. Empty: nobody is told any more. Where that cannot be seen nobody
  /// ever is.
  virtual void on_input_end(std::function<void()> told);

  bool answered() const noexcept {
    return status_ != 0;
  }

  /// Which connection this is, for `response_registry`.
  virtual std::uint64_t connection_id() const noexcept = 0;

  /// The client's address, without a port.
  virtual std::string address() const = 0;

protected:
  virtual void transmit(response&& answer) = 0;
  virtual std::unique_ptr<body_writer> transmit_head(response&& head) = 0;
  virtual std::shared_ptr<web_socket>
  transmit_upgrade(std::string_view protocol, web_socket_events&& events) = 0;

  bool unobserved_ = false; // a part of another one, neither logged nor counted

  /// For the destructor of the derived class: what nobody answered.
  void abandon() noexcept;

private:
  void answering(int status, std::string_view body);

  int status_ = 0; // 0: not answered yet
  const std::chrono::steady_clock::time_point since_ =
    std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point begun_ = since_;
};

using exchange_ptr = std::shared_ptr<exchange>;

} // namespace greenroom::http
