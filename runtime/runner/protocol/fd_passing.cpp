#include "runtime/runner/protocol/fd_passing.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace greenroom::runner {

namespace {

constexpr std::size_t fds_size = max_passed_fds * sizeof(int);

// The kernel fills whatever room the buffer has, also that for credentials
// where none come: so there can be more than were meant to be. All are ours to
// close.
void take_fds(cmsghdr& head, fd_datagram& to) {
  auto count = (head.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count; ++i) {
    int number;
    std::memcpy(&number, CMSG_DATA(&head) + i * sizeof number, sizeof number);
    unique_fd fd{number};
    if (to.fds.size() < max_passed_fds)
      to.fds.push_back(std::move(fd));
    else
      to.cut = true;
  }
}

} // namespace

ssize_t send_with_fds(int socket, std::span<const char> bytes,
                      std::span<const int> fds, int flags) {
  if (fds.size() > max_passed_fds) {
    errno = EINVAL;
    return -1;
  }
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(fds_size)> control{};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    auto* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
  }
  return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

fd_datagram receive_with_fds(int socket, std::span<char> buffer, int flags) {
  iovec data{buffer.data(), buffer.size()};
  alignas(cmsghdr)
    std::array<char, CMSG_SPACE(fds_size) + CMSG_SPACE(sizeof(ucred))>
      control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  fd_datagram result;
  result.size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (result.size < 0)
    return result;
  result.cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (auto* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET)
      continue;
    if (head->cmsg_type == SCM_CREDENTIALS) {
      ucred who;
      std::memcpy(&who, CMSG_DATA(head), sizeof who);
      result.sender = who.pid;
    } else if (head->cmsg_type == SCM_RIGHTS) {
      take_fds(*head, result);
    }
  }
  return result;
}

} // namespace greenroom::runner
