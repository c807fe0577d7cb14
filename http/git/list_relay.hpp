// Carries what `git upload-pack` answers to its client by a pipe, and shows
// the list of references that it begins with, by git's protocol before its
// second version, to somebody who may change it.
//
// A thread of its own, which ends with it. The socket is borrowed, and nobody
// else writes to it meanwhile. Bounds: a list of more than `most` bytes goes
// on as it is; the client has until `end` to take it all.
#pragma once

#include "http/git/origin_peer.hpp"
#include "runtime/base/fd.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <thread>

namespace greenroom::http::git_http {

class list_relay {
public:
  /// Called once at most, on the relay's thread, with all packets of the list;
  /// where it throws, the list goes on as it is.
  using change = std::function<std::string(const std::string& list)>;

  /// Throws std::system_error.
  list_relay(origin_peer to, std::size_t most, change what);
  list_relay(const list_relay&) = delete;
  list_relay& operator=(const list_relay&) = delete;

  /// Once git has ended: waits until the client has what git has written.
  ~list_relay();

  /// Where git writes.
  int writer() const noexcept {
    return writer_.get();
  }

private:
  void run() noexcept;
  void carry();
  std::string read_list();
  bool receive(std::string& to);

  origin_peer to_;
  std::size_t most_;
  change change_;
  unique_fd reader_; // of the thread's
  unique_fd writer_;
  std::thread thread_;
};

} // namespace greenroom::http::git_http
