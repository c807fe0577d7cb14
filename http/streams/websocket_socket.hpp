// web_socket on an Asio socket that was taken from the HTTP library.
#pragma once

#include "http/wire/web_socket.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <memory>

namespace greenroom::http {

class asio_web_socket final
  : public web_socket,
    public std::enable_shared_from_this<asio_web_socket> {
public:
  /// `greeting` is sent first: the answer to the handshake. `held` is kept for
  /// as long as the connection lasts.
  asio_web_socket(asio::ip::tcp::socket socket, std::shared_ptr<void> held,
                  std::chrono::milliseconds timeout, web_socket_events events);
  ~asio_web_socket() override;

  void start(std::string greeting);

  void send(slice payload, std::function<void(bool)> done) override;
  void ping() override;
  void close(ws::close_code why, std::string_view reason) override;
  void pause(bool stop) override;

private:
  struct outgoing {
    std::string head;
    slice payload;
    std::function<void(bool)> done;
    bool last = false; // a close frame
  };

  void put(ws::opcode kind, std::string payload, bool last = false);
  void enqueue(outgoing item);
  void write_next();
  void written(bool well);
  void read_more();
  void take_messages();
  void arm(std::chrono::milliseconds length);
  void drop();

  asio::ip::tcp::socket socket_;
  std::shared_ptr<void> held_;
  std::chrono::milliseconds patience_;
  web_socket_events events_;
  asio::steady_timer timer_; // of the write, or of the client's close frame
  ws::frame_reader reader_{max_message};
  std::array<char, 16 * 1024> buffer_;
  std::deque<outgoing> queue_;
  bool writing_ = false;
  bool reading_ = false;
  bool paused_ = false;
  bool closing_ = false;      // our close frame is sent or queued
  bool peer_closing_ = false; // the client's has come
  bool dropped_ = false;
};

} // namespace greenroom::http
