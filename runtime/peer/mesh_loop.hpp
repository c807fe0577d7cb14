// The thread of a mesh; for runtime/peer/mesh*.cpp only.
//
//   mesh_loop.cpp   the thread, who connects to us, strangers
//   mesh_links.cpp  the nodes: their links, dialing, streams
#pragma once

#include "runtime/peer/certificates.hpp"
#include "runtime/peer/greeting.hpp"
#include "runtime/peer/mesh.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace greenroom::peer {

using tcp = asio::ip::tcp;

class mesh::loop {
public:
  loop(mesh_options options, std::shared_ptr<spdlog::logger> log);

  // -- from any thread --------------------------------------------------------

  std::uint16_t listen();
  void start(mesh_listener listener);
  void stop();
  unique_fd take(std::uint64_t link);
  mesh_counters counters() const;

  template <class Task>
  void post(Task task) {
    asio::post(io_, std::move(task));
  }

  // -- on the loop's thread ---------------------------------------------------

  void set_nodes(std::vector<known_node> nodes);
  void cut(std::uint64_t link, const std::string& why);
  void release(std::uint64_t link);
  void open_stream(const std::string& node, const std::string& service,
                   opened then);

private:
  using clock = std::chrono::steady_clock;

  struct node_state {
    explicit node_state(asio::io_context& io) : changed(io), pause(io) {}
    known_node where;
    bool is_known = false;
    bool is_dialing = false;          // keep_linked() runs
    std::shared_ptr<connection> link; // null: none
    bool is_releasing = false;        // its link is down, not released
    link_info info;                   // of the link
    clock::time_point linked_at{};
    std::string trouble; // told last
    wakeup changed;
    asio::steady_timer pause;
  };

  // A socket that is closed when the time is up, or when the mesh stops.
  class time_limit;

  asio::awaitable<void> accept_all();
  asio::awaitable<void> receive(tcp::socket socket);
  asio::awaitable<hello> greet_guest(tls_socket& socket);
  void make_room_for_guest();
  void hear_of(const hello& theirs);
  void refuse(const std::string& where, const std::string& why);
  std::string judge_guest(const hello& theirs);
  hello own_hello() const;

  node_state& state_of(const std::string& node);
  node_state* state_with(std::uint64_t link);
  asio::awaitable<void> keep_linked(node_state& state);
  asio::awaitable<std::string> dial_link(node_state& state);
  asio::awaitable<void> tell_of_self(known_node where);
  asio::awaitable<tls_socket> dial(known_node where, hello own, hello& theirs);
  asio::awaitable<void> run_stream(known_node where, std::string wanted,
                                   opened then);
  void serve_stream(tls_socket socket, const hello& theirs);
  void adopt_stream(tls_socket socket, const hello& theirs, unique_fd local);
  void adopt_link(tls_socket socket, const hello& theirs, bool dialed);
  void link_ended(std::uint64_t link, const std::string& why);
  void tell_trouble(const std::string& node, const std::string& why);
  connection_options options_for(const hello& theirs) const;
  std::chrono::milliseconds jittered(std::chrono::milliseconds pause);
  void end_all();

  const mesh_options options_;
  mesh_listener listener_;
  std::shared_ptr<spdlog::logger> log_;
  std::shared_ptr<asio::ssl::context> context_;

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  std::mutex stop_mutex_;
  std::thread thread_;
  bool stopping_ = false;

  std::map<std::string, node_state> nodes_;
  std::map<std::uint64_t, std::shared_ptr<connection>> streams_;
  std::uint64_t last_number_ = 0;
  std::minstd_rand random_{std::random_device{}()};

  // Connections that have not been greeted, oldest first.
  std::map<std::uint64_t, tcp::socket*> guests_;
  // All sockets of which a coroutine waits for something.
  std::map<std::uint64_t, time_limit*> limits_;
  bool accept_fails_ = false;
  clock::time_point stranger_said_{};
  std::uint64_t strangers_unsaid_ = 0;

  std::mutex offered_mutex_;
  std::map<std::uint64_t, unique_fd> offered_; // by link

  std::atomic<std::uint64_t> strangers_{0};
  std::atomic<std::uint64_t> late_{0};
  std::atomic<std::uint64_t> crowded_out_{0};
  std::atomic<std::uint64_t> objected_{0};
  std::atomic<std::uint64_t> greeting_{0};
};

// Closes a socket in time. Belongs to a coroutine, as the socket does.
class mesh::loop::time_limit {
public:
  time_limit(loop& home, tcp::socket& socket, std::chrono::milliseconds limit);
  time_limit(const time_limit&) = delete;
  time_limit& operator=(const time_limit&) = delete;
  ~time_limit();

  void close() noexcept;
  bool is_over() const noexcept {
    return is_over_;
  }

private:
  loop& home_;
  tcp::socket& socket_;
  std::uint64_t number_;
  bool is_over_ = false;
  asio::steady_timer timer_;
};

} // namespace greenroom::peer
