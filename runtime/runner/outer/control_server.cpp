#include "runtime/runner/outer/control_server.hpp"

#include "runtime/runner/protocol/fd_passing.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace greenroom::runner {

namespace {

unique_fd open_spare() {
  return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

// What is said in place of a message whose descriptor cannot be passed.
runner_message without_descriptor(const std::string& text) {
  constexpr const char* reason =
    "the kernel passes no descriptor now: too many are on their way";
  auto message = decode_runner_message(text).message;
  if (message)
    if (auto* x = std::get_if<connected>(&*message))
      return not_connected{x->ask, reason};
  auto* x = message ? std::get_if<input>(&*message) : nullptr;
  return no_input{x ? x->exec : std::string{}, reason};
}

bool is_our_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
         && peer.uid == ::geteuid();
}

} // namespace

control_server::control_server(event_loop& loop, unique_fd listener,
                               std::string nonce, node_handler& handler)
  : loop_(loop), listener_(std::move(listener)), nonce_(std::move(nonce)),
    handler_(handler), spare_(open_spare()) {
  unauthenticated_.reserve(max_unauthenticated);
  loop_.watch(listener_.get(), [this] { accept_one(); });
}

void control_server::stop_listening() {
  if (!listener_)
    return;
  loop_.unwatch(listener_.get());
  listener_.reset();
}

void control_server::hang_up() {
  close(node_.get());
}

void control_server::accept_one() {
  auto accept = [this] {
    return unique_fd{::accept4(listener_.get(), nullptr, nullptr,
                               SOCK_NONBLOCK | SOCK_CLOEXEC)};
  };
  auto fd = accept();
  if (!fd && (errno == EMFILE || errno == ENFILE)) {
    // A connection that is left in the queue would wake us for ever.
    spare_.reset();
    auto turned_away = accept();
    turned_away.reset();
    spare_ = open_spare();
    if (!spare_)
      pause_accepting();
    return;
  }
  if (!fd && (errno == ENOMEM || errno == ENOBUFS))
    return pause_accepting();
  if (!fd || !is_our_user(fd.get()))
    return;
  if (unauthenticated_.size() == max_unauthenticated)
    close(unauthenticated_.front().get());
  auto number = fd.get();
  try {
    loop_.watch(number, [this, number] { hear(number); });
    unauthenticated_.push_back(std::move(fd));
  } catch (const std::exception&) {
    // No memory to watch it: it is turned away.
  }
}

// Until there is something to accept with.
void control_server::pause_accepting() {
  constexpr std::chrono::milliseconds pause{100};
  loop_.want_read(listener_.get(), false);
  accept_again_ = steady::now() + pause;
}

void control_server::on_deadline(steady::time_point now) {
  if (!accept_again_ || now < *accept_again_)
    return;
  accept_again_.reset();
  if (!spare_)
    spare_ = open_spare();
  if (listener_)
    loop_.want_read(listener_.get(), true);
}

void control_server::hear(int fd) {
  if (fd == node_.get() && full_)
    flush();
  auto size = ::recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0)
    return close(fd);
  if (static_cast<std::size_t>(size) > max_message)
    return reject(fd, "the message is too long");
  auto [message, problem, unknown] =
    decode_node_message({buffer_.data(), static_cast<std::size_t>(size)});
  if (!unknown.empty())
    return hear_unknown(fd, std::move(unknown));
  if (!message)
    return reject(fd, std::move(problem));
  if (auto* x = std::get_if<hello>(&*message))
    return hear_hello(fd, *x);
  if (fd != node_.get())
    return reject(fd, "hello has to come first");
  handler_.on_message(*message);
}

// Of a newer node, which can do without; an older one has no such requests.
void control_server::hear_unknown(int fd, std::string op) {
  if (fd != node_.get())
    return reject(fd, "hello has to come first");
  if (!node_speaks(version_with_ports))
    return reject(fd, "op is unknown: \"" + op + '"');
  send(unsupported{std::move(op)});
}

void control_server::hear_hello(int fd, const hello& message) {
  if (message.lowest > highest_version || message.highest < lowest_version)
    return reject(
      fd, "this runner speaks versions " + std::to_string(lowest_version)
            + " to " + std::to_string(highest_version)
            + " of the protocol, the server " + std::to_string(message.lowest)
            + " to " + std::to_string(message.highest));
  if (message.nonce != nonce_)
    return reject(fd, "the nonce is another runner's");
  if (fd != node_.get()) {
    close(node_.get());
    auto i = std::ranges::find(unauthenticated_, fd, &unique_fd::get);
    node_ = std::move(*i);
    unauthenticated_.erase(i);
  }
  // Ends that are not on disk yet go first: who is told by the greeting that
  // an exec does not run looks for its exit record, and finds none.
  version_ = std::min(message.highest, highest_version);
  handler_.before_hello();
  auto answer = handler_.greet();
  answer.version = version_;
  send(answer);
  handler_.after_hello();
}

void control_server::reject(int fd, std::string reason) {
  write(fd, {encode(runner_message{error{std::move(reason)}}), {}});
  close(fd);
}

void control_server::close(int fd) {
  if (fd < 0)
    return;
  loop_.unwatch(fd);
  if (fd == node_.get()) {
    node_.reset();
    queue_.clear();
    full_ = false;
  } else {
    std::erase_if(unauthenticated_,
                  [fd](const unique_fd& x) { return x.get() == fd; });
  }
}

// One that is broken takes everything: its end is heard by the loop.
control_server::written control_server::write(int to, const outgoing& what) {
  auto number = what.fd.get();
  std::span fds{&number, number < 0 ? 0u : 1u};
  for (;;) {
    if (send_with_fds(to, what.text, fds, MSG_DONTWAIT) >= 0)
      return written::all;
    if (errno == ETOOMANYREFS)
      return written::no_descriptor;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
      return written::nothing_now;
    if (errno != EINTR)
      return written::all;
  }
}

// False where the node's socket is full. Of a user who has too many descriptors
// under way none is passed: then what goes says so, as where there is none
// left.
bool control_server::pass(outgoing& what) {
  auto result = write(node_.get(), what);
  if (result == written::no_descriptor) {
    what = {encode(without_descriptor(what.text)), {}};
    result = write(node_.get(), what);
  }
  return result == written::all;
}

void control_server::send(const runner_message& message, unique_fd fd) {
  if (!node_)
    return;
  outgoing what{encode(message), std::move(fd)};
  if (!full_ && pass(what))
    return;
  if (queue_.size() == max_queued)
    return close(node_.get());
  queue_.push_back(std::move(what));
  wait_for_room();
}

bool control_server::try_send(const runner_message& message) {
  if (!node_ || full_)
    return false;
  if (write(node_.get(), {encode(message), {}}) == written::all)
    return true;
  wait_for_room();
  return false;
}

void control_server::wait_for_room() {
  full_ = true;
  loop_.want_write(node_.get(), true);
}

void control_server::flush() {
  while (!queue_.empty() && pass(queue_.front()))
    queue_.pop_front();
  full_ = !queue_.empty();
  loop_.want_write(node_.get(), full_);
}

} // namespace greenroom::runner
